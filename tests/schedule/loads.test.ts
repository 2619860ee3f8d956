// Services of many servers keep their loads side by side: what they choose must be what a walk through the list
// chooses, ties included, whatever happens to servers and connections meanwhile, and whichever worker asks.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import fc from "fast-check";
import { Operation, ServerFlag } from "../../assembly/abi/enums.js";
import {
  SERVER_ACTIVE, SERVER_FLAGS, SERVER_INACTIVE, SERVER_WEIGHT, SERVICE_BYTES, SERVICE_SLAB, SERVICES_BASE,
} from "../../assembly/abi/layout.js";
import { addNeighbor } from "../../host/engine/requests.js";
import { Farm } from "../oracle/farm.js";
import { IN } from "../oracle/recording.js";

const module = await WebAssembly.compile(readFileSync(new URL("../../engine.wasm", import.meta.url)));
const SERVERS = 70;
const CLIENTS = 400;

/** The load as a fraction, and whether the server is taken before all others. */
function loadOf(farm: Farm, scheduler: string, n: number): { load: bigint; weight: bigint; first: boolean } | undefined {
  const word = (offset: number): bigint => BigInt(farm.serverWord(n, offset));
  const weight = word(SERVER_WEIGHT);
  if (weight === 0n || (farm.serverWord(n, SERVER_FLAGS) & ServerFlag.Overload) !== 0) return undefined;
  const overhead = word(SERVER_ACTIVE) * 256n + word(SERVER_INACTIVE);
  if (scheduler === "lc") return { load: overhead, weight: 1n, first: false };
  if (scheduler === "wlc") return { load: overhead, weight, first: false };
  return { load: word(SERVER_ACTIVE) + 1n, weight, first: scheduler === "nq" && word(SERVER_ACTIVE) === 0n };
}

/** The kernel's walk: the list is newest first, and the first met wins a tie. */
function walk(farm: Farm, scheduler: string, list: readonly number[]): number | undefined {
  let best: { n: number; load: bigint; weight: bigint } | undefined;
  for (const n of list) {
    const one = loadOf(farm, scheduler, n);
    if (one === undefined) continue;
    if (one.first) return n;
    if (best === undefined || best.load * one.weight > one.load * best.weight) best = { n, ...one };
  }
  return best?.n;
}

const client = fc.nat(CLIENTS - 1);
const step = fc.oneof(
  { weight: 8, arbitrary: fc.record({ do: fc.constant("open" as const), client }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant("establish" as const), client }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("reset" as const), client }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("rest" as const), seconds: fc.integer({ min: 1, max: 4 }) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("weigh" as const), server: fc.nat(SERVERS - 1), weight: fc.oneof(fc.nat(3), fc.nat(1 << 19)) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("remove" as const), server: fc.nat(SERVERS - 1) }) },
);
// In all less than the two minutes after which a removed server is forgotten, and its record another's.
const world = fc.record({
  weights: fc.array(fc.oneof(fc.nat(4), fc.constant(7)), { minLength: 15, maxLength: SERVERS }),
  upper: fc.constantFrom(0, 0, 3), workers: fc.constantFrom(1, 2, 3), steps: fc.array(step, { minLength: 60, maxLength: 250 }),
});
const address = (n: number): string => `198.18.${n >> 4}.${1 + (n & 15)}`;

for (const scheduler of ["lc", "wlc", "sed", "nq"]) {
  test(`${scheduler} over many servers chooses as a walk does`, async () => {
    let arranged = 0;
    await fc.assert(fc.asyncProperty(world, async ({ weights, upper, workers, steps }) => {
      const farm = await Farm.create(module, { scheduler, weights, upper, workers });
      weights.forEach((_, index) => addNeighbor(farm.engine, IN, `10.0.2.${11 + index}`, `02:00:00:00:02:${(11 + index).toString(16).padStart(2, "0")}`));
      let list = weights.map((_, index) => index + 1).reverse();
      // Every connection has a port of its own.
      const opened: [string, number][] = [];
      for (const one of steps) {
        if (one.do === "weigh") {
          const n = 1 + (one.server % weights.length);
          if (list.includes(n)) farm.set(Operation.ServerEdit, n, one.weight);
        } else if (one.do === "remove") {
          const n = 1 + (one.server % weights.length);
          // A removed server comes back at the head of the list.
          if (!list.includes(n)) list = [n, ...list];
          else list = list.filter((other) => other !== n);
          if (list.includes(n)) farm.set(Operation.ServerAdd, n, 2);
          else farm.remove(n);
        } else if (one.do === "rest") {
          farm.pass(one.seconds * 1000);
        } else if (one.do === "reset") {
          const [source, port] = opened[one.client % Math.max(1, opened.length)] ?? [address(one.client), 1];
          farm.reset(source, port);
        } else {
          const source = address(one.client);
          const port = 20000 + opened.length;
          const expected = walk(farm, scheduler, list);
          const chosen = one.do === "open" ? farm.open(source, port) : farm.establish(source, port);
          opened.push([source, port]);
          assert.equal(chosen, expected);
        }
        if (farm.word(SERVICES_BASE + SERVICE_BYTES + SERVICE_SLAB) !== 0) arranged++;
      }
    }), { numRuns: 15 });
    assert.ok(arranged > 200, "the loads were kept side by side");
  });
}
