// What every packet of a client's goes through once its connection is known.

import { Connection } from "../connection/connection";
import { FROM_CLIENT } from "../connection/table";
import { Packet } from "../packet/packet";
import { Server } from "../service/server";
import { advance } from "../state/advance";
import { countIn } from "../stats";
import { isMaster } from "../sync/daemon";
import { tellOthers } from "../sync/export";
import { forwardToServer } from "./toserver";

/** Counts, advances the state, forwards. */
export function serve(packet: Packet, connection: Connection): void {
  countIn(connection.server, Server.at(connection.server).service, packet.ipBytes);
  advance(packet, connection, FROM_CLIENT);
  connection.packets++;
  forwardToServer(packet, connection);
  if (isMaster()) tellOthers(connection, connection.packets);
}
