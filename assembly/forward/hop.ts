// The way to the next neighbour: which one it is, what it can take, and what is said when a packet cannot go.

import { CONTROL_BASE, CONTROL_ROUTE_GENERATION } from "../abi/layout";
import { DropReason, Forward, Protocol, ServerFlag } from "../abi/enums";
import { sendIcmpv6Error } from "../answer/icmpv6";
import { tellOnWay4 } from "../answer/rewritten";
import { Connection } from "../connection/connection";
import { isOwn } from "../link/local";
import { hopMtu, neighborAt } from "../link/neighbor";
import { pathMtu, wayTo } from "../link/path";
import { lock, unlock } from "../memory";
import { Packet, PacketFlag } from "../packet/packet";
import { largestPiece } from "../packet/sizes";
import { Server } from "../service/server";
import { drop } from "../stats";
import { checksum } from "../wire/checksum";
import { sameAddress } from "../wire/field";

/** Instead of a neighbour: the target is the director itself. */
export const HOP_LOCAL: u32 = 0xffff;

/** The neighbour towards a connection's server, remembered in the connection until routes change. */
export function hopToServer(connection: Connection): u32 {
  refresh(connection);
  if (connection.hopIn == 0 && connection.forward == <u32>Forward.Bypass) {
    connection.hopIn = <u16>wayTo(connection.family, connection.virtual16);
  } else if (connection.hopIn == 0) {
    let server = connection.server16;
    connection.hopIn = <u16>(isOwn(server) ? HOP_LOCAL : wayTo(connection.serverFamily, server));
  }
  return connection.hopIn;
}

export function hopToClient(connection: Connection): u32 {
  refresh(connection);
  if (connection.hopOut == 0) connection.hopOut = <u16>wayTo(connection.family, connection.client16);
  return connection.hopOut;
}

/** Bytes that the way to a connection's server carries; to the target itself, where no server is. */
export function mtuToServer(connection: Connection, hop: u32): u32 {
  let mtu = hopMtu(hop);
  if (connection.forward == <u32>Forward.Bypass) return pathMtu(connection.virtual16, mtu);
  let known = pathMtu(connection.server16, mtu);
  return connection.forward == <u32>Forward.Direct && keepsWay(connection, hop, known == mtu) ? mtu : known;
}

/**
 * True for an IPv4 server of direct routing on our own link that was first reached before anybody told what its way carries: it keeps
 * that way until it is edited. All others share their ways (as the kernel: recording path_mtu4_direct).
 */
function keepsWay(connection: Connection, hop: u32, isWide: bool): bool {
  if (connection.server == 0 || connection.serverFamily != 4) return false;
  let server = Server.at(connection.server);
  if ((server.flags & <u32>ServerFlag.Reached) == 0) {
    let flags = <u32>ServerFlag.Reached;
    if (isWide && sameAddress(neighborAt(hop), server.address)) flags |= <u32>ServerFlag.KeepsWay;
    lock();
    server.flags |= flags;
    unlock();
  }
  return (server.flags & <u32>ServerFlag.KeepsWay) != 0;
}

function refresh(connection: Connection): void {
  let generation = load<u32>(CONTROL_BASE, CONTROL_ROUTE_GENERATION);
  if (connection.generation == generation) return;
  connection.generation = generation;
  connection.hopIn = 0;
  connection.hopOut = 0;
}

/**
 * Bytes of the largest IP packet this frame puts on the wire: of one segment, for a super-frame; of the largest
 * piece, for an IPv6 datagram that came in pieces. IPv4 counts the whole, as the kernel does.
 */
export function wireBytes(packet: Packet): u32 {
  if (packet.family == 6 && packet.has(PacketFlag.Reassembled)) return largestPiece(packet);
  if (!packet.has(PacketFlag.Segments)) return packet.ipBytes;
  let header = packet.protocol == <u8>Protocol.Tcp ? (<u32>load<u8>(packet.l4, 12) >> 4) << 2 : 8;
  return packet.l4 - packet.l3 + header + packet.segmentBytes;
}

export function mayNotFragment(packet: Packet): bool {
  return packet.family == 6 || (load<u8>(packet.l3, 6) & 0x40) != 0;
}

/** Tells the sender that a hop's MTU is too small for what it may not have cut. */
export function refuseSize(packet: Packet, mtu: u32): void {
  if (packet.family == 4) tellOnWay4(packet, 3, 4, mtu);
  else sendIcmpv6Error(packet, 2, 0, mtu);
  drop(DropReason.TooBig);
}

/** Answers time exceeded; the packet goes no further. */
export function refuseHops(packet: Packet): void {
  if (packet.family == 4) tellOnWay4(packet, 11, 0, 0);
  else sendIcmpv6Error(packet, 3, 0, 0);
  drop(DropReason.TimeToLive);
}

/** One hop less. The IPv4 header's checksum follows. */
export function takeHop(packet: Packet): void {
  if (packet.family == 6) {
    store<u8>(packet.l3, load<u8>(packet.l3, 7) - 1, 7);
    return;
  }
  oneHopLess(packet.l3);
}

/** One hop back, for a packet that has been made a server's and goes no further. */
export function giveHop(packet: Packet): void {
  if (packet.family == 6) {
    store<u8>(packet.l3, load<u8>(packet.l3, 7) + 1, 7);
    return;
  }
  store<u8>(packet.l3, load<u8>(packet.l3, 8) + 1, 8);
  store<u16>(packet.l3, 0, 10);
  store<u16>(packet.l3, <u16>checksum(packet.l3, packet.l4 - packet.l3), 10);
}

/**
 * An IPv4 header with one hop less. The hop is the low byte of its word, so its checksum rises by one; of
 * the two zeros it becomes 0x0000 and never 0xffff, as a fresh sum would (RFC 1624 section 3).
 */
export function oneHopLess(header: usize): void {
  store<u8>(header, load<u8>(header, 8) - 1, 8);
  let checksum = <u32>load<u16>(header, 10) + 1;
  store<u16>(header, <u16>(checksum + (checksum >= 0xffff ? 1 : 0)), 10);
}
