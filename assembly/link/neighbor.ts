// Neighbours: who is reached by which hardware address, and the frames that wait for an answer.

import {
  CONTROL_BASE, CONTROL_NEIGHBORS_USED, NEIGHBORS_BASE, NEIGHBORS_HASH, NEIGHBORS_HASH_PLACES, NEIGHBOR_ASKED_MS,
  NEIGHBOR_BYTES, NEIGHBOR_CHANNEL, NEIGHBOR_CONFIRMED_MS, NEIGHBOR_FAMILY, NEIGHBOR_MACS, NEIGHBOR_MTU, NEIGHBOR_NARROWEST, NEIGHBOR_NEXT,
  NEIGHBOR_PENDING, NEIGHBOR_PORT, NEIGHBOR_STATE, NEIGHBOR_TRIES, NEIGHBOR_USED_MS, OWN_SLOT_BYTES,
  PENDING_FLAGS, PENDING_FRAME_BYTES, PENDING_NEIGHBOR, PORT_FLAGS, PORT_MAC, PORT_MTU, SLOT_HEADROOM,
} from "../abi/layout";
import { ControlError, DropReason, NeighborState } from "../abi/enums";
import { NEIGHBORS_MAX, PENDING_PER_NEIGHBOR } from "../abi/limits";
import { foldAddress, mix } from "../base/hash";
import { append } from "../packet/slot";
import { drop } from "../stats";
import { copyAddress, sameAddress } from "../wire/field";
import { lock, now, since, unlock } from "../memory";
import { askArp, askNdp } from "./ask";
import { portAt } from "./local";
import { routesChanged } from "./generation";
import { firstWaiting, GIVEN_UP, keepWaiting, takeWaiting } from "./waiting";

/** How long an answer is believed without asking again. */
export const FRESH_MS: u32 = 30000;
const RETRY_MS: u32 = 1000;
const TRIES_MAX: u32 = 3;
/** Frames longer than this do not wait: they are super-frames, and TCP sends them again. */
const WAITING_BYTES_MAX: u32 = OWN_SLOT_BYTES - SLOT_HEADROOM;

export function neighborAt(index: u32): usize {
  return <usize>NEIGHBORS_BASE + <usize>index * NEIGHBOR_BYTES;
}

function head(port: u32, address: usize): usize {
  return NEIGHBORS_HASH + (mix(foldAddress(address), port, 5) & (NEIGHBORS_HASH_PLACES - 1)) * 4;
}

export function findNeighbor(family: u32, port: u32, address: usize): u32 {
  let index = load<u32>(head(port, address));
  while (index != 0) {
    let neighbor = neighborAt(index);
    if (<u32>load<u16>(neighbor, NEIGHBOR_PORT) == port && <u32>load<u8>(neighbor, NEIGHBOR_FAMILY) == family &&
      sameAddress(neighbor, address)) return index;
    index = load<u32>(neighbor, NEIGHBOR_NEXT);
  }
  return 0;
}

/**
 * The neighbour, made when it is new (nobody has asked for it yet). 0 when every record is permanent.
 *
 * Chains may be walked without the lock: who meets another worker's change finds the neighbour or does not, and
 * looks again under the lock.
 */
export function touchNeighbor(family: u32, port: u32, address: usize): u32 {
  let index = findNeighbor(family, port, address);
  if (index == 0) {
    lock();
    index = findNeighbor(family, port, address);
    if (index == 0) index = add(family, port, address);
    unlock();
    if (index == 0) return 0;
  }
  store<u32>(neighborAt(index), now, NEIGHBOR_USED_MS);
  return index;
}

function add(family: u32, port: u32, address: usize): u32 {
  let index = take();
  if (index == 0) return 0;
  let neighbor = neighborAt(index);
  copyAddress(neighbor, address);
  store<u16>(neighbor, <u16>port, NEIGHBOR_PORT);
  store<u8>(neighbor, <u8>family, NEIGHBOR_FAMILY);
  store<u8>(neighbor, <u8>NeighborState.Incomplete, NEIGHBOR_STATE);
  copyPort(neighbor, port);
  let chain = head(port, address);
  store<u32>(neighbor, load<u32>(chain), NEIGHBOR_NEXT);
  store<u32>(chain, index);
  return index;
}

function copyPort(neighbor: usize, port: u32): void {
  let record = portAt(port);
  memory.copy(neighbor + NEIGHBOR_MACS + 6, record + PORT_MAC, 6);
  store<u32>(neighbor, load<u32>(record, PORT_MTU), NEIGHBOR_MTU);
  store<u32>(neighbor, load<u32>(record, PORT_MTU), NEIGHBOR_NARROWEST);
  store<u32>(neighbor, load<u32>(record, PORT_FLAGS), NEIGHBOR_CHANNEL);
}

/** A free record; the one unused for longest makes room. Index 0xffff is not given: it means "local". */
function take(): u32 {
  let used = max<u32>(load<u32>(CONTROL_BASE, CONTROL_NEIGHBORS_USED), 1);
  let oldest: u32 = 0;
  for (let index: u32 = 1; index < used; index++) {
    let neighbor = neighborAt(index);
    let what = load<u8>(neighbor, NEIGHBOR_STATE);
    if (what == <u8>NeighborState.Free) return index;
    if (what == <u8>NeighborState.Permanent) continue;
    if (oldest == 0 || since(load<u32>(neighbor, NEIGHBOR_USED_MS)) > since(load<u32>(neighborAt(oldest), NEIGHBOR_USED_MS))) {
      oldest = index;
    }
  }
  if (used < NEIGHBORS_MAX) {
    store<u32>(CONTROL_BASE, used + 1, CONTROL_NEIGHBORS_USED);
    return used;
  }
  if (oldest != 0) free(oldest);
  return oldest;
}

function free(index: u32): void {
  let neighbor = neighborAt(index);
  dropPending(index);
  let at = head(load<u16>(neighbor, NEIGHBOR_PORT), neighbor);
  while (load<u32>(at) != index && load<u32>(at) != 0) at = neighborAt(load<u32>(at)) + NEIGHBOR_NEXT;
  if (load<u32>(at) == index) store<u32>(at, load<u32>(neighbor, NEIGHBOR_NEXT));
  memory.fill(neighbor, 0, NEIGHBOR_BYTES);
  routesChanged();
}

/** A neighbour told its hardware address: believe it, and send what waited. */
export function learn(family: u32, port: u32, address: usize, mac: usize): u32 {
  lock();
  let index = touchNeighbor(family, port, address);
  if (index != 0 && load<u8>(neighborAt(index), NEIGHBOR_STATE) != <u8>NeighborState.Permanent) {
    let neighbor = neighborAt(index);
    copyMac(neighbor, mac);
    store<u32>(neighbor, now, NEIGHBOR_CONFIRMED_MS);
    store<u8>(neighbor, <u8>NeighborState.Reachable, NEIGHBOR_STATE);
    store<u16>(neighbor, 0, NEIGHBOR_TRIES);
    sendPending(index);
  }
  unlock();
  return index;
}

/** In one store: other workers send to this neighbour meanwhile. */
function copyMac(neighbor: usize, mac: usize): void {
  let six = <u64>load<u32>(mac) | (<u64>load<u16>(mac, 4) << 32);
  store<u64>(neighbor, (load<u64>(neighbor, NEIGHBOR_MACS) & 0xffff000000000000) | six, NEIGHBOR_MACS);
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

export function removeNeighbor(family: u32, port: u32, address: usize): i32 {
  let index = findNeighbor(family, port, address);
  if (index == 0) return <i32>ControlError.NotFound;
  free(index);
  return 0;
}

/** A port's hardware address, MTU or abilities changed. */
export function refreshPorts(port: u32): void {
  let used = load<u32>(CONTROL_BASE, CONTROL_NEIGHBORS_USED);
  for (let index: u32 = 1; index < used; index++) {
    let neighbor = neighborAt(index);
    if (load<u8>(neighbor, NEIGHBOR_STATE) != 0 && <u32>load<u16>(neighbor, NEIGHBOR_PORT) == port) copyPort(neighbor, port);
  }
}

/** Sends a frame to a neighbour, or lets it wait for the neighbour's answer. `flags` are FrameFlag. */
export function transmit(index: u32, frame: u32, bytes: u32, flags: u32): void {
  if (transmitNow(index, frame, bytes, flags)) return;
  lock();
  // Another worker may have heard of it meanwhile, or given it up.
  if (!transmitNow(index, frame, bytes, flags)) {
    if (load<u8>(neighborAt(index), NEIGHBOR_STATE) == <u8>NeighborState.Free) {
      drop(DropReason.NeighborUnreachable);
    } else {
      ask(index);
      wait(index, frame, bytes, flags);
    }
  }
  unlock();
}

/** Sends a frame to a neighbour whose hardware address is known; false, and nothing done, for another. */
function transmitNow(index: u32, frame: u32, bytes: u32, flags: u32): bool {
  let neighbor = neighborAt(index);
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
  askNow(neighbor);
  unlock();
}

function askNow(neighbor: usize): void {
  store<u16>(neighbor, load<u16>(neighbor, NEIGHBOR_TRIES) + 1, NEIGHBOR_TRIES);
  store<u32>(neighbor, now, NEIGHBOR_ASKED_MS);
  let port = <u32>load<u16>(neighbor, NEIGHBOR_PORT);
  if (load<u8>(neighbor, NEIGHBOR_FAMILY) == 4) askArp(port, neighbor);
  else askNdp(port, neighbor);
}

function wait(index: u32, frame: u32, bytes: u32, flags: u32): void {
  let neighbor = neighborAt(index);
  let waiting = <u32>load<u16>(neighbor, NEIGHBOR_PENDING);
  if (bytes > WAITING_BYTES_MAX || waiting >= PENDING_PER_NEIGHBOR || !keepWaiting(index, frame, bytes, flags)) {
    return drop(DropReason.NeighborUnreachable);
  }
  store<u16>(neighbor, <u16>(waiting + 1), NEIGHBOR_PENDING);
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

function dropPending(index: u32): void {
  for (let first = firstWaiting(index); first != 0; first = firstWaiting(index)) {
    store<u32>(first, 0, PENDING_NEIGHBOR);
    drop(DropReason.NeighborUnreachable);
  }
  store<u16>(neighborAt(index), 0, NEIGHBOR_PENDING);
}

/** Frees a neighbour that never answered. What waited for it now waits to be told of: see errors/unreachable.ts. */
function giveUp(index: u32): void {
  for (let first = firstWaiting(index); first != 0; first = firstWaiting(index)) {
    store<u32>(first, GIVEN_UP, PENDING_NEIGHBOR);
    drop(DropReason.NeighborUnreachable);
  }
  free(index);
}

/** Each tick: asks again, and gives up on who never answers. True when somebody was given up. */
export function sweepNeighbors(): bool {
  let anyGivenUp = false;
  let used = load<u32>(CONTROL_BASE, CONTROL_NEIGHBORS_USED);
  for (let index: u32 = 1; index < used; index++) {
    let neighbor = neighborAt(index);
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

/** The MTU of the port a neighbour is reached by. */
export function hopMtu(hop: u32): u32 {
  return load<u32>(<usize>NEIGHBORS_BASE + <usize>hop * NEIGHBOR_BYTES, NEIGHBOR_MTU);
}

/** A path through a neighbour carries less than the first hop. */
export function narrow(hop: u32, mtu: u32): void {
  let neighbor = neighborAt(hop);
  if (mtu < load<u32>(neighbor, NEIGHBOR_NARROWEST)) store<u32>(neighbor, mtu, NEIGHBOR_NARROWEST);
}

/** No path through any neighbour is known to be narrow, until it is looked up again. */
export function widenAll(): void {
  let used = load<u32>(CONTROL_BASE, CONTROL_NEIGHBORS_USED);
  for (let index: u32 = 1; index < used; index++) store<u32>(neighborAt(index), hopMtu(index), NEIGHBOR_NARROWEST);
}

/** What that port can do: PortFlag. */
export function hopChannel(hop: u32): u32 {
  return load<u32>(<usize>NEIGHBORS_BASE + <usize>hop * NEIGHBOR_BYTES, NEIGHBOR_CHANNEL);
}
