// Datagrams that come in pieces: put together before a connection is looked for. The sizes they came in are
// kept, so that they can leave so again (as the kernel: recordings udp_icmp, dr).
//
// Record:   0 id | 4 protocol, family, flags | 8 created ms | 12 payload bytes so far | 16 source | 32 target
//          48 payload bytes in all (0: last piece not seen) | 52 pieces | 56 header bytes | 60 port
//          64 largest piece | 68 IPv6: where in the header the next one is named | 72 order of coming
//          76 IPv4: largest piece that may not be cut | 128 pieces: offset (and JOINED) u16, bytes u16, in order of offset
//        4096 payload; the first piece's header lies right before it

import { CONTROL_BASE, CONTROL_DATAGRAM_ORDER, REASSEMBLIES_BASE, REASSEMBLY_BYTES, SLOT_HEADROOM, STATE_DATAGRAMS } from "../abi/layout";
import { DropReason, Protocol } from "../abi/enums";
import { FRAGMENTS_MAX, REASSEMBLIES_MAX } from "../abi/limits";
import { lock, now, state, unlock, worker } from "../memory";
import { drop } from "../stats";
import { seal4 } from "../wire/checksum";
import { copyAddress, get16, sameAddress, set16 } from "../wire/field";
import { Packet, PacketFlag } from "./packet";

const RECORD_BYTES: usize = 12;
const RECORD_TOTAL: usize = 48;
export const RECORD_PIECES: usize = 52;
export const RECORD_HEADER_BYTES: usize = 56;
const RECORD_PORT: usize = 60;
export const RECORD_LARGEST: usize = 64;
export const RECORD_NEXT_AT: usize = 68;
const RECORD_ORDER: usize = 72;
const RECORD_UNCUT: usize = 76;
export const PIECES: usize = 128;
export const PAYLOAD: usize = 4096;
/** Of IPv6, with each piece. */
export const FRAGMENT_HEADER_BYTES: u32 = 8;
const PAYLOAD_MAX: u32 = 65515;
/** What stands before the payload beside the list of pieces: headers longer than a common frame, and what may be put before them. */
const HEADERS_MAX: u32 = <u32>PAYLOAD - <u32>PIECES - (FRAGMENTS_MAX << 2) - SLOT_HEADROOM - FRAGMENT_HEADER_BYTES;
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
/** Instead of family and protocol: the datagram is whole, and a worker (its number plus one) still needs the record. */
export const IN_USE: u32 = 0x40000000;
/** Nobody's yet: the record is on its way to the connection's worker. */
const UNDERWAY: u32 = IN_USE | 0xff;

export function recordAt(index: u32): usize {
  return <usize>REASSEMBLIES_BASE + <usize>index * REASSEMBLY_BYTES;
}

export const TRACKED: u32 = 0x10000;
function keyOf(packet: Packet): u32 {
  return 0x80000000 | (packet.has(PacketFlag.Tracked) ? TRACKED : 0) | (<u32>packet.family << 8) | <u32>packet.protocol;
}

/** The record of this packet's datagram, 0 when there is none. */
function known(packet: Packet): usize {
  let key = keyOf(packet);
  for (let index: u32 = 0; index < REASSEMBLIES_MAX; index++) {
    let record = recordAt(index);
    if (load<u32>(record, 4) == key && load<u32>(record) == packet.fragmentId &&
      sameAddress(record + 16, packet.source) && sameAddress(record + 32, packet.target)) return record;
  }
  return 0;
}

/** The record of this packet's datagram; a new one takes a free place, or the oldest. 0 when all are in use. */
function find(packet: Packet): usize {
  let record = known(packet);
  if (record != 0) return record;
  let oldest: usize = 0;
  for (let index: u32 = 0; index < REASSEMBLIES_MAX; index++) {
    record = recordAt(index);
    if (load<u32>(record, 4) & IN_USE) continue;
    if (oldest == 0) oldest = record;
    else if (load<u32>(oldest, 4) != 0 && (load<u32>(record, 4) == 0 || isBefore(record, oldest))) oldest = record;
  }
  if (oldest == 0 || load<u32>(oldest, 4) != 0) drop(DropReason.ReassemblyFull);
  if (oldest == 0) return 0;
  memory.fill(oldest, 0, PIECES);
  store<u32>(oldest, packet.fragmentId);
  store<u32>(oldest, keyOf(packet), 4);
  store<u32>(oldest, now, 8);
  copyAddress(oldest + 16, packet.source);
  copyAddress(oldest + 32, packet.target);
  let order = load<u32>(CONTROL_BASE, CONTROL_DATAGRAM_ORDER) + 1;
  store<u32>(CONTROL_BASE, order, CONTROL_DATAGRAM_ORDER);
  store<u32>(oldest, order, RECORD_ORDER);
  return oldest;
}

/** True when the first piece of one record's datagram came before the other's. */
export function isBefore(record: usize, other: usize): bool {
  return <i32>(load<u32>(record, RECORD_ORDER) - load<u32>(other, RECORD_ORDER)) < 0;
}

/** Takes a fragment in, of whatever worker. Where `joinsAll`, an odd one spoils its datagram (recording odd_pieces6). */
export function reassemble(packet: Packet, joinsAll: bool): Joining {
  lock();
  let joining = takeIn(packet, joinsAll);
  unlock();
  return joining;
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
  if (joinsAll) spoil(known(packet));
  return packet.fragmentOffset == 0 ? Joining.First : Joining.Odd;
}

/** Nothing comes of this datagram any more. */
function spoil(record: usize): void {
  if (record != 0) store<u32>(record, 0, 4);
}

function takeIn(packet: Packet, joinsAll: bool): Joining {
  let odd = packet.family == 6 ? oddity(packet, joinsAll) : Joining.Waits;
  if (odd != Joining.Waits) return odd;
  let offset = packet.fragmentOffset;
  let bytes = packet.end - packet.l4;
  // What an IPv4 piece before others has beyond a multiple of eight is cut off (as the kernel: recording odd_pieces).
  if (packet.family == 4 && packet.moreFragments != 0) bytes &= ~7;
  if (bytes == 0 || offset + bytes > PAYLOAD_MAX || headerBytesOf(packet) > HEADERS_MAX) {
    if (bytes == 0 && packet.family == 4) spoil(known(packet));
    drop(DropReason.FragmentBad);
    return Joining.Waits;
  }
  let record = find(packet);
  if (record == 0 || !note(record, offset, bytes, packet.moreFragments == 0, packet.family)) return Joining.Waits;
  keep(record, packet, bytes);
  let total = load<u32>(record, RECORD_TOTAL);
  let headerBytes = load<u32>(record, RECORD_HEADER_BYTES);
  if (total == 0 || load<u32>(record, RECORD_BYTES) < total || headerBytes == 0) return Joining.Waits;
  if (headerBytes + total > LENGTH_MAX + (packet.family == 6 ? IPV6_BYTES : 0)) {
    spoil(record);
    drop(DropReason.FragmentBad);
    return Joining.Waits;
  }
  complete(packet, record, total);
  return Joining.Whole;
}

/** Bytes of a piece's header without what makes it a piece. */
function headerBytesOf(packet: Packet): u32 {
  return packet.family == 6 ? packet.fragmentHeader - packet.l3 : packet.l4 - packet.l3;
}

/** Copies what a piece carries, of the first its header too, and remembers how large it was. */
function keep(record: usize, packet: Packet, bytes: u32): void {
  let headerBytes = headerBytesOf(packet);
  memory.copy(record + PAYLOAD + packet.fragmentOffset, packet.l4, bytes);
  store<u32>(record, load<u32>(record, RECORD_BYTES) + bytes, RECORD_BYTES);
  store<u32>(record, packet.port, RECORD_PORT);
  let pieceBytes = bytes + headerBytes + (packet.family == 6 ? FRAGMENT_HEADER_BYTES : 0);
  if (pieceBytes > load<u32>(record, RECORD_LARGEST)) store<u32>(record, pieceBytes, RECORD_LARGEST);
  let isUncut = packet.family == 4 && (load<u8>(packet.l3, 6) & 0x40) != 0;
  if (isUncut && pieceBytes > load<u32>(record, RECORD_UNCUT)) store<u32>(record, pieceBytes, RECORD_UNCUT);
  if (packet.fragmentOffset != 0) return;
  store<u32>(record, headerBytes, RECORD_HEADER_BYTES);
  memory.copy(record + PAYLOAD - headerBytes, packet.l3, headerBytes);
  if (packet.family == 4) return;
  store<u8>(record + PAYLOAD - headerBytes + packet.previousNext - packet.l3, packet.protocol);
  store<u32>(record, packet.previousNext - packet.l3, RECORD_NEXT_AT);
}

/** A piece that came behind all others, and follows on the one before it: in the lowest bit of its offset, a multiple of eight. */
const JOINED: u32 = 1;

/** Where a filed piece begins. */
export function pieceFrom(record: usize, place: u32): u32 {
  return <u32>load<u16>(record + PIECES + (<usize>place << 2)) & ~JOINED;
}

function isJoined(record: usize, place: u32): bool {
  return (<u32>load<u16>(record + PIECES + (<usize>place << 2)) & JOINED) != 0;
}

function pieceUntil(record: usize, place: u32): u32 {
  return pieceFrom(record, place) + <u32>load<u16>(record + PIECES + (<usize>place << 2), 2);
}

/**
 * Files a piece in order of offset. What is there already is left out; any other overlap spoils the whole datagram (RFC
 * 5722, and for IPv4 too). A piece that contradicts where the datagram ends spoils an IPv4 one (recording odd_pieces).
 */
function note(record: usize, offset: u32, bytes: u32, last: bool, family: u32): bool {
  let count = load<u32>(record, RECORD_PIECES);
  let total = load<u32>(record, RECORD_TOTAL);
  let until = offset + bytes;
  let reach: u32 = count == 0 ? 0 : pieceUntil(record, count - 1);
  if (count == FRAGMENTS_MAX || (total != 0 ? until > total || (last && until != total) : last && until < reach)) {
    if (family == 4 || count == FRAGMENTS_MAX) spoil(record);
    drop(DropReason.FragmentBad);
    return false;
  }
  if (last) store<u32>(record, until, RECORD_TOTAL);
  let place: u32 = 0;
  while (place < count && pieceUntil(record, place) <= offset) place++;
  if (place < count && pieceFrom(record, place) < until) {
    if (!isThere(record, place, count, offset, until)) spoil(record);
    drop(DropReason.FragmentOverlap);
    return false;
  }
  memory.copy(record + PIECES + ((place + 1) << 2), record + PIECES + (place << 2), (count - place) << 2);
  let follows = place == count && count != 0 && reach == offset;
  store<u16>(record + PIECES + (place << 2), <u16>(follows ? offset | JOINED : offset));
  store<u16>(record + PIECES + (place << 2), <u16>bytes, 2);
  store<u32>(record, count + 1, RECORD_PIECES);
  return true;
}

/**
 * True when pieces that came one behind the other, from `place` on, hold all bytes of another. Those that only touch do not
 * count together (as the kernel: recording pieces_there).
 */
function isThere(record: usize, place: u32, count: u32, offset: u32, until: u32): bool {
  if (pieceFrom(record, place) > offset) return false;
  let reach = pieceUntil(record, place);
  while (++place < count && isJoined(record, place)) reach = pieceUntil(record, place);
  return until <= reach;
}

/** Turns the packet into the whole datagram, which lies in the record and may be sent from there. */
function complete(packet: Packet, record: usize, total: u32): void {
  let headerBytes = load<u32>(record, RECORD_HEADER_BYTES);
  let l3 = <u32>record + <u32>PAYLOAD - headerBytes;
  packet.frame = l3 - 14;
  packet.l3 = l3;
  packet.l4 = <u32>record + <u32>PAYLOAD;
  packet.end = packet.l4 + total;
  packet.bytes = packet.end - packet.frame;
  packet.reassembly = <u32>record;
  packet.fragmentOffset = 0;
  packet.flags &= ~(<u32>PacketFlag.Fragment | <u32>PacketFlag.Partial);
  packet.set(PacketFlag.Reassembled);
  store<u16>(packet.frame, packet.family == 4 ? 0x0008 : 0xdd86, 12);
  if (packet.family == 4) {
    set16(l3 + 2, headerBytes + total);
    // It may not be cut when its largest piece may not.
    store<u16>(l3, load<u32>(record, RECORD_UNCUT) == load<u32>(record, RECORD_LARGEST) ? 0x0040 : 0, 6);
    seal4(l3, headerBytes);
  } else {
    set16(l3 + 4, headerBytes - 40 + total);
  }
  keepDatagram(record);
}

/** A whole datagram is this worker's until its next batch: frames of it may have to be sent. */
export function keepDatagram(record: usize): void {
  store<u32>(record, IN_USE | (worker + 1), 4);
  store<u32>(state, 1, STATE_DATAGRAMS);
}

/** A whole datagram goes on to another worker. */
export function passDatagram(record: usize): void {
  store<u32>(record, UNDERWAY, 4);
}

/** The last batch is over: the records of its whole datagrams may be taken anew. */
export function releaseDatagrams(): void {
  if (load<u32>(state, STATE_DATAGRAMS) == 0) return;
  store<u32>(state, 0, STATE_DATAGRAMS);
  for (let index: u32 = 0; index < REASSEMBLIES_MAX; index++) {
    let record = recordAt(index);
    if (load<u32>(record, 4) == (IN_USE | (worker + 1))) store<u32>(record, 0, 4);
  }
}
