// A ring that writes have filled to its last place: reads that begin then take nobody's place.

import assert from "node:assert/strict";
import { it, type TestContext } from "node:test";
import { Bench, numbered, upTo } from "./contractbench.js";
import { inNamespaces } from "./inside.js";
import { ringProblem } from "./ringprobe.js";

/** Slots of the only port, after which the kernel's read ends and has to be begun again. */
const SHARE_SLOTS = 64;
const SUBMISSIONS = 256;

inNamespaces("a full ring", import.meta.url, () => {
  for (const count of [SUBMISSIONS - 1, SUBMISSIONS, 2 * SUBMISSIONS]) {
    it(`${count} frames leave though the port has to be read anew`, { skip: ringProblem() ?? false }, async (context) => {
      const bench = await Bench.build(context as TestContext, "uring");
      const driver = bench.open(context as TestContext);
      for (const number of upTo(SHARE_SLOTS + 1)) bench.end.send(numbered(number));
      for (let filled = 0; filled < SHARE_SLOTS;) {
        filled += driver.fill();
        if (filled < SHARE_SLOTS) driver.wait();
      }
      bench.send(driver, count);
      driver.wait();
      driver.settle();
      assert.deepEqual(await bench.arrived(count), upTo(count));
      assert.deepEqual(bench.refused, []);
    });
  }
});
