// The engine against itself: what must not be seen. Frames in groups on the express road give what one at a time on the
// long road give, byte for byte and in the same order; several workers whom frames reach at random give the same.

import { CONTROL_BASE, CONTROL_GROUP, CONTROL_LONG_ROAD, CONTROL_NOW_MS } from "../../assembly/abi/layout.js";
import type { Replay } from "../../host/replay/replay.js";
import { readScenario } from "../../host/replay/scenario.js";
import { compareEvents, describeDifference, shortened } from "../oracle/compare.js";
import type { Step } from "../oracle/kernel/recorder.js";
import { byConnection } from "../oracle/mask.js";
import { createRecordedDirector, PORTS, type RecordedEvent } from "../oracle/recording.js";
import { Generator } from "./generator.js";
import { Cast } from "./plays/cast.js";
import { Random } from "./random.js";

const RUN_MAX = 16;
/** Every so many seeds there are plays between the flows: marks, FTP, SIP, SCTP, mixed families, churn. */
const CAST_EVERY = 4;
/** Numbers of workers, seed after seed. */
const WORKERS = [2, 3, 4];
const SLOT_BYTES = 2112;
const SLOT_HEADROOM_BYTES = 66;

/** Steps that were done at once, and what came of each. */
interface Run { steps: Step[]; outcomes: RecordedEvent[][] }

async function play(replay: Replay, step: Step): Promise<RecordedEvent[]> {
  const [input] = readScenario(JSON.stringify(step), PORTS);
  if (!input) throw new RangeError(`not an input: ${JSON.stringify(step)}`);
  return (await replay.play(input)) as RecordedEvent[];
}

/** A scenario with each frame by itself, all of them on the long road. */
async function playSlowly(seed: number, framesMax: number): Promise<Run[]> {
  const replay = await createRecordedDirector();
  replay.engine.view.setUint32(CONTROL_BASE + CONTROL_LONG_ROAD, 1, true);
  replay.engine.view.setUint32(CONTROL_BASE + CONTROL_GROUP, 1, true);
  const random = new Random(seed);
  const generator = new Generator(random, seed % CAST_EVERY === 0 ? new Cast(random) : undefined);
  const runs: Run[] = [];
  for (let frames = 0; frames < framesMax;) {
    const steps = generator.nextRun(RUN_MAX);
    const outcomes: RecordedEvent[][] = [];
    for (const step of steps) {
      const outcome = await play(replay, step);
      outcomes.push(outcome);
      generator.observe(step, outcome.slice(1).map((one) => ({ port: one.if ?? "", bytes: Buffer.from(one.hex ?? "", "hex") })));
    }
    runs.push({ steps, outcomes });
    if (steps[0]?.ev === "in") frames += steps.length;
  }
  return runs;
}

/** Frames into a port as one batch; what came out as "PORT HEX". */
function receiveAtOnce(replay: Replay, port: string, frames: readonly Buffer[]): string[] {
  const { engine } = replay;
  frames.forEach((bytes, index) => {
    const at = engine.arenaBase + index * SLOT_BYTES + SLOT_HEADROOM_BYTES;
    engine.bytes.set(bytes, at);
    engine.enter(index, at, bytes.length, [...PORTS].indexOf(port) + 1);
  });
  const count = engine.receive(frames.length, engine.view.getUint32(CONTROL_BASE + CONTROL_NOW_MS, true));
  return Array.from({ length: count }, (_, index) => {
    const sent = engine.sent(index);
    return `${[...PORTS][sent.port - 1]} ${Buffer.from(engine.bytes.slice(sent.frame, sent.frame + sent.bytes)).toString("hex")}`;
  });
}

/**
 * Connections are listed by their records, and which record one gets is not seen otherwise: beginnings of a group take theirs
 * together, before what ends in the same group gives its own back.
 */
const told = (outcome: RecordedEvent[]): string[] => {
  const [echo, ...sent] = outcome;
  return [`${echo?.rc ?? ""} ${byConnection(echo?.stdout ?? "")}${echo?.stderr ?? ""}`, ...sent.map((one) => `${one.if} ${one.hex}`)];
};

/** The first run that comes out otherwise when its frames are one batch, in words; undefined when none does. */
async function differsInGroups(runs: readonly Run[]): Promise<string | undefined> {
  const replay = await createRecordedDirector({ arenaBytes: SLOT_BYTES * (RUN_MAX + 32) });
  for (const [index, { steps, outcomes }] of runs.entries()) {
    const [first] = steps;
    const isFrames = first?.ev === "in";
    const slow = isFrames ? outcomes.flatMap((one) => told(one).slice(1)) : outcomes.flatMap(told);
    const fast = isFrames
      ? receiveAtOnce(replay, first.if, steps.map((step) => Buffer.from(step.ev === "in" ? step.hex : "", "hex")))
      : told(await play(replay, first as Step));
    if (slow.join("\n") === fast.join("\n")) continue;
    return `run ${index} of ${steps.length}: ${shortened(JSON.stringify(first))}`
      + `\n  slowly ${slow.map(shortened).join("\n         ")}`
      + `\n  at once ${fast.map(shortened).join("\n          ")}`;
  }
  return undefined;
}

async function differsWithWorkers(seed: number, runs: readonly Run[]): Promise<string | undefined> {
  const events = runs.flatMap(({ steps, outcomes }) => steps.flatMap((step, index): RecordedEvent[] => [
    { ...(outcomes[index]?.[0] as RecordedEvent), gt: 0 }, ...(outcomes[index] ?? []).slice(1).map((one) => ({ ...one, gt: 0 })),
  ]));
  const random = new Random(seed);
  const workers = WORKERS[seed % WORKERS.length] ?? 2;
  const [found] = await compareEvents(events, { workers, chooseWorker: () => random.below(workers) });
  return found && `with ${workers} workers: ${describeDifference(found)}`;
}

export interface SelfResult { frames: number; difference: string | undefined }

/** One seed's scenario in all ways. */
export async function compareSelf(seed: number, framesMax: number): Promise<SelfResult> {
  const runs = await playSlowly(seed, framesMax);
  const frames = runs.reduce((total, { steps }) => total + (steps[0]?.ev === "in" ? steps.length : 0), 0);
  return { frames, difference: (await differsInGroups(runs)) ?? (await differsWithWorkers(seed, runs)) };
}
