// Where this worker's regions lie. Globals are registers: each instance (one per worker) has its own,
// set once by attach(); everything that must outlive an instance is in the memory itself.

import {
  BUCKET_BYTES, CONNECTION_BYTES, CONTROL_BASE, CONTROL_BUCKET_BITS, CONTROL_COMMONS, CONTROL_SEED, CONTROL_TABLE_BASE,
  CONTROL_WORKERS, COUNTERS_BASE, COUNTERS_WORKER_BYTES, DROPS_BASE, DROPS_WORKER_BYTES, DUE_BYTES, SHARD_BYTES, STATE_IDENTIFICATION,
  WORKERS_BASE, WORKER_BYTES,
  WORKER_OWN, WORKER_PACKETS, WORKER_PREPARED, WORKER_RECEIVE, WORKER_STATE, WORKER_TRANSMIT, WORKER_TUNNELS,
} from "./abi/layout";
import { CONNECTIONS_PER_BUCKET } from "./abi/limits";
import { acquire, release } from "./base/lock";

export let receiveList: usize = 0;
export let transmitList: usize = 0;
export let packets: usize = 0;
export let state: usize = 0;
export let ownSlots: usize = 0;
export let tunnels: usize = 0;
export let prepared: usize = 0;
export let counters: usize = 0;
export let drops: usize = 0;
export let seed: u32 = 0;

/** This worker, and how many there are; `shared` when it is not alone. */
export let worker: u32 = 0;
export let workers: u32 = 1;
export let shared: bool = false;

/** All connection tables, each of so many bytes. */
export let tables: usize = 0;
export let shardBytes: usize = 0;
/** The rings between workers. */
export let rings: usize = 0;
// The table looked at: this worker's own, but between enterCommons() and leaveCommons(), or after lookAt().
export let shard: u32 = 0;
/** Where the table's words lie (STATE_FREE and the like). */
export let table: usize = 0;
export let buckets: usize = 0;
export let bucketMask: u32 = 0;
export let connections: usize = 0;
export let connectionsMax: u32 = 0;
/** Two words for each connection: see connection/due.ts, connection/table.ts. */
export let dues: usize = 0;
export let freed: usize = 0;

/** The engine's clock in milliseconds, as last told by the host. */
export let now: u32 = 0;

export function setNow(value: u32): void {
  now = value;
}

/** Clocks of workers, each told at the beginning of its batch, differ by far less than this. */
const CLOCKS_MS: u32 = 60000;

/** Milliseconds since a time that another worker may have noted, by a clock a little ahead of ours. */
export function since(thenMs: u32): u32 {
  let elapsedMs = now - thenMs;
  return elapsedMs > <u32>0 - CLOCKS_MS ? 0 : elapsedMs;
}

/** Around what several workers change; nothing for a worker that is alone. It may be taken again by its holder. */
export function lock(): void {
  if (shared) acquire(worker);
}

export function unlock(): void {
  if (shared) release();
}

/** Points the registers at the regions of one worker. */
export function attachWorker(index: u32): void {
  let base: usize = WORKERS_BASE + index * WORKER_BYTES;
  receiveList = base + WORKER_RECEIVE;
  transmitList = base + WORKER_TRANSMIT;
  packets = base + WORKER_PACKETS;
  state = base + WORKER_STATE;
  ownSlots = base + WORKER_OWN;
  tunnels = base + WORKER_TUNNELS;
  prepared = base + WORKER_PREPARED;
  counters = COUNTERS_BASE + index * COUNTERS_WORKER_BYTES;
  drops = DROPS_BASE + index * DROPS_WORKER_BYTES;
  seed = load<u32>(CONTROL_BASE, CONTROL_SEED);
  worker = index;
  workers = load<u32>(CONTROL_BASE, CONTROL_WORKERS);
  shared = workers > 1;

  let bits = load<u32>(CONTROL_BASE, CONTROL_BUCKET_BITS);
  tables = load<u32>(CONTROL_BASE, CONTROL_TABLE_BASE);
  shardBytes = SHARD_BYTES << bits;
  bucketMask = (<u32>1 << bits) - 1;
  connectionsMax = CONNECTIONS_PER_BUCKET << bits;
  rings = (tables + <usize>(workers + 1) * shardBytes + 4095) & ~4095;
  useShard(index);
  // Names of datagrams that may be cut: those of two workers must not meet at one receiver.
  if (shared && load<u32>(state, STATE_IDENTIFICATION) == 0) store<u32>(state, (worker << 16) / workers, STATE_IDENTIFICATION);
}

function useShard(index: u32): void {
  shard = index;
  table = index == workers ? <usize>CONTROL_BASE + CONTROL_COMMONS : state;
  buckets = shardStart(index);
  connections = recordsOf(index);
  dues = connections + <usize>connectionsMax * CONNECTION_BYTES;
  freed = dues + <usize>connectionsMax * DUE_BYTES;
}

function shardStart(index: u32): usize {
  return tables + <usize>index * shardBytes;
}

/** Where the connections of a shard lie. */
export function recordsOf(index: u32): usize {
  return shardStart(index) + <usize>(bucketMask + 1) * BUCKET_BYTES;
}

/**
 * From here to leaveCommons() the table is the one that workers share; the lock must be held. A worker that is
 * alone has everything in its own.
 */
export function enterCommons(): void {
  if (shared) useShard(workers);
}

export function leaveCommons(): void {
  if (shared) useShard(worker);
}

/**
 * From here on the table is that shard's; answers whose it was, to go back to. Another worker's may only be looked at, and
 * its owner goes on: what is found may just have ended.
 */
export function lookAt(index: u32): u32 {
  let before = shard;
  if (index != before) useShard(index);
  return before;
}

/** True between enterCommons() and leaveCommons(), but for a worker that is alone. */
export function inCommons(): bool {
  return shared && shard == workers;
}
