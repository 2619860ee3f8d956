// The record of a datagram that comes in pieces: whose it is, what has come of it, and which worker needs it still.

import { CONTROL_BASE, CONTROL_DATAGRAM_ORDER, REASSEMBLIES_BASE, REASSEMBLY_BYTES, STATE_DATAGRAMS } from "../abi/layout";
import { DropReason } from "../abi/enums";
import { REASSEMBLIES_MAX } from "../abi/limits";
import { now, state, worker } from "../memory";
import { drop } from "../stats";
import { copyAddress, sameAddress } from "../wire/field";
import { Packet, PacketFlag } from "./packet";

/** Where the list of pieces begins: of each its offset (and JOINED) as u16, its bytes as u16, in order of offset. */
export const PIECES: u32 = 128;
/** Where the payload begins; the first piece's header lies right before it. */
export const PAYLOAD: u32 = 4096;
/** A piece that came behind all others, and follows on the one before it: in the lowest bit of its offset, a multiple of eight. */
export const JOINED: u32 = 1;

@unmanaged
export class Datagram {
  id: u32; //              0  what its pieces have in common
  /** Protocol, family and flags; 0 of a free record. */
  key: u32; //             4
  createdMs: u32; //       8
  bytes: u32; //          12  of payload so far
  sourceHigh: u64; //     16
  sourceLow: u64; //      24
  targetHigh: u64; //     32
  targetLow: u64; //      40
  totalBytes: u32; //     48  of payload in all; 0: the last piece has not been seen
  pieces: u32; //         52
  headerBytes: u32; //    56  0: the first piece has not been seen
  port: u32; //           60
  largest: u32; //        64  bytes of the largest piece
  nextAt: u32; //         68  IPv6: where in the header the next one is named
  order: u32; //          72  of coming
  uncut: u32; //          76  IPv4: bytes of the largest piece that may not be cut

  static at(index: u32): Datagram {
    return changetype<Datagram>(<usize>REASSEMBLIES_BASE + <usize>index * REASSEMBLY_BYTES);
  }
  private get base(): usize {
    return changetype<usize>(this);
  }
  get source(): usize {
    return this.base + offsetof<Datagram>("sourceHigh");
  }
  get target(): usize {
    return this.base + offsetof<Datagram>("targetHigh");
  }
  get protocol(): u32 {
    return this.key & 0xff;
  }
  get family(): u32 {
    return (this.key >> 8) & 0xff;
  }
  get payload(): usize {
    return this.base + PAYLOAD;
  }
  /** Where the first piece's header begins. */
  get header(): usize {
    return this.payload - this.headerBytes;
  }
  /** Where a piece stands in the list. */
  piece(place: u32): usize {
    return this.base + PIECES + (<usize>place << 2);
  }
  /** Where a filed piece begins, in the payload. */
  from(place: u32): u32 {
    return <u32>load<u16>(this.piece(place)) & ~JOINED;
  }
  until(place: u32): u32 {
    return this.from(place) + <u32>load<u16>(this.piece(place), 2);
  }
  isJoined(place: u32): bool {
    return (<u32>load<u16>(this.piece(place)) & JOINED) != 0;
  }
  /** True when this one's first piece came before the other's. */
  isBefore(other: Datagram): bool {
    return <i32>(this.order - other.order) < 0;
  }
  /** Nothing comes of it any more. */
  free(): void {
    this.key = 0;
  }
}
if (offsetof<Datagram>() > PIECES) ERROR("Datagram reaches into its list of pieces");

// Flags of a key.
const TAKEN: u32 = 0x80000000;
/** All fragments are put together at the door. */
export const TRACKED: u32 = 0x10000;
/** Instead of family and protocol: the datagram is whole, and a worker (its number plus one) still needs the record. */
export const IN_USE: u32 = 0x40000000;
/** Nobody's yet: the record is on its way to the connection's worker. */
const UNDERWAY: u32 = IN_USE | 0xff;

function keyOf(packet: Packet): u32 {
  return TAKEN | (packet.has(PacketFlag.Tracked) ? TRACKED : 0) | (<u32>packet.family << 8) | <u32>packet.protocol;
}

/** The record of this packet's datagram, 0 when there is none. */
export function knownDatagram(packet: Packet): usize {
  let key = keyOf(packet);
  for (let index: u32 = 0; index < REASSEMBLIES_MAX; index++) {
    let datagram = Datagram.at(index);
    if (datagram.key == key && datagram.id == packet.fragmentId &&
      sameAddress(datagram.source, packet.source) && sameAddress(datagram.target, packet.target)) return changetype<usize>(datagram);
  }
  return 0;
}

/** The record of this packet's datagram; a new one takes a free place, or the oldest. 0 when all are in use. */
export function findDatagram(packet: Packet): usize {
  let known = knownDatagram(packet);
  if (known != 0) return known;
  let place = freePlace();
  if (place == 0 || changetype<Datagram>(place).key != 0) drop(DropReason.ReassemblyFull);
  if (place == 0) return 0;
  memory.fill(place, 0, PIECES);
  let datagram = changetype<Datagram>(place);
  datagram.id = packet.fragmentId;
  datagram.key = keyOf(packet);
  datagram.createdMs = now;
  copyAddress(datagram.source, packet.source);
  copyAddress(datagram.target, packet.target);
  datagram.order = load<u32>(CONTROL_BASE, CONTROL_DATAGRAM_ORDER) + 1;
  store<u32>(CONTROL_BASE, datagram.order, CONTROL_DATAGRAM_ORDER);
  return place;
}

/** A free record, else the oldest that no worker needs; 0 when every one is needed. */
function freePlace(): usize {
  let oldest: usize = 0;
  for (let index: u32 = 0; index < REASSEMBLIES_MAX; index++) {
    let datagram = Datagram.at(index);
    if (datagram.key == 0) return changetype<usize>(datagram);
    if ((datagram.key & IN_USE) == 0 && (oldest == 0 || datagram.isBefore(changetype<Datagram>(oldest)))) oldest = changetype<usize>(datagram);
  }
  return oldest;
}

/** A whole datagram is this worker's until its next batch: frames of it may have to be sent. */
export function keepDatagram(record: usize): void {
  changetype<Datagram>(record).key = IN_USE | (worker + 1);
  store<u32>(state, 1, STATE_DATAGRAMS);
}

/** A whole datagram goes on to another worker. */
export function passDatagram(record: usize): void {
  changetype<Datagram>(record).key = UNDERWAY;
}

/** The last batch is over: the records of its whole datagrams may be taken anew. */
export function releaseDatagrams(): void {
  if (load<u32>(state, STATE_DATAGRAMS) == 0) return;
  store<u32>(state, 0, STATE_DATAGRAMS);
  for (let index: u32 = 0; index < REASSEMBLIES_MAX; index++) {
    let datagram = Datagram.at(index);
    if (datagram.key == (IN_USE | (worker + 1))) datagram.free();
  }
}
