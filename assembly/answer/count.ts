// The director's own errors about packets of connections: where nothing is rewritten, each counts as an answer of
// the connection's server, as in the kernel (recording own_errors).

import { Forward } from "../abi/enums";
import { Connection } from "../connection/connection";
import { FROM_CLIENT, lookup } from "../connection/table";
import { Packet } from "../packet/packet";
import { isBalanced } from "../packet/parse";
import { Server } from "../service/server";
import { countOut } from "../stats";

/** Counts an error of so many bytes about a packet whose addresses are filled. */
export function countError(packet: Packet, bytes: u32): void {
  if (!isBalanced(packet.protocol) || packet.l4 + 4 > packet.end) return;
  let index = lookup(FROM_CLIENT, packet.family, packet.protocol, packet.source, load<u16>(packet.l4), packet.target,
    load<u16>(packet.l4, 2));
  if (index == 0) return;
  let connection = Connection.at(index);
  if (connection.forward == <u32>Forward.Nat || connection.server == 0) return;
  countOut(connection.server, Server.at(connection.server).service, bytes);
}
