// What must hold of every scheduler's choices, whatever the servers' weights, limits and loads.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import fc from "fast-check";
import { Operation, ServerFlag } from "../../assembly/abi/enums.js";
import { SERVER_ACTIVE, SERVER_FLAGS, SERVER_WEIGHT } from "../../assembly/abi/layout.js";
import { Farm } from "../oracle/farm.js";

const module = await WebAssembly.compile(readFileSync(new URL("../../engine.wasm", import.meta.url)));

interface Rule {
  scheduler: string;
  flags?: string[];
  /** Takes full servers too: lblc asks a remembered server for its weight alone. */
  takesFull?: boolean;
  /** May refuse although a server is open: what is hashed to a closed server stays refused. */
  refuses?: boolean;
}

const RULES: Rule[] = [
  ...["rr", "wrr", "lc", "wlc", "sed", "nq", "fo", "ovf", "lblcr", "twos"].map((scheduler) => ({ scheduler })),
  { scheduler: "lblc", takesFull: true },
  ...["dh", "sh", "mh"].map((scheduler) => ({ scheduler, refuses: true })),
  { scheduler: "sh", flags: ["sh-fallback"] },
  { scheduler: "sh", flags: ["sh-fallback", "sh-port"] },
  { scheduler: "mh", flags: ["mh-fallback"] },
  { scheduler: "mh", flags: ["mh-fallback", "mh-port"] },
];

type Step = { do: "open"; client: number } | { do: "establish"; client: number } | { do: "reset"; client: number } |
  { do: "weigh"; server: number; weight: number };

const weight = fc.oneof(fc.nat(4), fc.constant(0), fc.nat(40));
const client = fc.nat(199);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant("open" as const), client }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("establish" as const), client }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("reset" as const), client }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("weigh" as const), server: fc.nat(7), weight }) },
);
const world = fc.record({
  weights: fc.array(weight, { minLength: 1, maxLength: 6 }),
  upper: fc.constantFrom(0, 2, 5),
  steps: fc.array(step, { minLength: 20, maxLength: 120 }),
});

const address = (n: number): string => `198.18.${n >> 4}.${1 + (n & 15)}`;

/** True when server n may be given a new connection. */
function isOpen(farm: Farm, n: number, scheduler: string): boolean {
  const weight = farm.serverWord(n, SERVER_WEIGHT);
  const full = (farm.serverWord(n, SERVER_FLAGS) & ServerFlag.Overload) !== 0;
  return weight > 0 && !full && (scheduler !== "ovf" || farm.serverWord(n, SERVER_ACTIVE) <= weight);
}

function checkChoice(farm: Farm, rule: Rule, servers: number[], connect: () => number | undefined): boolean {
  const open = servers.filter((n) => isOpen(farm, n, rule.scheduler));
  const weighty = servers.filter((n) => farm.serverWord(n, SERVER_WEIGHT) > 0);
  const chosen = connect();
  if (chosen === undefined) {
    assert.ok(rule.refuses || open.length === 0, `refused although ${open.join()} could serve`);
    return false;
  }
  assert.ok((rule.takesFull ? weighty : open).includes(chosen), `chose ${chosen}, open were ${open.join()}`);
  return true;
}

for (const rule of RULES) {
  test(`${[rule.scheduler, ...(rule.flags ?? [])].join(" ")}: no closed server is chosen, no open one overlooked`, async () => {
    await fc.assert(fc.asyncProperty(world, async ({ weights, upper, steps }) => {
      const farm = await Farm.create(module, { ...rule, weights, upper });
      const servers = weights.map((_, index) => index + 1);
      const live = new Set<number>();
      for (const one of steps) {
        if (one.do === "weigh") {
          farm.set(Operation.ServerEdit, 1 + (one.server % weights.length), one.weight);
        } else if (one.do === "reset") {
          farm.reset(address(one.client), 40000);
        } else if (!live.has(one.client)) {
          const source = address(one.client);
          const connect = (): number | undefined => (one.do === "open" ? farm.open(source) : farm.establish(source, 40000));
          if (checkChoice(farm, rule, servers, connect)) live.add(one.client);
        }
      }
    }), { numRuns: 25 });
  });
}

test("wrr: over one full period each server has exactly its share, from wherever the period is begun", async () => {
  const divisor = (a: number, b: number): number => (b === 0 ? a : divisor(b, a % b));
  await fc.assert(fc.asyncProperty(
    fc.array(fc.nat(12), { minLength: 1, maxLength: 8 }).filter((weights) => weights.some((one) => one > 0)),
    fc.integer({ min: 1, max: 5 }), fc.nat(30),
    async (parts, factor, before) => {
      const weights = parts.map((one) => one * factor);
      const farm = await Farm.create(module, { scheduler: "wrr", weights });
      const unit = weights.reduce(divisor, 0);
      const period = weights.reduce((sum, one) => sum + one / unit, 0);
      for (let k = 0; k < before; k++) farm.open("10.0.1.50", 20000 + k);
      const counts = weights.map(() => 0);
      for (let k = 0; k < period; k++) {
        const chosen = farm.open("10.0.1.50", 30000 + k) ?? 0;
        counts[chosen - 1] = (counts[chosen - 1] ?? 0) + 1;
      }
      assert.deepEqual(counts, weights.map((one) => one / unit));
    }), { numRuns: 60 });
});

test("wrr answers at once when only a light server beside a full one of weight 2147483647 is left", async () => {
  const farm = await Farm.create(module, { scheduler: "wrr", weights: [1, 2147483647], upper: 3 });
  const chosen = Array.from({ length: 7 }, (_, k) => farm.open("10.0.1.50", 40000 + k));
  // The light server was there first, so the turns begin at its weight, as in the kernel.
  assert.deepEqual(chosen, [2, 1, 2, 2, 1, 1, undefined]);
});

const DRAWS = 3000;

test("twos: over many connections each server has its weight's share, and a drained one nothing", async () => {
  const weights = [1, 2, 3, 4, 0];
  for (const seed of [1, 2, 3]) {
    const farm = await Farm.create(module, { scheduler: "twos", weights, seed });
    const counts = weights.map(() => 0);
    for (let k = 0; k < DRAWS; k++) {
      const chosen = farm.open("10.0.1.50", 20000 + k) ?? 0;
      counts[chosen - 1] = (counts[chosen - 1] ?? 0) + 1;
    }
    counts.forEach((count, index) => {
      const share = (DRAWS * (weights[index] ?? 0)) / 10;
      assert.ok(Math.abs(count - share) <= DRAWS * 0.02, `server ${index + 1}: ${count} of ${DRAWS}, its share is ${share}`);
    });
  }
});

test("twos: the same seed draws the same, another seed draws otherwise", async () => {
  const run = async (seed: number): Promise<string> => {
    const farm = await Farm.create(module, { scheduler: "twos", weights: [1, 1, 1, 1], seed });
    return Array.from({ length: 50 }, (_, k) => farm.open("10.0.1.50", 40000 + k)).join("");
  };
  assert.equal(await run(7), await run(7));
  assert.notEqual(await run(7), await run(8));
});
