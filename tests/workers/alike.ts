// The same steps done by one worker and by several: nobody outside may see the difference.

import assert from "node:assert/strict";
import type { Replay, ReplayOptions } from "../../host/replay/replay.js";
import { readScenario } from "../../host/replay/scenario.js";
import { Random } from "../fuzz/random.js";
import { compareEvents, describeDifference } from "../oracle/compare.js";
import type { Step } from "../oracle/kernel/recorder.js";
import { createRecordedDirector, PORTS, type RecordedEvent } from "../oracle/recording.js";

const SEEDS = [1, 2, 3];

export const command = (cmd: string): Step => ({ ev: "cmd", cmd });
export const pass = (seconds: number): Step => ({ ev: "advance", s: seconds });
/** A frame into the port of the clients' side. */
export const outside = (frame: Uint8Array): Step => ({ ev: "in", if: "out", hex: Buffer.from(frame).toString("hex") });
/** A frame into the port of the servers' side. */
export const inside = (frame: Uint8Array): Step => ({ ev: "in", if: "in", hex: Buffer.from(frame).toString("hex") });

/** So many workers, whom frames reach at random, or always the one given. */
export function crowd(workers: number, seed: number, only?: number): ReplayOptions {
  const random = new Random(seed);
  return { workers, chooseWorker: () => only ?? random.below(workers) };
}

export async function play(replay: Replay, step: Step): Promise<RecordedEvent[]> {
  const [input] = readScenario(JSON.stringify(step), PORTS);
  if (!input) throw new RangeError(`not an input: ${JSON.stringify(step)}`);
  return (await replay.play(input)) as RecordedEvent[];
}

/** Does all steps; each is followed by what came of it. */
async function record(steps: readonly Step[]): Promise<RecordedEvent[]> {
  const replay = await createRecordedDirector();
  const events: RecordedEvent[] = [];
  for (const step of steps) {
    const [echo, ...sent] = await play(replay, step);
    events.push({ ...(echo as RecordedEvent), gt: 0 }, ...sent);
  }
  return events;
}

/** Asserts that two, three and four workers do as one, whomever frames reach; answers what the one did. */
export async function assertAlike(steps: readonly Step[]): Promise<RecordedEvent[]> {
  const events = await record(steps);
  for (const workers of [2, 3, 4]) {
    for (const options of [...SEEDS.map((seed) => crowd(workers, seed)), crowd(workers, 0, 0), crowd(workers, 0, workers - 1)]) {
      const differences = await compareEvents(events, options);
      assert.equal(differences.length, 0, `with ${workers} workers: ${differences.slice(0, 3).map(describeDifference).join("\n")}`);
    }
  }
  return events;
}
