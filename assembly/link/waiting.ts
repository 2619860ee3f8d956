// Frames that wait: for a neighbour's answer, or, when none came, for their senders to be told. Under the lock.

import {
  CONTROL_BASE, CONTROL_PENDING_ORDER, PENDING_BASE, PENDING_BYTES, PENDING_FLAGS, PENDING_FRAME, PENDING_FRAME_BYTES, PENDING_NEIGHBOR,
  PENDING_ORDER,
} from "../abi/layout";
import { PENDING_MAX } from "../abi/limits";
import { ownFrame } from "../packet/slot";

/** Instead of a neighbour's index: it never answered. */
export const GIVEN_UP: u32 = 0xffffffff;

function pendingAt(place: u32): usize {
  return <usize>PENDING_BASE + <usize>place * PENDING_BYTES;
}

/** Keeps a copy of a frame, and of the virtio header before it, for a neighbour; false when every place is taken. */
export function keepWaiting(neighbor: u32, frame: u32, bytes: u32, flags: u32): bool {
  for (let place: u32 = 0; place < PENDING_MAX; place++) {
    let pending = pendingAt(place);
    if (load<u32>(pending, PENDING_NEIGHBOR) != 0) continue;
    let order = load<u32>(CONTROL_BASE, CONTROL_PENDING_ORDER) + 1;
    store<u32>(CONTROL_BASE, order, CONTROL_PENDING_ORDER);
    store<u32>(pending, neighbor, PENDING_NEIGHBOR);
    store<u32>(pending, bytes, PENDING_FRAME_BYTES);
    store<u32>(pending, order, PENDING_ORDER);
    store<u32>(pending, flags, PENDING_FLAGS);
    memory.copy(pending + PENDING_FRAME - 10, frame - 10, bytes + 10);
    return true;
  }
  return false;
}

/** The record of the frame that came first of those that wait for a neighbour, 0 when none does. */
export function firstWaiting(neighbor: u32): usize {
  let first: usize = 0;
  for (let place: u32 = 0; place < PENDING_MAX; place++) {
    let pending = pendingAt(place);
    if (load<u32>(pending, PENDING_NEIGHBOR) != neighbor) continue;
    if (first == 0 || load<u32>(pending, PENDING_ORDER) < load<u32>(first, PENDING_ORDER)) first = pending;
  }
  return first;
}

/** Moves a waiting frame to a slot of the engine's own, where it may be changed; 0 when none is left. Its place is free then. */
export function takeWaiting(pending: usize): u32 {
  store<u32>(pending, 0, PENDING_NEIGHBOR);
  let frame = ownFrame();
  if (frame != 0) memory.copy(frame - 10, pending + PENDING_FRAME - 10, load<u32>(pending, PENDING_FRAME_BYTES) + 10);
  return frame;
}
