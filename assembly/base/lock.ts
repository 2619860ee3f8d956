// The one lock of the memory. What several workers change (servers' counts, schedulers, neighbours, the commons)
// is changed under it; what a known connection's packet needs is not. A worker that is alone never takes it.
//
// It is held for one such change, or for one new connection: some microseconds. It may be taken again by its
// holder, so that whoever needs it takes it where it is needed.

import { CONTROL_BASE, CONTROL_LOCK } from "../abi/layout";

const WORD: usize = <usize>CONTROL_BASE + CONTROL_LOCK;
/** Looks before a waiter lets the processor go: longer than the lock is held while its holder runs. */
const LOOKS: u32 = 200;
/** A holder that was put to sleep is looked for again after this long. */
const REST_NS: i64 = 50000;

let depth: u32 = 0;

/** Takes the lock for a worker. */
export function acquire(worker: u32): void {
  if (depth++ != 0) return;
  let looks: u32 = 0;
  while (atomic.cmpxchg<u32>(WORD, 0, worker + 1) != 0) {
    if (++looks < LOOKS) continue;
    let holder = atomic.load<u32>(WORD);
    if (holder != 0) atomic.wait<i32>(WORD, <i32>holder, REST_NS);
  }
}

export function release(): void {
  if (--depth == 0) atomic.store<u32>(WORD, 0);
}
