// One connection to a chosen server, opened and counted; or past all servers.

import { ConnectionFlag, Protocol, ServiceFlag, Sysctl } from "../abi/enums";
import { openConnection } from "../connection/open";
import { isTransparent } from "../link/local";
import { Packet } from "../packet/packet";
import { Server } from "../service/server";
import { Service } from "../service/service";
import { countConnection } from "../stats";
import { sysctl } from "../sysctl";

/** The packet has been dropped and counted; nothing is left to do. */
export const REFUSED: u32 = 0xffffffff;

/** Opens a connection to a port of a chosen server, and counts it. Port 0 is the one that the client asks for. */
export function openTo(packet: Packet, index: u32, server: u32, port: u32, flags: u32): u32 {
  let opened = openConnection(packet.family, packet.protocol, packet.source, packet.sourcePort, packet.target,
    packet.targetPort, server, port != 0 ? port : packet.targetPort, flags, packet.mark);
  if (opened == 0) return REFUSED;
  countConnection(server, index);
  return opened;
}

/**
 * No server of a firewall mark is free, and the packet was for somebody else: with cache_bypass it goes there after
 * all, as if no cache were in between. Answers the connection, 0 when that is not wanted, or REFUSED.
 */
export function openBypass(packet: Packet, index: u32): u32 {
  let service = Service.at(index);
  if (sysctl(Sysctl.CacheBypass) == 0 || service.fwmark == 0 || !isTransparent(packet.target)) return 0;
  let flags: u32 = service.has(ServiceFlag.OnePacket) && packet.protocol == <u8>Protocol.Udp
    ? <u32>ConnectionFlag.OnePacket : 0;
  let opened = openConnection(packet.family, packet.protocol, packet.source, packet.sourcePort, packet.target,
    packet.targetPort, 0, 0, flags, packet.mark);
  return opened == 0 ? REFUSED : opened;
}
