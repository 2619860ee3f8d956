// A small budget of what `npm run fuzz:self` does for as long as one likes.

import assert from "node:assert/strict";
import { test } from "node:test";
import { compareSelf } from "./self.js";

const SEEDS = 8;
const FRAMES = 300;

for (let seed = 1; seed <= SEEDS; seed++) {
  test(`seed ${seed}: in groups, one at a time, and from several workers the same`, async () => {
    const { frames, difference } = await compareSelf(seed, FRAMES);
    assert.ok(frames >= FRAMES, `only ${frames} frames`);
    assert.equal(difference, undefined);
  });
}
