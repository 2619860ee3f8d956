// ICMP errors about our own tunnels: a router tells the sender of the outer packet, which is the director. Only
// the client can mend it, so it is told in turn, about its own packet (RFC 2003 section 4.4).

import { CONTROL_BASE, CONTROL_SERVERS_USED, PACKET_BYTES } from "../abi/layout";
import { GROUP_MAX } from "../abi/limits";
import { DropReason, Forward, Protocol, TunnelType } from "../abi/enums";
import { sendIcmpError } from "../answer/icmp";
import { Connection } from "../connection/connection";
import { FROM_CLIENT, lookup } from "../connection/table";
import { rememberPathMtu } from "../forward/pathmtu";
import { packets } from "../memory";
import { Packet, PacketFlag } from "../packet/packet";
import { isBalanced } from "../packet/parse";
import { Server } from "../service/server";
import { countOut, drop } from "../stats";
import { get16, mapAddress } from "../wire/field";

/** The packet record behind the group's that segments do not use. */
const EMBEDDED_PLACE: u32 = GROUP_MAX + 1;
const UNREACHABLE: u32 = 3;
const FRAGMENTATION_NEEDED: u32 = 4;
/** The least any IPv4 path carries (RFC 791 section 3.2). */
const IPV4_MTU_MIN: u32 = 68;
const IPV4_BYTES: u32 = 20;
const GUE_BYTES: usize = 12;

/** The client's packet inside the quoted outer one at `outer`, 0 when that is no tunnel's. */
export function clientsPacket(outer: usize, end: usize): usize {
  let at = outer + ((<usize>load<u8>(outer) & 15) << 2);
  switch (<i32>load<u8>(outer, 9)) {
    case Protocol.IpIp: return at;
    case Protocol.Gre:
      if (at + 4 > end || load<u16>(at, 2) != 0x0008) return 0;
      return load<u16>(at) == 0 ? at + 4 : load<u16>(at) == 0x0080 ? at + 8 : 0;
    case Protocol.Udp:
      if (at + GUE_BYTES > end || load<u8>(at, 8) != 0 || load<u8>(at, 9) != <u8>Protocol.IpIp) return 0;
      return at + GUE_BYTES;
    default: return 0;
  }
}

/**
 * True when the outer packet is one that this connection's packets travel in: to its server, while that is listed, or
 * to whoever else has the same tunnel (as the kernel: recording errors_removed_tunnel).
 */
function isTunnelOf(connection: Connection, outer: usize): bool {
  if (connection.forward != <u32>Forward.Tunnel || connection.server == 0) return false;
  if (Server.at(connection.server).available) return isTunnelTo(Server.at(connection.server), outer);
  let used = load<u32>(CONTROL_BASE, CONTROL_SERVERS_USED);
  for (let index: u32 = 1; index < used; index++) if (isTunnelTo(Server.at(index), outer)) return true;
  return false;
}

function isTunnelTo(server: Server, outer: usize): bool {
  if (!server.available || server.forward != <u8>Forward.Tunnel) return false;
  if (server.family != 4 || load<u32>(server.address, 12) != load<u32>(outer, 16)) return false;
  let at = outer + ((<usize>load<u8>(outer) & 15) << 2);
  switch (<i32>load<u8>(outer, 9)) {
    case Protocol.IpIp: return server.tunnelType == <u8>TunnelType.IpIp;
    case Protocol.Gre: return server.tunnelType == <u8>TunnelType.Gre;
    default: return server.tunnelType == <u8>TunnelType.Gue && server.tunnelPort == load<u16>(at, 2);
  }
}

/** The connection whose packet is quoted at `inner`, 0 when there is none. */
function connectionOf(inner: usize, end: usize, scratch: usize): u32 {
  if (inner == 0 || inner + IPV4_BYTES > end || load<u8>(inner) >> 4 != 4 || (load<u8>(inner) & 15) < 5) return 0;
  let ports = inner + ((<usize>load<u8>(inner) & 15) << 2);
  let protocol = <u32>load<u8>(inner, 9);
  if (!isBalanced(protocol) || ports + 4 > end || (load<u16>(inner, 6) & 0xff1f) != 0) return 0;
  mapAddress(scratch, load<u32>(inner, 12));
  mapAddress(scratch + 16, load<u32>(inner, 16));
  return lookup(FROM_CLIENT, 4, protocol, scratch, load<u16>(ports), scratch + 16, load<u16>(ports, 2));
}

/** The connection that an ICMP error about the packet quoted at `outer` is for, 0 when it is about no tunnel of ours. */
export function tunnelledConnection(packet: Packet, outer: usize, scratch: usize): u32 {
  if (!packet.has(PacketFlag.ToLocal)) return 0;
  let index = connectionOf(clientsPacket(outer, packet.end), packet.end, scratch);
  return index != 0 && isTunnelOf(Connection.at(index), outer) ? index : 0;
}

/** Tells the client. About size only when it forbade cutting; else the outer packet was the director's to cut. */
export function tellClient(packet: Packet, index: u32, outer: usize): void {
  let connection = Connection.at(index);
  let server = Server.at(connection.server);
  let inner = clientsPacket(outer, packet.end);
  let type = <u32>load<u8>(packet.l4);
  let code = <u32>load<u8>(packet.l4, 1);
  let extra = bswap<u32>(load<u32>(packet.l4, 4));
  if (type == UNREACHABLE && code == FRAGMENTATION_NEEDED) {
    rememberPathMtu(server, get16(packet.l4 + 6));
    if ((load<u8>(inner, 6) & 0x40) == 0) return drop(DropReason.LocalConsumed);
    let overhead = <u32>(inner - outer);
    extra = server.pathMtu > IPV4_MTU_MIN + overhead ? server.pathMtu - overhead : server.pathMtu;
  }
  let told = changetype<Packet>(packets + <usize>EMBEDDED_PLACE * PACKET_BYTES);
  memory.copy(changetype<usize>(told), changetype<usize>(packet), PACKET_BYTES);
  told.flags = 0;
  told.protocol = connection.protocol;
  told.l3 = <u32>inner;
  told.l4 = <u32>inner + ((<u32>load<u8>(inner) & 15) << 2);
  mapAddress(told.source, load<u32>(inner, 12));
  mapAddress(told.target, load<u32>(inner, 16));
  // Counted twice, as in the kernel: here as it was quoted, and again as the message that leaves.
  countOut(connection.server, server.service, packet.end - <u32>inner);
  sendIcmpError(told, type, code, extra);
  drop(DropReason.LocalConsumed);
}
