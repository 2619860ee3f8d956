// The scenario generator and the shrinker themselves, on the engine alone: a kernel need not be there.

import assert from "node:assert/strict";
import { test } from "node:test";
import { readScenario } from "../../host/replay/scenario.js";
import type { Step } from "../oracle/kernel/recorder.js";
import { createRecordedDirector, PORTS, type RecordedEvent } from "../oracle/recording.js";
import { Generator } from "./generator.js";
import { Random } from "./random.js";
import { shrink } from "./shrink.js";

const SEEDS = 25;
const STEPS = 400;
const WIRE_BYTES = 1514;

interface Played { steps: Step[]; outputs: RecordedEvent[]; refused: number }

async function play(seed: number): Promise<Played> {
  const replay = await createRecordedDirector();
  const generator = new Generator(new Random(seed));
  const played: Played = { steps: [], outputs: [], refused: 0 };
  for (let count = 0; count < STEPS; count++) {
    const step = generator.next();
    const [input] = readScenario(JSON.stringify(step), PORTS);
    assert.ok(input, `not an input: ${JSON.stringify(step)}`);
    const [echo, ...sent] = (await replay.play(input)) as RecordedEvent[];
    if (echo?.rc) played.refused++;
    played.steps.push(step);
    played.outputs.push(...sent);
    generator.observe(step, sent.map((one) => ({ port: one.if ?? "", bytes: Buffer.from(one.hex ?? "", "hex") })));
  }
  return played;
}

test(`${SEEDS} random scenarios: much comes out, nothing longer than the wire takes`, async () => {
  let sent = 0;
  let commands = 0;
  let refused = 0;
  for (let seed = 1; seed <= SEEDS; seed++) {
    const played = await play(seed);
    sent += played.outputs.length;
    commands += played.steps.filter((step) => step.ev === "cmd").length;
    refused += played.refused;
    for (const one of played.outputs) assert.ok((one.hex ?? "").length / 2 <= WIRE_BYTES, `seed ${seed}: ${one.hex?.slice(0, 80)}`);
  }
  assert.ok(sent > (SEEDS * STEPS) / 2, `only ${sent} frames came out`);
  assert.ok(refused < commands / 3, `${refused} of ${commands} commands were refused`);
});

test("the same seed makes the same scenario, another seed another", async () => {
  const [first, again, other] = [await play(3), await play(3), await play(4)];
  assert.deepEqual(first, again);
  assert.notDeepEqual(first.steps, other.steps);
});

test("shrinking finds the few steps that matter, within its number of tries", async () => {
  const steps = Array.from({ length: 100 }, (_, index) => index);
  let asks = 0;
  const small = await shrink(steps, async (left) => (asks++, left.includes(17) && left.includes(80)), 200);
  assert.deepEqual(small, [17, 80]);
  assert.ok(asks <= 200);
  const stopped = await shrink(steps, async (left) => left.includes(17), 2);
  assert.ok(stopped.includes(17) && stopped.length > 1, "two tries cannot find it all");
});
