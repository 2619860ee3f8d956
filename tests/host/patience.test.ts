// Looking before sleeping: only by who is used to be called soon, and never for long.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Patience } from "../../host/io/patience.js";

const LONGEST_MS = 0.12;
const never = (): boolean => false;

/** Waits that end at once: the usual wait becomes short. */
function accustomed(): Patience {
  const patience = new Patience();
  for (let wait = 0; wait < 40; wait++) if (!patience.look(() => true)) patience.end();
  return patience;
}

/** How often a look asks whether there is work. */
function asked(patience: Patience): number {
  let count = 0;
  patience.look(() => {
    count++;
    return false;
  });
  return count;
}

describe("patience", () => {
  it("does not look as long as nothing comes soon", () => {
    assert.equal(asked(new Patience()), 0);
  });

  it("looks when waits usually are short, finds what comes, and gives up soon", () => {
    // Others may take the processor away and so end a look early: one of several tries sees all of it.
    const tries = Array.from({ length: 50 }, () => {
      const patience = accustomed();
      let looks = 0;
      const isFound = patience.look(() => ++looks === 3);
      const beganMs = performance.now();
      const isGivenUp = !patience.look(never);
      return isFound && isGivenUp && performance.now() - beganMs < 10 * LONGEST_MS;
    });
    assert.ok(tries.includes(true));
  });

  it("stops looking after some long sleeps", () => {
    const patience = accustomed();
    for (let wait = 0; wait < 20; wait++) {
      if (patience.look(never)) continue;
      const untilMs = performance.now() + 10 * LONGEST_MS;
      while (performance.now() < untilMs);
      patience.end();
    }
    assert.equal(asked(patience), 0);
  });
});
