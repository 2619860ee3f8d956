// Frames to neighbours: sent when the hardware address is known, kept while it is asked for, given up when nobody answers.

import {
  CONTROL_BASE, CONTROL_NEIGHBORS_USED, NEIGHBOR_ASKED_MS, NEIGHBOR_CONFIRMED_MS, NEIGHBOR_FAMILY, NEIGHBOR_MACS, NEIGHBOR_PENDING, NEIGHBOR_PORT,
  NEIGHBOR_STATE, NEIGHBOR_TRIES, NEIGHBOR_USED_MS, OWN_SLOT_BYTES, PENDING_FLAGS, PENDING_FRAME, PENDING_FRAME_BYTES, PENDING_NEIGHBOR, SLOT_HEADROOM,
} from "../abi/layout";
import { ControlError, DropReason, NeighborState } from "../abi/enums";
import { PENDING_PER_NEIGHBOR } from "../abi/limits";
import { append } from "../packet/slot";
import { drop } from "../stats";
import { lock, now, since, unlock } from "../memory";
import { askArp, askNdp } from "./ask";
import { copyMac, findNeighbor, forget, free, hear, makeUse, neighborAt, touchNeighbor } from "./neighbor";
import { firstWaiting, GIVEN_UP, keepWaiting, takeWaiting } from "./waiting";

/** How long an answer is believed without asking again. */
export const FRESH_MS: u32 = 30000;
const RETRY_MS: u32 = 1000;
const TRIES_MAX: u32 = 3;
/** Who was only heard of, and is sent nothing, is forgotten after this long. */
const HEARD_MS: u32 = 60000;
/** Where a frame of IPv4 has its source. */
const SOURCE4: usize = 14 + 12;
/** Frames longer than this do not wait: they are super-frames, and TCP sends them again. */
const WAITING_BYTES_MAX: u32 = OWN_SLOT_BYTES - SLOT_HEADROOM;

/** Sends a frame to a neighbour, or lets it wait for the neighbour's answer. `flags` are FrameFlag. */
export function transmit(index: u32, frame: u32, bytes: u32, flags: u32): void {
  if (transmitNow(index, frame, bytes, flags)) return;
  lock();
  // Another worker may have heard of it meanwhile, or given it up.
  if (!transmitNow(index, frame, bytes, flags)) {
    if (load<u8>(neighborAt(index), NEIGHBOR_STATE) == <u8>NeighborState.Free) {
      drop(DropReason.NeighborUnreachable);
    } else {
      wait(index, frame, bytes, flags);
      ask(index);
    }
  }
  unlock();
}

/** Sends a frame to a neighbour whose hardware address is known; false, and nothing done, for another. */
function transmitNow(index: u32, frame: u32, bytes: u32, flags: u32): bool {
  let neighbor = neighborAt(index);
  if (load<u8>(neighbor, NEIGHBOR_STATE) == <u8>NeighborState.Heard) makeUse(neighbor);
  let what = load<u8>(neighbor, NEIGHBOR_STATE);
  if (what != <u8>NeighborState.Reachable && what != <u8>NeighborState.Permanent) return false;
  store<u64>(frame, load<u64>(neighbor, NEIGHBOR_MACS));
  store<u32>(frame, load<u32>(neighbor, NEIGHBOR_MACS + 8), 8);
  append(load<u16>(neighbor, NEIGHBOR_PORT), frame, bytes, flags);
  if (what == <u8>NeighborState.Reachable && since(load<u32>(neighbor, NEIGHBOR_CONFIRMED_MS)) > FRESH_MS) ask(index);
  return true;
}

/** Asks for a neighbour, at most once a second. */
function ask(index: u32): void {
  let neighbor = neighborAt(index);
  if (load<u16>(neighbor, NEIGHBOR_TRIES) != 0 && since(load<u32>(neighbor, NEIGHBOR_ASKED_MS)) < RETRY_MS) return;
  lock();
  askNow(index);
  unlock();
}

function askNow(index: u32): void {
  let neighbor = neighborAt(index);
  store<u16>(neighbor, load<u16>(neighbor, NEIGHBOR_TRIES) + 1, NEIGHBOR_TRIES);
  store<u32>(neighbor, now, NEIGHBOR_ASKED_MS);
  let port = <u32>load<u16>(neighbor, NEIGHBOR_PORT);
  if (load<u8>(neighbor, NEIGHBOR_FAMILY) == 4) askArp(port, neighbor, sourceWaiting4(firstWaiting(index)));
  else askNdp(port, neighbor);
}

/** Who the packet that waits is from, 0 when none does. */
function sourceWaiting4(waiting: usize): u32 {
  return waiting == 0 ? 0 : load<u32>(waiting + PENDING_FRAME + SOURCE4);
}

function wait(index: u32, frame: u32, bytes: u32, flags: u32): void {
  let neighbor = neighborAt(index);
  let waiting = <u32>load<u16>(neighbor, NEIGHBOR_PENDING);
  if (bytes > WAITING_BYTES_MAX) return drop(DropReason.NeighborUnreachable);
  let oldest = waiting < PENDING_PER_NEIGHBOR ? 0 : firstWaiting(index);
  if (oldest != 0) {
    store<u32>(oldest, 0, PENDING_NEIGHBOR);
    waiting--;
    drop(DropReason.NeighborUnreachable);
  }
  if (!keepWaiting(index, frame, bytes, flags)) return drop(DropReason.NeighborUnreachable);
  store<u16>(neighbor, <u16>(waiting + 1), NEIGHBOR_PENDING);
}

/** A neighbour told its hardware address: believe it, and send what waited. */
export function learn(family: u32, port: u32, address: usize, mac: usize): void {
  lock();
  let index = findNeighbor(family, port, address);
  if (index == 0) index = hear(family, port, address);
  if (index != 0 && load<u8>(neighborAt(index), NEIGHBOR_STATE) != <u8>NeighborState.Permanent) {
    let neighbor = neighborAt(index);
    copyMac(neighbor, mac);
    store<u32>(neighbor, now, NEIGHBOR_CONFIRMED_MS);
    store<u32>(neighbor, now, NEIGHBOR_USED_MS);
    if (load<u8>(neighbor, NEIGHBOR_STATE) != <u8>NeighborState.Heard) store<u8>(neighbor, <u8>NeighborState.Reachable, NEIGHBOR_STATE);
    store<u16>(neighbor, 0, NEIGHBOR_TRIES);
    sendPending(index);
  }
  unlock();
}

export function addPermanent(family: u32, port: u32, address: usize, mac: usize): i32 {
  let index = touchNeighbor(family, port, address);
  if (index == 0) return <i32>ControlError.Full;
  let neighbor = neighborAt(index);
  copyMac(neighbor, mac);
  store<u8>(neighbor, <u8>NeighborState.Permanent, NEIGHBOR_STATE);
  sendPending(index);
  return <i32>index;
}

/** Sends what waited, in the order it came. */
function sendPending(index: u32): void {
  let neighbor = neighborAt(index);
  while (load<u16>(neighbor, NEIGHBOR_PENDING) != 0) {
    store<u16>(neighbor, load<u16>(neighbor, NEIGHBOR_PENDING) - 1, NEIGHBOR_PENDING);
    let first = firstWaiting(index);
    if (first == 0) continue;
    let bytes = load<u32>(first, PENDING_FRAME_BYTES);
    let frame = takeWaiting(first);
    if (frame != 0) transmit(index, frame, bytes, load<u32>(first, PENDING_FLAGS));
  }
}

/** Each tick: asks again, gives up on who never answers, forgets who was only heard of. True when somebody was given up. */
export function sweepNeighbors(): bool {
  let anyGivenUp = false;
  let used = load<u32>(CONTROL_BASE, CONTROL_NEIGHBORS_USED);
  for (let index: u32 = 1; index < used; index++) {
    let neighbor = neighborAt(index);
    if (load<u8>(neighbor, NEIGHBOR_STATE) == <u8>NeighborState.Heard) {
      if (since(load<u32>(neighbor, NEIGHBOR_CONFIRMED_MS)) >= HEARD_MS) forget(index);
      continue;
    }
    let tries = <u32>load<u16>(neighbor, NEIGHBOR_TRIES);
    if (tries == 0 || load<u8>(neighbor, NEIGHBOR_STATE) == <u8>NeighborState.Permanent) continue;
    if (since(load<u32>(neighbor, NEIGHBOR_ASKED_MS)) < RETRY_MS) continue;
    lock();
    // Another worker may have heard of it meanwhile.
    tries = load<u16>(neighbor, NEIGHBOR_TRIES);
    if (tries >= TRIES_MAX) {
      giveUp(index);
      anyGivenUp = true;
    } else if (tries != 0) {
      ask(index);
    }
    unlock();
  }
  return anyGivenUp;
}

/** Frees a neighbour that never answered. What waited for it now waits to be told of: see errors/unreachable.ts. */
function giveUp(index: u32): void {
  for (let first = firstWaiting(index); first != 0; first = firstWaiting(index)) {
    store<u32>(first, GIVEN_UP, PENDING_NEIGHBOR);
    drop(DropReason.NeighborUnreachable);
  }
  free(index);
}
