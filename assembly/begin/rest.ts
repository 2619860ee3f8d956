// The long road of a beginning, from where its server has been chosen; and what the next one may begin as.

import { CONTROL_BASE, CONTROL_CHANGES, STATE_CAUSE } from "../abi/layout";
import { Connection } from "../connection/connection";
import { serve } from "../forward/serve";
import { bindHelper } from "../helper/table";
import { state } from "../memory";
import { Packet } from "../packet/packet";
import { Server } from "../service/server";
import { refuse } from "./choose";
import { openTo, REFUSED } from "./open";
import { prepare } from "./prepared";

/** Begins a connection with an ordinary packet to a service's server; without one (0) the packet is refused. */
export function goOn(packet: Packet, service: u32, server: u32): void {
  store<u32>(state, packet.cause, STATE_CAUSE);
  packet.complete();
  packet.fillAddresses();
  packet.mark = 0;
  // Whatever another worker changes meanwhile makes what is kept here out of date.
  let changes = load<u32>(CONTROL_BASE, CONTROL_CHANGES);
  if (server == 0) return refuse(packet, service);
  let index = openTo(packet, service, server, Server.at(server).port, 0);
  if (index == REFUSED) return;
  let connection = Connection.at(index);
  bindHelper(connection);
  serve(packet, connection);
  prepare(connection, changes);
}
