// One connection to a chosen server, opened and counted.

import { openConnection } from "../connection/open";
import { Packet } from "../packet/packet";
import { Server } from "../service/server";
import { countConnection } from "../stats";

/** The packet has been dropped and counted; nothing is left to do. */
export const REFUSED: u32 = 0xffffffff;

/** Opens a connection to a chosen server and counts it. */
export function openTo(packet: Packet, index: u32, server: u32, flags: u32): u32 {
  let port = <u32>Server.at(server).port;
  let opened = openConnection(packet.family, packet.protocol, packet.source, packet.sourcePort, packet.target,
    packet.targetPort, server, port != 0 ? port : packet.targetPort, flags, packet.mark);
  if (opened == 0) return REFUSED;
  countConnection(server, index);
  return opened;
}
