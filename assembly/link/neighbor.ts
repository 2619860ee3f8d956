// Neighbours: who is reached by which hardware address, and how much goes there. What is sent to them is transmit.ts.

import {
  CONTROL_BASE, CONTROL_NEIGHBORS_HEARD, CONTROL_NEIGHBORS_USED, NEIGHBORS_BASE, NEIGHBORS_HASH, NEIGHBORS_HASH_PLACES, NEIGHBOR_BYTES,
  NEIGHBOR_CHANNEL, NEIGHBOR_FAMILY, NEIGHBOR_MACS, NEIGHBOR_MTU, NEIGHBOR_NARROWEST, NEIGHBOR_NEXT, NEIGHBOR_PENDING, NEIGHBOR_PORT,
  NEIGHBOR_STATE, NEIGHBOR_USED_MS, PENDING_NEIGHBOR, PORT_FLAGS, PORT_MAC, PORT_MTU,
} from "../abi/layout";
import { ControlError, DropReason, NeighborState } from "../abi/enums";
import { NEIGHBORS_HEARD_MAX, NEIGHBORS_MAX } from "../abi/limits";
import { foldAddress, mix } from "../base/hash";
import { drop } from "../stats";
import { copyAddress, sameAddress } from "../wire/field";
import { lock, now, since, unlock } from "../memory";
import { portAt } from "./local";
import { routesChanged } from "./generation";
import { firstWaiting } from "./waiting";

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
 * The neighbour that something is to be sent to, made when it is new (nobody has asked for it yet). 0 when every record is permanent.
 *
 * Chains may be walked without the lock: who meets another worker's change finds the neighbour or does not, and
 * looks again under the lock.
 */
export function touchNeighbor(family: u32, port: u32, address: usize): u32 {
  let index = findNeighbor(family, port, address);
  if (index == 0) {
    lock();
    index = findNeighbor(family, port, address);
    if (index == 0) index = add(family, port, address, take(true));
    unlock();
    if (index == 0) return 0;
  }
  let neighbor = neighborAt(index);
  if (load<u8>(neighbor, NEIGHBOR_STATE) == <u8>NeighborState.Heard) makeUse(neighbor);
  store<u32>(neighbor, now, NEIGHBOR_USED_MS);
  return index;
}

/** A neighbour that was only heard of is one of ours from now on. */
export function makeUse(neighbor: usize): void {
  lock();
  // Another worker may have been faster.
  if (load<u8>(neighbor, NEIGHBOR_STATE) == <u8>NeighborState.Heard) {
    store<u8>(neighbor, <u8>NeighborState.Reachable, NEIGHBOR_STATE);
    countHeard(-1);
  }
  unlock();
}

/** A stranger, who may want to speak with us: kept as long as there is room for such. 0 when there is none. */
export function hear(family: u32, port: u32, address: usize): u32 {
  if (load<u32>(CONTROL_BASE, CONTROL_NEIGHBORS_HEARD) >= NEIGHBORS_HEARD_MAX) return 0;
  let index = add(family, port, address, take(false));
  if (index == 0) return 0;
  store<u8>(neighborAt(index), <u8>NeighborState.Heard, NEIGHBOR_STATE);
  countHeard(1);
  return index;
}

function countHeard(change: i32): void {
  store<u32>(CONTROL_BASE, load<u32>(CONTROL_BASE, CONTROL_NEIGHBORS_HEARD) + change, CONTROL_NEIGHBORS_HEARD);
}

/** Fills a record that was taken, if one was. */
function add(family: u32, port: u32, address: usize, index: u32): u32 {
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

/**
 * A free record. When there is none and `displaces`, one that was only heard of makes room, else the one unused for longest.
 * Index 0xffff is not given: it means "local".
 */
function take(displaces: bool): u32 {
  let used = max<u32>(load<u32>(CONTROL_BASE, CONTROL_NEIGHBORS_USED), 1);
  let oldest: u32 = 0;
  for (let index: u32 = 1; index < used; index++) {
    let neighbor = neighborAt(index);
    let what = load<u8>(neighbor, NEIGHBOR_STATE);
    if (what == <u8>NeighborState.Free) return index;
    if (what == <u8>NeighborState.Permanent) continue;
    if (oldest == 0 || goesBefore(neighbor, neighborAt(oldest))) oldest = index;
  }
  if (used < NEIGHBORS_MAX) {
    store<u32>(CONTROL_BASE, used + 1, CONTROL_NEIGHBORS_USED);
    return used;
  }
  if (!displaces) return 0;
  if (oldest != 0) free(oldest);
  return oldest;
}

function goesBefore(neighbor: usize, other: usize): bool {
  let heard = load<u8>(neighbor, NEIGHBOR_STATE) == <u8>NeighborState.Heard;
  if (heard != (load<u8>(other, NEIGHBOR_STATE) == <u8>NeighborState.Heard)) return heard;
  return since(load<u32>(neighbor, NEIGHBOR_USED_MS)) > since(load<u32>(other, NEIGHBOR_USED_MS));
}

export function free(index: u32): void {
  let neighbor = neighborAt(index);
  dropPending(index);
  let at = head(load<u16>(neighbor, NEIGHBOR_PORT), neighbor);
  while (load<u32>(at) != index && load<u32>(at) != 0) at = neighborAt(load<u32>(at)) + NEIGHBOR_NEXT;
  if (load<u32>(at) == index) store<u32>(at, load<u32>(neighbor, NEIGHBOR_NEXT));
  // Nobody remembers one that nobody has sent to.
  if (load<u8>(neighbor, NEIGHBOR_STATE) == <u8>NeighborState.Heard) countHeard(-1);
  else routesChanged();
  memory.fill(neighbor, 0, NEIGHBOR_BYTES);
}

function dropPending(index: u32): void {
  for (let first = firstWaiting(index); first != 0; first = firstWaiting(index)) {
    store<u32>(first, 0, PENDING_NEIGHBOR);
    drop(DropReason.NeighborUnreachable);
  }
  store<u16>(neighborAt(index), 0, NEIGHBOR_PENDING);
}

export function forget(index: u32): void {
  lock();
  // Another worker may have sent to it meanwhile.
  if (load<u8>(neighborAt(index), NEIGHBOR_STATE) == <u8>NeighborState.Heard) free(index);
  unlock();
}

/** In one store: other workers send to this neighbour meanwhile. */
export function copyMac(neighbor: usize, mac: usize): void {
  let six = <u64>load<u32>(mac) | (<u64>load<u16>(mac, 4) << 32);
  store<u64>(neighbor, (load<u64>(neighbor, NEIGHBOR_MACS) & 0xffff000000000000) | six, NEIGHBOR_MACS);
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
