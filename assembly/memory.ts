// Where this worker's regions lie. Globals are registers: each instance (one per worker) has its own,
// set once by attach(); everything that must outlive an instance is in the memory itself.

import {
  BUCKET_BYTES, CONNECTION_BYTES, CONTROL_BASE, CONTROL_BUCKET_BITS, CONTROL_SEED, CONTROL_TABLE_BASE,
  COUNTERS_BASE, COUNTERS_WORKER_BYTES, DROPS_BASE, DROPS_WORKER_BYTES, WORKERS_BASE, WORKER_BYTES,
  WORKER_OWN, WORKER_PACKETS, WORKER_RECEIVE, WORKER_STATE, WORKER_TRANSMIT,
} from "./abi/layout";
import { CONNECTIONS_PER_BUCKET } from "./abi/limits";

export let receiveList: usize = 0;
export let transmitList: usize = 0;
export let packets: usize = 0;
export let state: usize = 0;
export let ownSlots: usize = 0;
export let counters: usize = 0;
export let drops: usize = 0;
export let buckets: usize = 0;
export let bucketMask: u32 = 0;
export let connections: usize = 0;
export let connectionsMax: u32 = 0;
export let seed: u32 = 0;

/** The engine's clock in milliseconds, as last told by the host. */
export let now: u32 = 0;

export function setNow(value: u32): void {
  now = value;
}

/** Points the registers at the regions of one worker. */
export function attachWorker(worker: u32): void {
  let base: usize = WORKERS_BASE + worker * WORKER_BYTES;
  receiveList = base + WORKER_RECEIVE;
  transmitList = base + WORKER_TRANSMIT;
  packets = base + WORKER_PACKETS;
  state = base + WORKER_STATE;
  ownSlots = base + WORKER_OWN;
  counters = COUNTERS_BASE + worker * COUNTERS_WORKER_BYTES;
  drops = DROPS_BASE + worker * DROPS_WORKER_BYTES;

  let bits = load<u32>(CONTROL_BASE, CONTROL_BUCKET_BITS);
  let shardBytes = (BUCKET_BYTES + CONNECTIONS_PER_BUCKET * CONNECTION_BYTES) << bits;
  buckets = <usize>load<u32>(CONTROL_BASE, CONTROL_TABLE_BASE) + worker * shardBytes;
  bucketMask = (<u32>1 << bits) - 1;
  connections = buckets + ((<usize>BUCKET_BYTES) << bits);
  connectionsMax = CONNECTIONS_PER_BUCKET << bits;
  seed = load<u32>(CONTROL_BASE, CONTROL_SEED);
}
