// Frames on their way out: the transmit list, and the engine's own slots for frames it originates.

import {
  ENTRY_BYTES, ENTRY_CAUSE, ENTRY_FLAGS, ENTRY_FRAME, ENTRY_PORT, LIST_ENTRY_BYTES, OWN_SLOT_BYTES,
  PORTS_BASE, PORT_BYTES, PORT_FLAGS, SLOT_HEADROOM, STATE_CAUSE, STATE_OWN_COUNT, STATE_TRANSMIT_COUNT,
} from "../abi/layout";
import { OWN_SLOTS_MAX, TRANSMIT_MAX } from "../abi/limits";
import { DropReason, FrameFlag, PortFlag } from "../abi/enums";
import { endHanded } from "../handover/between";
import { ownSlots, shared, state, transmitList } from "../memory";
import { releaseDatagrams } from "./datagram";
import { drop } from "../stats";

/** Bytes an own slot can hold after its headroom. */
export const OWN_FRAME_BYTES: u32 = OWN_SLOT_BYTES - SLOT_HEADROOM;
/** Of these, without the Ethernet header: the longest packet that is cut from another, however much the way carries. */
export const OWN_PACKET_BYTES: u32 = OWN_FRAME_BYTES - 14;

/** Nobody's frame: what timers and requests cause. */
export const NO_CAUSE: u32 = 0xffffffff;

/** Empties both lists: the host has sent everything of the last call. */
export function beginBatch(): void {
  releaseDatagrams();
  if (shared) endHanded();
  store<u32>(state, 0, STATE_TRANSMIT_COUNT);
  store<u32>(state, 0, STATE_OWN_COUNT);
}

export function transmitCount(): u32 {
  return load<u32>(state, STATE_TRANSMIT_COUNT);
}

/** A slot for a frame of the engine's own: the address where its Ethernet header goes; 0 when none is left. */
export function ownFrame(): u32 {
  let used = load<u32>(state, STATE_OWN_COUNT);
  if (used == OWN_SLOTS_MAX) {
    drop(DropReason.NoBuffer);
    return 0;
  }
  store<u32>(state, used + 1, STATE_OWN_COUNT);
  return <u32>ownSlots + used * OWN_SLOT_BYTES + SLOT_HEADROOM;
}

/** Appends a frame to the transmit list. `flags` are FrameFlag. */
export function append(port: u32, frame: u32, bytes: u32, flags: u32): void {
  let count = load<u32>(state, STATE_TRANSMIT_COUNT);
  if (count == TRANSMIT_MAX) {
    drop(DropReason.TransmitFull);
    return;
  }
  let entry = transmitList + <usize>count * LIST_ENTRY_BYTES;
  store<u32>(entry, frame, ENTRY_FRAME);
  store<u32>(entry, bytes, ENTRY_BYTES);
  store<u16>(entry, <u16>port, ENTRY_PORT);
  store<u16>(entry, <u16>flags, ENTRY_FLAGS);
  store<u32>(entry, load<u32>(state, STATE_CAUSE), ENTRY_CAUSE);
  store<u32>(state, count + 1, STATE_TRANSMIT_COUNT);
}

export function portFlags(port: u32): u32 {
  return load<u32>(<usize>PORTS_BASE + <usize>port * PORT_BYTES, PORT_FLAGS);
}

/** Sends a whole frame whose checksums are complete; adds an empty virtio header where the port wants one. */
export function sendPlain(port: u32, frame: u32, bytes: u32): void {
  if ((portFlags(port) & <u32>PortFlag.Vnet) == 0) {
    append(port, frame, bytes, 0);
    return;
  }
  store<u64>(<usize>frame - 10, 0);
  store<u16>(<usize>frame - 2, 0);
  append(port, frame, bytes, <u32>FrameFlag.Vnet);
}
