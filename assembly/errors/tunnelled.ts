// ICMP errors about our own tunnels: a router tells the sender of the outer packet, which is the director. Only
// the client can mend it, so it is told in turn, about its own packet (RFC 2003 section 4.4).

import { STATE_EMBEDDED } from "../abi/layout";
import { Protocol, TunnelType } from "../abi/enums";
import { sendIcmpError } from "../answer/icmp";
import { Connection } from "../connection/connection";
import { FROM_CLIENT, lookup } from "../connection/table";
import { rememberPath4 } from "../answer/toobig";
import { state } from "../memory";
import { Packet, PacketFlag, standIn } from "../packet/packet";
import { isBalanced, PORTS_BYTES } from "../packet/parse";
import { MTU4_MIN } from "../packet/sizes";
import { tunnelAt } from "../service/ends";
import { Server } from "../service/server";
import { countOut } from "../stats";
import { get16, mapAddress } from "../wire/field";

const UNREACHABLE: u32 = 3;
const FRAGMENTATION_NEEDED: u32 = 4;
const IPV4_BYTES: u32 = 20;
const UDP_BYTES: usize = 8;
const GUE_BYTES: usize = 4;
const GRE_BYTES: usize = 4;
const GRE_CHECKSUM_BYTES: usize = 4;

/** Where the quoted IPv4 header at `header` ends. */
function behind(header: usize): usize {
  return header + ((<usize>load<u8>(header) & 15) << 2);
}

/** Bytes that the quoted IPv4 packet is a piece from. */
function offsetOf(header: usize): u32 {
  return (get16(header + 6) & 0x1fff) << 3;
}

/** The server at whose end of a tunnel the quoted packet at `outer` would have arrived, 0 when it is none of our tunnels'. */
function tunnelOf(outer: usize, end: usize): u32 {
  let type: TunnelType;
  let port: u32 = 0;
  switch (<i32>load<u8>(outer, 9)) {
    case Protocol.IpIp: type = TunnelType.IpIp; break;
    case Protocol.Gre: type = TunnelType.Gre; break;
    case Protocol.Udp:
      type = TunnelType.Gue;
      if (behind(outer) + UDP_BYTES > end) return 0;
      port = load<u16>(behind(outer), 2);
      break;
    default: return 0;
  }
  mapAddress(state + STATE_EMBEDDED, load<u32>(outer, 16));
  let index = tunnelAt(4, state + STATE_EMBEDDED, port);
  return index != 0 && Server.at(index).tunnelType == <u8>type ? index : 0;
}

/** The client's packet inside the quoted outer one at `outer`, 0 when that is no tunnel's of ours, or no first piece. */
export function clientsPacket(outer: usize, end: usize): usize {
  if (offsetOf(outer) != 0) return 0;
  let server = tunnelOf(outer, end);
  if (server == 0) return 0;
  let at = behind(outer);
  if (Server.at(server).tunnelType == <u8>TunnelType.IpIp) return at;
  at = Server.at(server).tunnelType == <u8>TunnelType.Gre ? behindGre(at, end) : behindGue(at + UDP_BYTES, end);
  return at != 0 && at < end && load<u8>(at) >> 4 == 4 ? at : 0;
}

/** Behind a GRE header of IPv4, with a checksum or without; 0 when it is another. */
function behindGre(at: usize, end: usize): usize {
  if (at + GRE_BYTES > end || load<u16>(at, 2) != 0x0008) return 0;
  return load<u16>(at) == 0 ? at + GRE_BYTES : load<u16>(at) == 0x0080 ? at + GRE_BYTES + GRE_CHECKSUM_BYTES : 0;
}

/** Behind a GUE header of a data message with IPv4, which says how many words more it has; 0 when it is another. */
function behindGue(at: usize, end: usize): usize {
  if (at + GUE_BYTES > end || (load<u8>(at) & 0xe0) != 0 || load<u8>(at, 1) != <u8>Protocol.IpIp) return 0;
  return at + GUE_BYTES + (<usize>load<u8>(at) << 2);
}

/** The connection whose packet is quoted at `inner`, 0 when there is none. What piece of it that is does not matter. */
function connectionOf(inner: usize, end: usize): u32 {
  if (inner == 0 || inner + IPV4_BYTES > end || behind(inner) < inner + IPV4_BYTES) return 0;
  let ports = behind(inner);
  let protocol = <u32>load<u8>(inner, 9);
  if (!isBalanced(protocol) || ports + PORTS_BYTES > end) return 0;
  let source = state + STATE_EMBEDDED;
  let target = source + 16;
  mapAddress(source, load<u32>(inner, 12));
  mapAddress(target, load<u32>(inner, 16));
  return lookup(FROM_CLIENT, 4, protocol, source, load<u16>(ports), target, load<u16>(ports, 2));
}

/**
 * The connection that an ICMP error about the packet quoted at `outer` is for, 0 when it is about no tunnel of ours. It need not
 * be one that uses this tunnel, or any (as the kernel: recording tunnel_quotations).
 */
export function tunnelledConnection(packet: Packet, outer: usize): u32 {
  if (!packet.has(PacketFlag.ToLocal)) return 0;
  return connectionOf(clientsPacket(outer, packet.end), packet.end);
}

/** Tells the client. About size only when it forbade cutting; else the outer packet was the director's to cut. */
export function tellClient(packet: Packet, index: u32, outer: usize): void {
  let connection = Connection.at(index);
  let inner = clientsPacket(outer, packet.end);
  let type = <u32>load<u8>(packet.l4);
  let code = <u32>load<u8>(packet.l4, 1);
  let extra = bswap<u32>(load<u32>(packet.l4, 4));
  if (type == UNREACHABLE && code == FRAGMENTATION_NEEDED) {
    let mtu = rememberPath4(outer, get16(packet.l4 + 6));
    if ((load<u8>(inner, 6) & 0x40) == 0) return;
    let overhead = <u32>(inner - outer);
    extra = mtu > MTU4_MIN + overhead ? mtu - overhead : mtu;
  }
  let told = standIn(packet);
  told.fragmentOffset = offsetOf(inner);
  told.flags = told.fragmentOffset != 0 ? <u32>PacketFlag.Fragment : 0;
  told.protocol = connection.protocol;
  told.l3 = <u32>inner;
  told.l4 = <u32>behind(inner);
  mapAddress(told.source, load<u32>(inner, 12));
  mapAddress(told.target, load<u32>(inner, 16));
  // Counted twice, as in the kernel: here as it was quoted, and again as the message that leaves.
  countOut(connection.server, Server.at(connection.server).service, packet.end - <u32>inner);
  sendIcmpError(told, type, code, extra);
}
