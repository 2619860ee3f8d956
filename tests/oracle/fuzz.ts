// npm run oracle:fuzz -- --seed N --minutes M [--cache FOLDER] [--cases FOLDER] [--scenarios N] [--asks N]
// Random scenarios on a real kernel and on the engine; a difference is made small and written down.

import { mkdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { gzipSync } from "node:zlib";
import { Generator } from "../fuzz/generator.js";
import { Random } from "../fuzz/random.js";
import { shrink } from "../fuzz/shrink.js";
import { compareEvents, describeDifference, shortened, type Difference } from "./compare.js";
import { Guest } from "./kernel/guest.js";
import { prepareGuest } from "./kernel/packages.js";
import { linesOf, record, Recorder, type Step } from "./kernel/recorder.js";
import { recordedConfig, type RecordedEvent } from "./recording.js";
import { isKnownDifference } from "./known.js";

/** Hours of guest time pass in a scenario: a template that outlives its time is looked at again by a timer that comes late each time. */
const FUZZ_SLACK = { seconds: 1, templateSeconds: 60 };

const STEPS = 400;
/** Long times in longer strides: nothing that these scenarios look at happens more often. */
const STRIDE_SECONDS = 2;
const SECONDS_PER_MINUTE = 60;

const { values } = parseArgs({ options: {
  seed: { type: "string", default: "1" }, minutes: { type: "string", default: "1" }, scenarios: { type: "string", default: "1000000" },
  /** How often a scenario may be tried again while it is made smaller. */
  asks: { type: "string", default: "60" },
  cache: { type: "string", default: "build/oracle" }, cases: { type: "string", default: "build/oracle/cases" },
} });

const figures = { scenarios: 0, frames: 0, commands: 0, differing: 0, unsteady: 0, reboots: 0 };
const cases = resolve(values.cases);
const files = prepareGuest(resolve(values.cache));
const REBOOTS_MAX = 20;
let guest = Guest.boot(files, recordedConfig());

function stepOf(event: RecordedEvent): Step[] {
  if (event.ev === "cmd") return [{ ev: "cmd", cmd: event.cmd ?? "" }];
  if (event.ev === "in") return [{ ev: "in", if: event.if ?? "", hex: event.hex ?? "" }];
  return event.ev === "advance" ? [{ ev: "advance", s: event.s ?? 0 }] : [];
}

/** The scenario of a seed on the kernel, which also tells the generator what came out. */
function recordSeed(seed: number): RecordedEvent[] {
  const generator = new Generator(new Random(seed));
  const recorder = new Recorder(guest, STRIDE_SECONDS);
  for (let count = 0; count < STEPS; count++) generator.observe(recorder.play(generator.next()));
  return recorder.events;
}

/** Statistics asked for before the kernel has summed them: shrinking may leave out the time they need. */
function isUnsettled(events: RecordedEvent[], { index, event }: Difference): boolean {
  const before = events.slice(0, index).findLast((one) => one.ev !== "out");
  return event.cmd?.includes("--stats") === true && before?.ev !== "advance";
}

/** The first difference nobody expects. What comes after it may follow from it. */
async function firstDifference(events: RecordedEvent[]): Promise<Difference | undefined> {
  return (await compareEvents(events, FUZZ_SLACK)).find((one) => !isKnownDifference(one) && !isUnsettled(events, one));
}

async function differsAgain(steps: Step[]): Promise<boolean> {
  guest.reset();
  return (await firstDifference(record(guest, steps, STRIDE_SECONDS))) !== undefined;
}

function save(name: string, events: RecordedEvent[]): string {
  mkdirSync(cases, { recursive: true });
  const file = join(cases, `${name}.jsonl.gz`);
  writeFileSync(file, gzipSync(linesOf(events)));
  return file;
}

async function keep(seed: number, events: RecordedEvent[], found: Difference): Promise<void> {
  const steps = events.slice(0, found.index + 1).flatMap(stepOf);
  if (!(await differsAgain(steps))) {
    figures.unsteady++;
    save(`seed${seed}-once`, events);
    process.stdout.write(`seed ${seed}: not again: ${describeDifference(found)}\n`);
    return;
  }
  figures.differing++;
  const small = await shrink(steps, differsAgain, Number(values.asks));
  guest.reset();
  const again = record(guest, small, STRIDE_SECONDS);
  const shown = await firstDifference(again);
  const file = save(`seed${seed}`, again);
  const commands = small.map((step) => (step.ev === "cmd" ? step.cmd : step.ev === "in" ? `${step.if} ${step.hex}` : `advance ${step.s}`));
  process.stdout.write(`seed ${seed}: ${small.length} steps, ${file}\n${commands.map((line) => `    ${shortened(line)}\n`).join("")}  ${shown ? describeDifference(shown) : "gone"}\n`);
}

async function compareSeed(seed: number): Promise<void> {
  const events = recordSeed(seed);
  figures.scenarios++;
  figures.frames += events.filter((event) => event.ev === "in").length;
  figures.commands += events.filter((event) => event.ev === "cmd").length;
  const found = await firstDifference(events);
  if (found) await keep(seed, events, found);
  guest.reset();
}

/** A guest that no longer answers is told of and replaced, so that one seed does not end a night's run. */
function reboot(seed: number, reason: unknown): void {
  figures.reboots++;
  process.stdout.write(`seed ${seed}: the guest was lost: ${(reason as Error).message}\n`);
  guest.close();
  guest = Guest.boot(files, recordedConfig());
}

const endMs = Date.now() + Number(values.minutes) * SECONDS_PER_MINUTE * 1000;
try {
  for (let seed = Number(values.seed); Date.now() < endMs && figures.scenarios < Number(values.scenarios); seed++) {
    try {
      await compareSeed(seed);
    } catch (error) {
      if (figures.reboots === REBOOTS_MAX) throw error;
      reboot(seed, error);
    }
  }
} finally {
  guest.close();
  const { scenarios, frames, commands, differing, unsteady, reboots } = figures;
  process.stdout.write(`${scenarios} scenarios, ${frames} frames, ${commands} commands: ${differing} scenarios differ, ${unsteady} once only, ${reboots} times the guest was lost\n`);
}
process.exitCode = figures.differing === 0 && figures.reboots === 0 ? 0 : 1;
