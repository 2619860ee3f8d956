// A frame that reached another worker than its connection's is copied into the ring between the two, and its slot
// is free at once. The owner sends it from the ring, so what it has read is given back with its next batch.

import {
  ENTRY_BYTES, ENTRY_FRAME, ENTRY_PORT, HANDED_ASIDE, HANDED_FRAME, HANDED_FRAME_BYTES, HANDED_KIND, HANDED_PACKET,
  HANDED_PORT, LIST_ENTRY_BYTES, PACKET_BYTES, STATE_CAUSE, STATE_HANDED_IN, STATE_HANDED_OVER,
} from "../abi/layout";
import { DropReason, FrameFlag, Handed } from "../abi/enums";
import { BATCH_MAX } from "../abi/limits";
import { keepDatagram, passDatagram } from "../packet/datagram";
import { Packet, PacketFlag } from "../packet/packet";
import { receiveList, state, worker, workers } from "../memory";
import { drop } from "../stats";
import { giveTo, reserveFor } from "./between";

const VIRTIO_BYTES: u32 = 10;
/** A helper may make a packet longer. */
const GROWTH_BYTES: u32 = 64;
const LINE: u32 = 64;

function count(word: usize, frames: u32): void {
  store<u64>(state + word, load<u64>(state + word) + frames);
}

/** Gives a packet that nothing has been done with to its owner; drops it (counted) when the ring is full. */
export function handOver(packet: Packet, owner: u32): void {
  if (!packet.has(PacketFlag.Reassembled)) return putFrame(packet, owner);
  let record = reserveFor(owner, HANDED_PACKET + PACKET_BYTES);
  if (record == 0) return drop(DropReason.HandoverFull);
  store<u32>(record, <u32>Handed.Datagram, HANDED_KIND);
  memory.copy(record + HANDED_PACKET, changetype<usize>(packet), PACKET_BYTES);
  passDatagram(packet.reassembly);
  giveTo(owner, record);
  count(STATE_HANDED_OVER, 1);
}

/** Gives each other worker a copy of a group's frame: every one has something of what it says. */
export function handToAll(packet: Packet): void {
  // One put together has no hardware addresses: its copy's is a group's.
  if (packet.has(PacketFlag.Reassembled)) store<u8>(packet.frame, 1);
  for (let other: u32 = 0; other < workers; other++) if (other != worker) putFrame(packet, other);
}

/** True for what another worker has handed in. */
export function isHandedIn(packet: Packet): bool {
  return packet.cause >= BATCH_MAX;
}

function putFrame(packet: Packet, owner: u32): void {
  let record = reserveFor(owner, (HANDED_FRAME + packet.bytes + GROWTH_BYTES + LINE - 1) & ~(LINE - 1));
  if (record == 0) return drop(DropReason.HandoverFull);
  store<u32>(record, <u32>Handed.Frame, HANDED_KIND);
  store<u32>(record, packet.bytes, HANDED_FRAME_BYTES);
  store<u32>(record, packet.aside, HANDED_ASIDE);
  let flags: u32 = packet.has(PacketFlag.Vnet) ? <u32>FrameFlag.Vnet : 0;
  store<u32>(record, <u32>packet.port | (flags << 16), HANDED_PORT);
  memory.copy(record + HANDED_FRAME - VIRTIO_BYTES, packet.frame - VIRTIO_BYTES, packet.bytes + VIRTIO_BYTES);
  giveTo(owner, record);
  count(STATE_HANDED_OVER, 1);
}

/** What clearing behind a handed frame's options has done already, for the one that does it again. */
export function handedAside(packet: Packet): u32 {
  return isHandedIn(packet) && !packet.has(PacketFlag.Reassembled) ? load<u32>(packet.frame - HANDED_FRAME, HANDED_ASIDE) : 0;
}

/** Frames that are taken from each other worker in one batch, so that none waits for another's flood. */
export function handedShare(): u32 {
  return BATCH_MAX / (workers - 1);
}

/** Lists a handed frame behind the host's own, as the `place`th. */
export function listHanded(record: usize, place: u32): void {
  let entry = receiveList + (<usize>BATCH_MAX + place) * LIST_ENTRY_BYTES;
  store<u32>(entry, <u32>record + HANDED_FRAME, ENTRY_FRAME);
  store<u32>(entry, load<u32>(record, HANDED_FRAME_BYTES), ENTRY_BYTES);
  store<u32>(entry, load<u32>(record, HANDED_PORT), ENTRY_PORT);
}

/** Takes a whole datagram over: its packet, as the worker that put it together had it. It is the one being handled. */
export function takeDatagram(record: usize, packet: Packet): void {
  memory.copy(changetype<usize>(packet), record + HANDED_PACKET, PACKET_BYTES);
  packet.cause = BATCH_MAX;
  store<u32>(state, BATCH_MAX, STATE_CAUSE);
  keepDatagram(packet.reassembly);
}

export function countHandedIn(frames: u32): void {
  count(STATE_HANDED_IN, frames);
}
