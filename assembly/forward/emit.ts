// The last step of every forwarded packet: it fits its port or is cut, and goes to its neighbour.

import {
  CONTROL_BASE, CONTROL_ROUTE_GENERATION, NEIGHBORS_BASE, NEIGHBOR_BYTES, NEIGHBOR_CHANNEL, NEIGHBOR_MTU,
} from "../abi/layout";
import { DropReason, Forward, FrameFlag, PortFlag, Protocol } from "../abi/enums";
import { sendIcmpError } from "../answer/icmp";
import { sendIcmpv6Error } from "../answer/icmpv6";
import { Connection } from "../connection/connection";
import { isLocal } from "../link/local";
import { nextHop } from "../link/route";
import { transmit } from "../link/neighbor";
import { Packet, PacketFlag } from "../packet/packet";
import { largestPiece, sendPieces } from "../packet/fragment";
import { drop } from "../stats";
import { fold64, sum } from "../wire/checksum";
import { sendSegments } from "./segment";

/** Instead of a neighbour: the target is the director itself. */
export const HOP_LOCAL: u32 = 0xffff;

/** The neighbour towards a connection's server, remembered in the connection until routes change. */
export function hopToServer(connection: Connection): u32 {
  refresh(connection);
  if (connection.hopIn == 0 && connection.forward == <u32>Forward.Bypass) {
    connection.hopIn = <u16>nextHop(connection.family, connection.virtual16);
  } else if (connection.hopIn == 0) {
    let family: u32 = load<u64>(connection.server16) == 0 && load<u32>(connection.server16, 8) == 0xffff0000 ? 4 : 6;
    connection.hopIn = <u16>(isLocal(connection.server16) ? HOP_LOCAL : nextHop(family, connection.server16));
  }
  return connection.hopIn;
}

export function hopToClient(connection: Connection): u32 {
  refresh(connection);
  if (connection.hopOut == 0) connection.hopOut = <u16>nextHop(connection.family, connection.client16);
  return connection.hopOut;
}

function refresh(connection: Connection): void {
  let generation = load<u32>(CONTROL_BASE, CONTROL_ROUTE_GENERATION);
  if (connection.generation == generation) return;
  connection.generation = generation;
  connection.hopIn = 0;
  connection.hopOut = 0;
}

function neighborAt(hop: u32): usize {
  return <usize>NEIGHBORS_BASE + <usize>hop * NEIGHBOR_BYTES;
}

export function hopMtu(hop: u32): u32 {
  return load<u32>(neighborAt(hop), NEIGHBOR_MTU);
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
  if (packet.family == 4) sendIcmpError(packet, 3, 4, mtu);
  else sendIcmpv6Error(packet, 2, 0, mtu);
  drop(DropReason.TooBig);
}

/** Answers time exceeded; the packet goes no further. */
export function refuseHops(packet: Packet): void {
  if (packet.family == 4) sendIcmpError(packet, 11, 0, 0);
  else sendIcmpv6Error(packet, 3, 0, 0);
  drop(DropReason.TimeToLive);
}

/** One hop less. The IPv4 header's checksum follows. */
export function takeHop(packet: Packet): void {
  if (packet.family == 6) {
    store<u8>(packet.l3, load<u8>(packet.l3, 7) - 1, 7);
    return;
  }
  store<u8>(packet.l3, load<u8>(packet.l3, 8) - 1, 8);
  let checksum = <u32>load<u16>(packet.l3, 10) + 1;
  store<u16>(packet.l3, <u16>(checksum + (checksum >> 16)), 10);
}

/** Sends a packet to a neighbour. Sizes that may not be cut have been refused before. */
export function emit(packet: Packet, hop: u32): void {
  let channel = load<u32>(neighborAt(hop), NEIGHBOR_CHANNEL);
  if (packet.has(PacketFlag.Segments) && (channel & <u32>PortFlag.Segments) == 0) return sendSegments(packet, hop);
  if (packet.has(PacketFlag.Partial) && (channel & <u32>PortFlag.Vnet) == 0) completeChecksum(packet);
  if (packet.has(PacketFlag.Reassembled) || wireBytes(packet) > hopMtu(hop)) return sendPieces(packet, hop);
  if (channel & <u32>PortFlag.Vnet) {
    writeVirtio(packet);
    transmit(hop, packet.frame, packet.end - packet.frame, <u32>FrameFlag.Vnet);
  } else {
    transmit(hop, packet.frame, packet.end - packet.frame, 0);
  }
}

/** Puts the virtio header before the frame, wherever encapsulation has moved it. */
export function writeVirtio(packet: Packet): void {
  let header = <usize>packet.frame - 10;
  if (!packet.has(PacketFlag.Partial)) {
    store<u64>(header, 0);
    store<u16>(header, 0, 8);
    return;
  }
  store<u8>(header, 1);
  store<u8>(header, <u8>packet.segmentType, 1);
  let tcp = packet.protocol == <u8>Protocol.Tcp;
  let transport = packet.l4 - packet.frame;
  let headerBytes = transport + (tcp ? (<u32>load<u8>(packet.l4, 12) >> 4) << 2 : 8);
  store<u16>(header, <u16>headerBytes, 2);
  store<u16>(header, packet.segmentType != 0 ? packet.segmentBytes : 0, 4);
  store<u16>(header, <u16>transport, 6);
  store<u16>(header, tcp ? 16 : 6, 8);
}

/** Finishes a checksum that the sender's kernel only began: the pseudo-header's sum is in the field. */
export function completeChecksum(packet: Packet): void {
  let field = <usize>packet.l4 + (packet.protocol == <u8>Protocol.Tcp ? 16 : 6);
  let value = ~fold64(sum(packet.l4, packet.end - packet.l4)) & 0xffff;
  if (value == 0 && packet.protocol == <u8>Protocol.Udp) value = 0xffff;
  store<u16>(field, <u16>value);
  packet.flags &= ~(<u32>PacketFlag.Partial);
}
