// The times that scenarios let pass, and the timeouts in them, beside the grain of the kernel's timers: what ends, ends in the
// same step in a kernel, which is late by a grain, and in the engine, which is not.

import assert from "node:assert/strict";
import { test } from "node:test";
import { GRAIN_SECONDS, lateSeconds, secondsToGrain, STEP_SECONDS } from "../oracle/kernel/grain.js";
import { PERSISTENCE_SECONDS } from "./place.js";

/** CLOSE, missing pieces of IPv4, the minute of many states, two, "ipvsadm --set 146 146 146", UDP. */
const TIMEOUTS_SECONDS = [10, 30, 60, 120, 146, 300];
const UDP_SECONDS = [146, 300];
/** Of IPv4, of IPv6. */
const MISSING_SECONDS = [30, 60];
const ROUND_SECONDS = 60;
/** A template that connections keep for more rounds may be one round ahead in one of the two. */
const ROUNDS = 3;
const STEPS_MAX = 40;

const stepOf = (seconds: number): number => Math.ceil(seconds / STEP_SECONDS - 1e-9);

test("a timeout ends in the same step, late or not", () => {
  for (const seconds of [...TIMEOUTS_SECONDS, ...PERSISTENCE_SECONDS]) assert.equal(stepOf(seconds), stepOf(lateSeconds(seconds)), `${seconds} s`);
});

test("a template sees the same connections when its time is over, late or not, in every round", () => {
  for (const persistence of PERSISTENCE_SECONDS) {
    for (let round = 0; round <= ROUNDS; round++) {
      const due = persistence + round * ROUND_SECONDS;
      const late = lateSeconds(persistence) + round * lateSeconds(ROUND_SECONDS);
      assert.equal(stepOf(due), stepOf(late), `${persistence} s, round ${round}`);
      for (const timeout of TIMEOUTS_SECONDS) {
        for (let step = -STEPS_MAX; step <= STEPS_MAX; step++) {
          const [end, lateEnd] = [timeout, lateSeconds(timeout)].map((seconds) => step * STEP_SECONDS + seconds) as [number, number];
          assert.ok(Math.abs(lateEnd - late) > 1e-6, `both are due at ${late} s: ${persistence} s in round ${round}, ${timeout} s`);
          assert.equal(end > due, lateEnd > late, `${persistence} s in round ${round}, ${timeout} s from step ${step}`);
        }
      }
    }
  }
});

test("missing pieces are given up before the connection ends, or after it, late or not", () => {
  for (const timeout of UDP_SECONDS) {
    for (const missing of MISSING_SECONDS) {
      for (let step = -STEPS_MAX; step <= STEPS_MAX; step++) {
        const [given, lateGiven] = [missing, lateSeconds(missing)].map((seconds) => step * STEP_SECONDS + seconds) as [number, number];
        assert.equal(given < timeout, lateGiven < lateSeconds(timeout), `${missing} s from step ${step}, ${timeout} s`);
        assert.ok(Math.abs(lateGiven - lateSeconds(timeout)) > 1e-6, `both at ${lateGiven} s`);
      }
    }
  }
});

test("a guest goes on to where a long grain has just begun", () => {
  const told = "now at 13283104512 nsecs\n\njiffies: 4294938625\n";
  assert.ok(Math.abs(secondsToGrain(told) - (8 * GRAIN_SECONDS - 0.01 - 0.003104512 + 0.045)) < 1e-9);
  assert.throws(() => secondsToGrain("nothing"), /does not tell its ticks/);
});
