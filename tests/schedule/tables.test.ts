// The tables of the hashing schedulers: who has how many places, and who keeps them when servers come and go.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import fc from "fast-check";
import { Operation } from "../../assembly/abi/enums.js";
import { Farm } from "../oracle/farm.js";

const module = await WebAssembly.compile(readFileSync(new URL("../../engine.wasm", import.meta.url)));
const MAGLEV_PLACES = 4093;
const TURNS_MAX = 64;

const weights = fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 2, maxLength: 24 });

/** Places by server, index 0 for places nobody has. */
function counts(table: number[], servers: number): number[] {
  const found = Array<number>(servers + 1).fill(0);
  for (const server of table) found[server] = (found[server] ?? 0) + 1;
  return found;
}

function divisorOf(numbers: number[]): number {
  const divisor = (a: number, b: number): number => (b === 0 ? a : divisor(b, a % b));
  return numbers.reduce(divisor, 0);
}

test("mh: the table is full, and each server has its weight's share of it, to one turn", async () => {
  await fc.assert(fc.asyncProperty(weights, async (weights) => {
    const farm = await Farm.create(module, { scheduler: "mh", weights });
    const turns = weights.map((weight) => weight / divisorOf(weights));
    assert.ok(Math.max(...turns) < TURNS_MAX, "no weight of this test is scaled");
    const round = turns.reduce((sum, one) => sum + one, 0);
    const [nobody, ...found] = counts(farm.slabHalves(MAGLEV_PLACES), weights.length);
    assert.equal(nobody, 0);
    found.forEach((places, index) => {
      const turn = turns[index] ?? 0;
      assert.ok(places >= turn * Math.floor(MAGLEV_PLACES / round) && places <= turn * Math.ceil(MAGLEV_PLACES / round),
        `server ${index + 1} has ${places} places, ${turn} in each round of ${round}`);
    });
  }), { numRuns: 40 });
});

test("mh: a server that goes moves at most a thirtieth of the others' places", async () => {
  await fc.assert(fc.asyncProperty(fc.integer({ min: 3, max: 40 }), fc.nat(), async (servers, which) => {
    const farm = await Farm.create(module, { scheduler: "mh", weights: Array<number>(servers).fill(1) });
    const gone = 1 + (which % servers);
    const before = farm.slabHalves(MAGLEV_PLACES);
    farm.remove(gone);
    const after = farm.slabHalves(MAGLEV_PLACES);
    assert.ok(!after.includes(gone) && !after.includes(0));
    const moved = before.filter((server, place) => server !== gone && server !== after[place]).length;
    assert.ok(moved <= MAGLEV_PLACES / 30, `${moved} of ${MAGLEV_PLACES} places moved`);
  }), { numRuns: 40 });
});

test("mh: draining a server moves nobody, and neither does taking it back", async () => {
  await fc.assert(fc.asyncProperty(weights, fc.nat(), async (weights, which) => {
    const farm = await Farm.create(module, { scheduler: "mh", weights });
    const drained = which % weights.length;
    const before = farm.slabHalves(MAGLEV_PLACES);
    farm.set(Operation.ServerEdit, drained + 1, 0);
    assert.deepEqual(farm.slabHalves(MAGLEV_PLACES), before);
    farm.set(Operation.ServerEdit, drained + 1, weights[drained] ?? 0);
    assert.deepEqual(farm.slabHalves(MAGLEV_PLACES), before);
  }), { numRuns: 30 });
});

test("mh: a drained server that is removed and added again drained has no places", async () => {
  const farm = await Farm.create(module, { scheduler: "mh", weights: [3, 3] });
  farm.set(Operation.ServerEdit, 2, 0);
  assert.ok(farm.slabHalves(MAGLEV_PLACES).includes(2));
  farm.remove(2);
  farm.set(Operation.ServerAdd, 2, 0);
  assert.deepEqual(counts(farm.slabHalves(MAGLEV_PLACES), 2), [0, MAGLEV_PLACES, 0]);
});

test("mh: without any weight the table is empty and everybody is refused", async () => {
  const farm = await Farm.create(module, { scheduler: "mh", weights: [0, 0], flags: ["mh-fallback"] });
  assert.deepEqual(counts(farm.slabHalves(MAGLEV_PLACES), 2), [MAGLEV_PLACES, 0, 0]);
  assert.equal(farm.open("10.0.1.50"), undefined);
});

test("mh: weights of thousands of millions are scaled, the small ones keep a place in each round", async () => {
  const farm = await Farm.create(module, { scheduler: "mh", weights: [1, 2147483647, 2147483647 >> 1] });
  const [, light = 0, heavy = 0, half = 0] = counts(farm.slabHalves(MAGLEV_PLACES), 3);
  assert.ok(light >= Math.floor(MAGLEV_PLACES / (2 * TURNS_MAX)) && light < MAGLEV_PLACES / 32);
  assert.ok(Math.abs(heavy - 2 * half) <= 2 * TURNS_MAX);
});

test("sh: in each round a server has as many places as weight, at least one; the newest is first", async () => {
  await fc.assert(fc.asyncProperty(fc.array(fc.nat(20), { minLength: 1, maxLength: 10 }), async (weights) => {
    const farm = await Farm.create(module, { scheduler: "sh", weights });
    const round = weights.map((weight, index) => Array<number>(Math.max(weight, 1)).fill(index + 1)).reverse().flat();
    assert.deepEqual(farm.slab(256), Array.from({ length: 256 }, (_, place) => round[place % round.length]));
  }), { numRuns: 40 });
});

test("dh: the servers have the places in turn, whatever they weigh; none when there is no server", async () => {
  const farm = await Farm.create(module, { scheduler: "dh", weights: [0, 7, 1] });
  assert.deepEqual(farm.slab(6), [3, 2, 1, 3, 2, 1]);
  farm.remove(2);
  assert.deepEqual(farm.slab(6), [3, 1, 3, 1, 3, 1]);
  farm.remove(1);
  farm.remove(3);
  assert.deepEqual(counts(farm.slab(256), 3), [256, 0, 0, 0]);
  assert.equal(farm.open("10.0.1.50"), undefined);
});
