// What the unit tests share: a fresh engine memory, frames' places, a seeded generator.

import {
  CONTROL_BASE, CONTROL_BUCKET_BITS, CONTROL_SEED, CONTROL_TABLE_BASE, CONTROL_WORKERS, FIXED_END, REQUEST_BASE,
  REQUEST_BYTES,
} from "../../assembly/abi/layout";
import { Operation } from "../../assembly/abi/enums";
import { control, init } from "../../assembly/control";
import { attachWorker, setNow } from "../../assembly/memory";

/** Between the engine's fixed regions (below 92 MiB) and the tests' heap (above 106 MiB). */
export const TABLE_BASE: usize = 92 << 20;
/** Room for frames and for whatever a test writes. */
export const SCRATCH: usize = 100 << 20;
export const BUCKET_BITS: u32 = 8;
export const BUCKETS: u32 = 1 << BUCKET_BITS;
if (FIXED_END > 92 << 20) ERROR("the unit tests' table lies inside the engine's regions");

/** An empty engine with one worker attached and its clock at 1000 ms. */
export function freshEngine(): void {
  memory.fill(CONTROL_BASE, 0, FIXED_END - CONTROL_BASE);
  memory.fill(TABLE_BASE, 0, 1 << 20);
  store<u32>(CONTROL_BASE, 1, CONTROL_WORKERS);
  store<u32>(CONTROL_BASE, BUCKET_BITS, CONTROL_BUCKET_BITS);
  store<u32>(CONTROL_BASE, 7, CONTROL_SEED);
  store<u32>(CONTROL_BASE, <u32>TABLE_BASE, CONTROL_TABLE_BASE);
  assert(init() == 0, "init");
  attachWorker(0);
  setNow(1000);
}

/** Zeroes the request record. */
export function freshRequest(): void {
  memory.fill(REQUEST_BASE, 0, REQUEST_BYTES);
}

/** Does an operation that must succeed; its answer. */
export function must(operation: Operation): u32 {
  let answer = control(<u32>operation);
  assert(answer >= 0, `operation ${<i32>operation} answered ${answer}`);
  return <u32>answer;
}

/** An IPv4 address as it lies on the wire. */
export function ip4(a: u32, b: u32, c: u32, d: u32): u32 {
  return a | (b << 8) | (c << 16) | (d << 24);
}

let generator: u32 = 1;

export function seedRandom(seed: u32): void {
  generator = seed;
}

export function random(below: u32): u32 {
  generator ^= generator << 13;
  generator ^= generator >> 17;
  generator ^= generator << 5;
  return generator % below;
}
