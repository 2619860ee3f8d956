// Datagrams that come in pieces: put together before a connection is looked for. The sizes they came in are
// kept, so that they can leave so again (as the kernel: recordings udp_icmp, dr).

import { SLOT_HEADROOM } from "../abi/layout";
import { DropReason, Protocol } from "../abi/enums";
import { FRAGMENTS_MAX } from "../abi/limits";
import { lock, unlock } from "../memory";
import { drop } from "../stats";
import { seal4 } from "../wire/checksum";
import { set16 } from "../wire/field";
import { Datagram, findDatagram, JOINED, keepDatagram, knownDatagram, PAYLOAD, PIECES } from "./datagram";
import { Packet, PacketFlag } from "./packet";

/** Of IPv6, with each piece. */
export const FRAGMENT_HEADER_BYTES: u32 = 8;
const PAYLOAD_MAX: u32 = 65515;
/** What stands before the payload beside the list of pieces: headers longer than a common frame, and what may be put before them. */
const HEADERS_MAX: u32 = PAYLOAD - PIECES - (FRAGMENTS_MAX << 2) - SLOT_HEADROOM - FRAGMENT_HEADER_BYTES;
/** The most that a length field of IP can say. */
const LENGTH_MAX: u32 = 65535;
const IPV6_BYTES: u32 = 40;
/** The last byte that a fragment header can speak of lies before this. */
const REACH_MAX: u32 = 65535;

/** What became of a piece. */
export enum Joining {
  /** It waits for the others, or was dropped and counted. */
  Waits = 0,
  /** The packet is the whole datagram now. */
  Whole = 1,
  /** It can be no part of a datagram: an IPv6 one that goes on as it is (recording odd_pieces6). */
  Odd = 2,
  /** An IPv6 first piece of an odd length: IPVS serves it as if it were whole (recording odd_first_piece6). */
  First = 3,
}

/** Takes a fragment in, of whatever worker. Where `joinsAll`, an odd one spoils its datagram (recording odd_pieces6). */
export function reassemble(packet: Packet, joinsAll: bool): Joining {
  lock();
  let joining = takeIn(packet, joinsAll);
  unlock();
  return joining;
}

function takeIn(packet: Packet, joinsAll: bool): Joining {
  let odd = packet.family == 6 ? oddity(packet, joinsAll) : Joining.Waits;
  if (odd != Joining.Waits) return odd;
  let offset = packet.fragmentOffset;
  let bytes = packet.end - packet.l4;
  // What an IPv4 piece before others has beyond a multiple of eight is cut off (as the kernel: recording odd_pieces).
  if (packet.family == 4 && packet.moreFragments != 0) bytes &= ~7;
  if (bytes == 0 || offset + bytes > PAYLOAD_MAX || headerBytesOf(packet) > HEADERS_MAX) {
    if (bytes == 0 && packet.family == 4) spoil(knownDatagram(packet));
    drop(DropReason.FragmentBad);
    return Joining.Waits;
  }
  let record = findDatagram(packet);
  let datagram = changetype<Datagram>(record);
  if (record == 0 || !note(datagram, offset, bytes, packet.moreFragments == 0, packet.family)) return Joining.Waits;
  keep(datagram, packet, bytes);
  let totalBytes = datagram.totalBytes;
  let headerBytes = datagram.headerBytes;
  if (totalBytes == 0 || datagram.bytes < totalBytes || headerBytes == 0) return Joining.Waits;
  if (headerBytes + totalBytes > LENGTH_MAX + (packet.family == 6 ? IPV6_BYTES : 0)) {
    datagram.free();
    drop(DropReason.FragmentBad);
    return Joining.Waits;
  }
  complete(packet, datagram);
  return Joining.Whole;
}

/** True when an IPv6 first piece has all of the upper header it names (RFC 8200 section 4.5). */
export function holdsHeader(packet: Packet): bool {
  let bytes = packet.end - packet.l4;
  if (packet.protocol == <u8>Protocol.Tcp) return bytes >= 20;
  if (packet.protocol == <u8>Protocol.Udp || packet.protocol == <u8>Protocol.Icmpv6) return bytes >= 8;
  return bytes != 0;
}

/** True for a piece that reaches further than any packet does. */
export function reachesTooFar(packet: Packet): bool {
  return packet.fragmentOffset + (packet.end - packet.l4) > REACH_MAX;
}

/** What an IPv6 piece is that can be no part of a datagram; Waits for one that can. */
function oddity(packet: Packet, joinsAll: bool): Joining {
  if (reachesTooFar(packet) || (packet.fragmentOffset == 0 && !holdsHeader(packet))) return Joining.Odd;
  if (packet.moreFragments == 0 || ((packet.end - packet.l4) & 7) == 0) return Joining.Waits;
  if (joinsAll) spoil(knownDatagram(packet));
  return packet.fragmentOffset == 0 ? Joining.First : Joining.Odd;
}

/** Nothing comes of this datagram any more, if there is one. */
function spoil(record: usize): void {
  if (record != 0) changetype<Datagram>(record).free();
}

/** Bytes of a piece's header without what makes it a piece. */
function headerBytesOf(packet: Packet): u32 {
  return packet.family == 6 ? packet.fragmentHeader - packet.l3 : packet.l4 - packet.l3;
}

/**
 * Files a piece in order of offset. What is there already is left out; any other overlap spoils the whole datagram (RFC
 * 5722, and for IPv4 too). A piece that contradicts where the datagram ends spoils an IPv4 one (recording odd_pieces).
 */
function note(datagram: Datagram, offset: u32, bytes: u32, last: bool, family: u32): bool {
  let count = datagram.pieces;
  let totalBytes = datagram.totalBytes;
  let until = offset + bytes;
  let reach: u32 = count == 0 ? 0 : datagram.until(count - 1);
  if (count == FRAGMENTS_MAX || (totalBytes != 0 ? until > totalBytes || (last && until != totalBytes) : last && until < reach)) {
    if (family == 4 || count == FRAGMENTS_MAX) datagram.free();
    drop(DropReason.FragmentBad);
    return false;
  }
  if (last) datagram.totalBytes = until;
  let place: u32 = 0;
  while (place < count && datagram.until(place) <= offset) place++;
  if (place < count && datagram.from(place) < until) {
    if (!isThere(datagram, place, count, offset, until)) datagram.free();
    drop(DropReason.FragmentOverlap);
    return false;
  }
  memory.copy(datagram.piece(place + 1), datagram.piece(place), (count - place) << 2);
  let follows = place == count && count != 0 && reach == offset;
  store<u16>(datagram.piece(place), <u16>(follows ? offset | JOINED : offset));
  store<u16>(datagram.piece(place), <u16>bytes, 2);
  datagram.pieces = count + 1;
  return true;
}

/**
 * True when pieces that came one behind the other, from `place` on, hold all bytes of another. Those that only touch do not
 * count together (as the kernel: recording pieces_there).
 */
function isThere(datagram: Datagram, place: u32, count: u32, offset: u32, until: u32): bool {
  if (datagram.from(place) > offset) return false;
  let reach = datagram.until(place);
  while (++place < count && datagram.isJoined(place)) reach = datagram.until(place);
  return until <= reach;
}

/** Copies what a piece carries, of the first its header too, and remembers how large it was. */
function keep(datagram: Datagram, packet: Packet, bytes: u32): void {
  let headerBytes = headerBytesOf(packet);
  memory.copy(datagram.payload + packet.fragmentOffset, packet.l4, bytes);
  datagram.bytes += bytes;
  datagram.port = packet.port;
  let pieceBytes = bytes + headerBytes + (packet.family == 6 ? FRAGMENT_HEADER_BYTES : 0);
  if (pieceBytes > datagram.largest) datagram.largest = pieceBytes;
  let isUncut = packet.family == 4 && (load<u8>(packet.l3, 6) & 0x40) != 0;
  if (isUncut && pieceBytes > datagram.uncut) datagram.uncut = pieceBytes;
  if (packet.fragmentOffset != 0) return;
  datagram.headerBytes = headerBytes;
  memory.copy(datagram.header, packet.l3, headerBytes);
  if (packet.family == 4) return;
  datagram.nextAt = packet.previousNext - packet.l3;
  store<u8>(datagram.header + datagram.nextAt, packet.protocol);
}

/** Turns the packet into the whole datagram, which lies in the record and may be sent from there. */
function complete(packet: Packet, datagram: Datagram): void {
  let l3 = <u32>datagram.header;
  packet.frame = l3 - 14;
  packet.l3 = l3;
  packet.l4 = <u32>datagram.payload;
  packet.end = packet.l4 + datagram.totalBytes;
  packet.bytes = packet.end - packet.frame;
  packet.reassembly = <u32>changetype<usize>(datagram);
  packet.fragmentOffset = 0;
  packet.flags &= ~(<u32>PacketFlag.Fragment | <u32>PacketFlag.Partial);
  packet.set(PacketFlag.Reassembled);
  store<u16>(packet.frame, packet.family == 4 ? 0x0008 : 0xdd86, 12);
  if (packet.family == 4) {
    set16(l3 + 2, packet.end - l3);
    // It may not be cut when its largest piece may not.
    store<u16>(l3, datagram.uncut == datagram.largest ? 0x0040 : 0, 6);
    seal4(l3, datagram.headerBytes);
  } else {
    set16(l3 + 4, packet.end - l3 - IPV6_BYTES);
    packet.previousNext = l3 + datagram.nextAt;
  }
  keepDatagram(packet.reassembly);
}
