// The sizes that a datagram's pieces came in, as long as it is to leave in pieces again.

import { Datagram } from "./datagram";
import { Packet, PacketFlag } from "./packet";

/** The least that any path of a family carries (RFC 791 section 3.2, RFC 8200 section 5). */
export const MTU4_MIN: u32 = 68;
export const MTU6_MIN: u32 = 1280;
const PIECE_HEADERS6_BYTES: u32 = 48;

function datagramOf(packet: Packet): Datagram {
  return changetype<Datagram>(<usize>packet.reassembly);
}

/** Keeps of a datagram's pieces only how long the longest was: it has got another header. */
export function forgetPieces(packet: Packet): void {
  if (packet.has(PacketFlag.Reassembled)) datagramOf(packet).pieces = 0;
}

/** The pieces' MTU when they are cut anew: that of the longest they came in, or what every path carries. */
export function recutMtu(packet: Packet): u32 {
  return packet.family == 6 ? max(largestPiece(packet), MTU6_MIN) : largestPiece(packet);
}

/** Bytes that the first piece of an IPv6 packet may have. */
export function firstPieceRoom6(packet: Packet): u32 {
  return recutMtu(packet) - PIECE_HEADERS6_BYTES;
}

/** A packet has got so many more bytes before its payload. The first piece takes them; false when it has no room for them. */
export function growPieces(packet: Packet, bytes: u32, roomBytes: u32): bool {
  let datagram = datagramOf(packet);
  let count = datagram.pieces;
  let first = pieceBytes(packet, 0) + bytes;
  if (count == 1 || (bytes & 7) != 0 || first > roomBytes) return false;
  store<u16>(datagram.piece(0), <u16>first, 2);
  for (let piece: u32 = 1; piece < count; piece++) {
    let at = datagram.piece(piece);
    store<u16>(at, <u16>(<u32>load<u16>(at) + bytes));
  }
  return true;
}

/** True when the pieces were of IPv4, whatever they travel in now. */
export function cameAsIpv4(packet: Packet): bool {
  let source = datagramOf(packet).source;
  return load<u64>(source) == 0 && load<u32>(source, 8) == 0xffff0000;
}

/** How a reassembled packet came: so many pieces, each with offset and bytes. */
export function pieceCount(packet: Packet): u32 {
  return datagramOf(packet).pieces;
}

export function pieceOffset(packet: Packet, piece: u32): u32 {
  return datagramOf(packet).from(piece);
}

export function pieceBytes(packet: Packet, piece: u32): u32 {
  return load<u16>(datagramOf(packet).piece(piece), 2);
}

/** Bytes of the largest packet it came in. */
export function largestPiece(packet: Packet): u32 {
  return datagramOf(packet).largest;
}
