// What lblc and lblcr remember: for each virtual address (they serve many, by a firewall mark) who serves it.
// The heads of the chains lie in the service's slab, the records in one pool for all services.

import {
  CACHE_BASE, CACHE_BYTES, CACHE_NEXT, CACHE_SERVERS, CONTROL_BASE, CONTROL_DESTINATIONS, CONTROL_DESTINATIONS_FULL,
  SLAB_COUNT, SLAB_HEADS, SLAB_MINUTES, SLAB_ROVER, SLAB_SWEPT_MS,
} from "../abi/layout";
import { CACHE_MAX } from "../abi/limits";
import { foldAddress, mix } from "../base/hash";
import { giveRecord, takeRecord } from "../base/pool";
import { now, seed, since } from "../memory";
import { Service } from "../service/service";
import { copyAddress, sameAddress } from "../wire/field";
import { forgetServers } from "./members";
import { slabWord } from "./slab";

const POOL: usize = <usize>CONTROL_BASE + CONTROL_DESTINATIONS;
const MINUTE_MS: u32 = 60000;
/** Every so many minutes all destinations are looked at, as in the kernel. */
const FULL_SWEEP_MINUTES: u32 = 30;
/** More destinations than this are too many: those idle for a while make room. */
const DESTINATIONS_WANTED: u32 = 16 * SLAB_HEADS;
const IDLE_MS: u64 = 6 * 60000;

@unmanaged
export class Destination {
  addressHigh: u64; //  0
  addressLow: u64; //   8
  next: u32; //        16
  usedMs: u32; //      20
  changedMs: u32; //   24  lblcr: when the set last changed
  servers: u32; //     28  lblc: the server; lblcr: the first member of its set

  static at(index: u32): Destination {
    return changetype<Destination>(<usize>CACHE_BASE + <usize>index * CACHE_BYTES);
  }
}
if (offsetof<Destination>() != CACHE_BYTES) ERROR("Destination no longer fills CACHE_BYTES");
if (offsetof<Destination>("next") != CACHE_NEXT) ERROR("next moved: update CACHE_NEXT");
if (offsetof<Destination>("servers") != CACHE_SERVERS) ERROR("servers moved: update CACHE_SERVERS");

function headOf(service: Service, address: usize): usize {
  return slabWord(service, mix(seed, foldAddress(address), 5) & (SLAB_HEADS - 1));
}

/** The destination with this address, 0 when it is not remembered. */
export function findDestination(service: Service, address: usize): u32 {
  let index = load<u32>(headOf(service, address));
  while (index != 0 && !sameAddress(changetype<usize>(Destination.at(index)), address)) index = Destination.at(index).next;
  return index;
}

/** Begins to remember an address, with no server yet; 0 (and counted) when there is no room. */
export function addDestination(service: Service, address: usize): u32 {
  let index = takeRecord(POOL, CACHE_BASE, CACHE_BYTES, CACHE_MAX);
  if (index == 0) {
    countFull();
    return 0;
  }
  let destination = Destination.at(index);
  copyAddress(changetype<usize>(destination), address);
  destination.usedMs = now;
  let head = headOf(service, address);
  destination.next = load<u32>(head);
  store<u32>(head, index);
  addCount(service, 1);
  return index;
}

/** Nothing is lost when there is no room: the destination is only asked for anew each time. */
export function countFull(): void {
  store<u32>(CONTROL_BASE, load<u32>(CONTROL_BASE, CONTROL_DESTINATIONS_FULL) + 1, CONTROL_DESTINATIONS_FULL);
}

function addCount(service: Service, change: i32): void {
  let word = slabWord(service, SLAB_COUNT);
  store<u32>(word, load<u32>(word) + change);
}

/** Begins with nothing remembered. */
export function beginDestinations(service: Service): void {
  memory.fill(slabWord(service, 0), 0, (SLAB_SWEPT_MS + 1) << 2);
  store<u32>(slabWord(service, SLAB_SWEPT_MS), now);
}

/** Forgets everything the service's slab remembers. */
export function forgetDestinations(service: Service): void {
  for (let head: u32 = 0; head < SLAB_HEADS; head++) forgetIdle(service, head, 0);
}

/** Forgets the destinations of one chain that were not used for `idleMs`; answers how many. */
function forgetIdle(service: Service, head: u32, idleMs: u64): u32 {
  let forgotten: u32 = 0;
  let link = slabWord(service, head);
  while (load<u32>(link) != 0) {
    let index = load<u32>(link);
    let destination = Destination.at(index);
    if (<u64>since(destination.usedMs) < idleMs) {
      link = changetype<usize>(destination) + CACHE_NEXT;
      continue;
    }
    store<u32>(link, destination.next);
    forgetServers(service, destination.servers);
    giveRecord(POOL, CACHE_BASE, CACHE_BYTES, index);
    forgotten++;
  }
  addCount(service, -(<i32>forgotten));
  return forgotten;
}

/** True when a minute has gone by since the service's destinations were last swept. */
export function isSweepDue(service: Service): bool {
  return since(load<u32>(slabWord(service, SLAB_SWEPT_MS))) >= MINUTE_MS;
}

/** Each minute: when there are too many, the idle make room; every half hour those past their time go. */
export function sweepDestinations(service: Service, expirationS: u32): void {
  store<u32>(slabWord(service, SLAB_SWEPT_MS), now);
  let minutes = load<u32>(slabWord(service, SLAB_MINUTES)) + 1;
  store<u32>(slabWord(service, SLAB_MINUTES), minutes);
  if (minutes % FULL_SWEEP_MINUTES == 0) {
    for (let head: u32 = 0; head < SLAB_HEADS; head++) forgetIdle(service, head, <u64>expirationS * 1000);
    return;
  }
  let count = load<u32>(slabWord(service, SLAB_COUNT));
  if (count > DESTINATIONS_WANTED) makeRoom(service, count);
}

/** Goes on where the last sweep ended, until a third more than the surplus is gone or all chains were seen. */
function makeRoom(service: Service, count: u32): void {
  let goal = <i32>min<u32>((count - DESTINATIONS_WANTED) * 4 / 3, DESTINATIONS_WANTED / 2);
  let rover = load<u32>(slabWord(service, SLAB_ROVER));
  for (let seen: u32 = 0; seen < SLAB_HEADS && goal > 0; seen++) {
    rover = (rover + 1) & (SLAB_HEADS - 1);
    goal -= <i32>forgetIdle(service, rover, IDLE_MS);
  }
  store<u32>(slabWord(service, SLAB_ROVER), rover);
}
