// A service decides: which server a new connection gets, and what to do when none is free.

import { ConnectionFlag, DropReason, Protocol, ServiceFlag, Sysctl } from "../abi/enums";
import { sendIcmpError } from "../answer/icmp";
import { sendIcmpv6Error } from "../answer/icmpv6";
import { openConnection } from "../connection/open";
import { openPersistent } from "../connection/persistence";
import { isShed } from "../defence/level";
import { deliver } from "../forward/toserver";
import { isTransparent } from "../link/local";
import { Packet } from "../packet/packet";
import { schedule } from "../schedule/table";
import { countConnection, drop } from "../stats";
import { sysctl } from "../sysctl";
import { Server } from "./server";
import { Service } from "./service";

/** The packet has been dropped and counted; nothing is left to do. */
export const REFUSED: u32 = 0xffffffff;

const FTP_DATA: u32 = 20 << 8; // network order
const FTP_CONTROL: u32 = 21 << 8;

/** Opens a connection for a packet. Answers its index, 0 when no server is free, or REFUSED. */
export function open(packet: Packet, index: u32): u32 {
  if (isShed()) {
    drop(DropReason.DropPacket);
    return REFUSED;
  }
  let service = Service.at(index);
  if (isFtpData(packet)) {
    deliver(packet);
    return REFUSED;
  }
  if (service.has(ServiceFlag.Persistent)) return openPersistent(packet, index);
  if (service.fwmark == 0 && packet.targetPort != service.port) return 0;
  let server = schedule(index, packet.source, packet.sourcePort, packet.target);
  if (server == 0) return 0;
  let flags: u32 = service.has(ServiceFlag.OnePacket) && packet.protocol == <u8>Protocol.Udp
    ? <u32>ConnectionFlag.OnePacket : 0;
  return openTo(packet, index, server, flags);
}

/** Data connections of active FTP are opened by the server: one from port 20 is never scheduled. */
export function isFtpData(packet: Packet): bool {
  return packet.sourcePort == <u16>FTP_DATA;
}

/** Opens a connection to a chosen server and counts it. */
export function openTo(packet: Packet, index: u32, server: u32, flags: u32): u32 {
  let port = <u32>Server.at(server).port;
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

/** Nobody can serve this packet: the client is told port unreachable, for TCP too (as the kernel). */
export function refuse(packet: Packet, index: u32): void {
  let service = Service.at(index);
  // The FTP service also finds its data connections; other ports of the VIP are not its business.
  if (service.port == <u16>FTP_CONTROL && packet.targetPort != <u16>FTP_CONTROL && service.fwmark == 0) {
    return deliver(packet);
  }
  if (packet.family == 4) sendIcmpError(packet, 3, 3, 0);
  else sendIcmpv6Error(packet, 1, 4, 0);
  drop(DropReason.NoServer);
}
