// Between batches a request may change what all workers read: while it does, the others stay out of the engine.
//
// A worker says that it is inside before it looks whether the gate is closed, and whoever closes the gate says so
// before he looks who is inside: so one of them always sees the other. Who sleeps at his devices is outside.

import { WORD_CLOSED, WORD_INSIDE } from "./words.js";

/** Longest time that a batch may take, many times over: a machine may lend a worker's processor to others for seconds. */
const CLOSING_MS = 5000;
const LOOK_MS = 20;

/** Some worker does not come out. */
export class GateError extends Error {}

export class Gate {
  constructor(private readonly words: Int32Array, private readonly workers: number) {}

  /** Goes in as soon as the gate is open. */
  enter(worker: number): void {
    if (this.workers === 1) return;
    for (;;) {
      Atomics.store(this.words, WORD_INSIDE + worker, 1);
      if (Atomics.load(this.words, WORD_CLOSED) === 0) return;
      this.leave(worker);
      Atomics.wait(this.words, WORD_CLOSED, 1, LOOK_MS);
    }
  }

  /** Also said of a worker that has ended, by who knows. */
  leave(worker: number): void {
    if (this.workers === 1) return;
    Atomics.store(this.words, WORD_INSIDE + worker, 0);
    if (Atomics.load(this.words, WORD_CLOSED) !== 0) Atomics.notify(this.words, WORD_INSIDE + worker);
  }

  /** Closes the gate and returns when everybody else is out. Throws a GateError, and is open, when somebody stays. */
  close(closer: number): void {
    if (this.workers === 1) return;
    Atomics.store(this.words, WORD_CLOSED, 1);
    const untilMs = performance.now() + CLOSING_MS;
    for (let worker = 0; worker < this.workers; worker++) {
      while (worker !== closer && Atomics.load(this.words, WORD_INSIDE + worker) !== 0) {
        const leftMs = untilMs - performance.now();
        if (leftMs <= 0) {
          this.open();
          throw new GateError(`worker ${worker} did not finish its batch in ${CLOSING_MS} ms`);
        }
        Atomics.wait(this.words, WORD_INSIDE + worker, 1, Math.min(leftMs, LOOK_MS));
      }
    }
  }

  open(): void {
    if (this.workers === 1) return;
    Atomics.store(this.words, WORD_CLOSED, 0);
    Atomics.notify(this.words, WORD_CLOSED);
  }
}
