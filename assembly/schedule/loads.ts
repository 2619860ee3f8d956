// The loads of a large service's servers, side by side, for the schedulers that look for the least of them: a walk
// from record to record costs 4 us with a thousand servers. Each server has a key, its load as one number, in the
// order of the service's list; 32 keys are a block, whose least key is kept. A change of a server's load writes its
// key and marks the block; a choice looks at the marked blocks again, then at the blocks' least keys, then into one block.
//
// It chooses as the walk does, ties included (least.ts, expected.ts, which stay for small services). A key is
// load / weight, rounded once. Two loads a/w < b/v differ by at least one part in b*w, so the keys differ too as long
// as b*w is below 2^52; and equal ones are equal. Several workers change and look at loads under the lock.

import { SLAB_BYTES } from "../abi/layout";
import { Scheduler } from "../abi/enums";
import { Server } from "../service/server";
import { Service } from "../service/service";
import { giveSlab, slabOf, takeSlab } from "./slab";

/** A walk over fewer servers is as fast. */
const FEW: u32 = 16;
const BLOCK: u32 = 32;
const BLOCK_BYTES: u32 = BLOCK * 8;
const BLOCKS: u32 = 40;
/** Servers a slab has room for; a service with more is walked through. */
const PLACES: u32 = BLOCKS * BLOCK;
/** A load is below 2^33: all connections of the largest table on one server, each counted 256 times. */
const WEIGHT_MAX: u32 = 1 << 19;

// The slab: keys, f64 each; the least key of each block; a bit for each block that must be looked at again; servers.
const LEAST: usize = PLACES * 8;
const MARKED: usize = LEAST + BLOCKS * 8;
const SERVERS: usize = MARKED + 8;
if (SERVERS + PLACES * 4 > SLAB_BYTES) ERROR("the loads do not fit in a slab");

/** True for the schedulers that look for the least loaded server. */
export function comparesLoads(scheduler: u32): bool {
  return scheduler == <u32>Scheduler.Lc || scheduler == <u32>Scheduler.Wlc || scheduler == <u32>Scheduler.Sed ||
    scheduler == <u32>Scheduler.Nq;
}

/** The load as a number, infinite for a server that may not be chosen. */
function keyOf(scheduler: u32, server: Server): f64 {
  if (server.weight == 0 || server.overloaded) return Infinity;
  if (scheduler == <u32>Scheduler.Lc) return <f64>server.overhead;
  if (scheduler == <u32>Scheduler.Wlc) return <f64>server.overhead / <f64>server.weight;
  // nq takes an idle server before all others.
  if (scheduler == <u32>Scheduler.Nq && server.active == 0) return 0;
  return <f64>(<u64>server.active + 1) / <f64>server.weight;
}

/** A service's list or a weight has changed: its keys are written anew, or given up where a walk must do. */
export function arrangeLoads(service: Service): void {
  if (!isWorthIt(service)) return forgetLoads(service);
  if (service.slab == 0) service.slab = takeSlab();
  if (service.slab == 0) return;
  let slab = slabOf(service);
  let place: u32 = 0;
  for (let at = service.servers; at != 0; at = Server.at(at).next) {
    let server = Server.at(at);
    store<f64>(slab + (<usize>place << 3), keyOf(service.scheduler, server));
    store<u32>(slab + (<usize>place << 2), at, SERVERS);
    // Counted from 1: 0 is a server without a place.
    server.loadPlace = ++place;
  }
  for (; place < PLACES; place++) store<f64>(slab + (<usize>place << 3), Infinity);
  store<u64>(slab, (<u64>1 << BLOCKS) - 1, MARKED);
}

function isWorthIt(service: Service): bool {
  if (service.serversCount <= FEW || service.serversCount > PLACES) return false;
  for (let at = service.servers; at != 0; at = Server.at(at).next) if (Server.at(at).weight > WEIGHT_MAX) return false;
  return true;
}

/** Gives up the keys of a service that compares loads. */
export function forgetLoads(service: Service): void {
  if (service.slab == 0) return;
  for (let at = service.servers; at != 0; at = Server.at(at).next) Server.at(at).loadPlace = 0;
  giveSlab(service.slab);
  service.slab = 0;
}

/** A server's connections, or whether it is overloaded, have changed. */
export function loadChanged(server: Server): void {
  let place = server.loadPlace;
  if (place == 0) return;
  place--;
  let service = Service.at(server.service);
  let slab = slabOf(service);
  store<f64>(slab + (<usize>place << 3), keyOf(service.scheduler, server));
  store<u64>(slab, load<u64>(slab, MARKED) | <u64>1 << (place / BLOCK), MARKED);
}

/** The first server of the list that has the least load, 0 when none may be chosen. The service has keys. */
export function leastLoaded(service: Service): u32 {
  let slab = slabOf(service);
  for (let marked = load<u64>(slab, MARKED); marked != 0; marked &= marked - 1) {
    let block = <usize>ctz(marked);
    store<f64>(slab + (block << 3), leastOf(slab + block * BLOCK_BYTES, BLOCK_BYTES), LEAST);
  }
  store<u64>(slab, 0, MARKED);
  let least = leastOf(slab + LEAST, BLOCKS * 8);
  if (least == Infinity) return 0;
  let block = firstOf(slab + LEAST, least);
  let place = block * BLOCK + firstOf(slab + <usize>block * BLOCK_BYTES, least);
  return load<u32>(slab + (<usize>place << 2), SERVERS);
}

/** The least of a row of numbers; their bytes are a multiple of 64. */
function leastOf(at: usize, bytes: usize): f64 {
  let a = f64x2.splat(Infinity);
  let b = a;
  for (let end = at + bytes; at < end; at += 64) {
    a = f64x2.pmin(a, f64x2.pmin(v128.load(at), v128.load(at, 16)));
    b = f64x2.pmin(b, f64x2.pmin(v128.load(at, 32), v128.load(at, 48)));
  }
  a = f64x2.pmin(a, b);
  return min(f64x2.extract_lane(a, 0), f64x2.extract_lane(a, 1));
}
if (BLOCK_BYTES % 64 != 0 || (BLOCKS * 8) % 64 != 0) ERROR("leastOf() takes 64 bytes at a time");

/** The place of the first number equal to one that is in the row. */
function firstOf(row: usize, value: f64): u32 {
  let wanted = f64x2.splat(value);
  let at = row;
  let equal = i64x2.bitmask(f64x2.eq(v128.load(at), wanted));
  while (equal == 0) {
    at += 16;
    equal = i64x2.bitmask(f64x2.eq(v128.load(at), wanted));
  }
  return <u32>((at - row) >> 3) + ctz(equal);
}
