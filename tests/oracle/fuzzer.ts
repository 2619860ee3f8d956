// One kernel and one engine side by side: a seed's scenario on both, and what to do when they differ.

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { Generator } from "../fuzz/generator.js";
import { Cast } from "../fuzz/plays/cast.js";
import { Random } from "../fuzz/random.js";
import { shrink } from "../fuzz/shrink.js";
import { compareEvents, describeDifference, shortened, type Difference } from "./compare.js";
import { NO_FIGURES, type Figures } from "./figures.js";
import { Guest } from "./kernel/guest.js";
import { prepareGuest, type GuestFiles } from "./kernel/packages.js";
import { FAST, linesOf, record, Recorder, THOROUGH, type Step } from "./kernel/recorder.js";
import { recordedConfig, type RecordedEvent } from "./recording.js";
import { isKnownDifference } from "./known.js";
import { isDroppedByTracking } from "./tracking.js";

/** A scenario is so many frames, and the commands between them. */
const FRAMES = 500;
/** Every third seed has plays in it: marks, FTP, SIP, SCTP, tunnels of mixed families, churn. */
const CAST_EVERY = 3;
const REBOOTS_MAX = 20;

export interface FuzzerOptions { cache: string; cases: string; asksMax: number }

function stepOf(event: RecordedEvent): Step[] {
  if (event.ev === "cmd") return [{ ev: "cmd", cmd: event.cmd ?? "" }];
  if (event.ev === "in") return [{ ev: "in", if: event.if ?? "", hex: event.hex ?? "" }];
  return event.ev === "advance" ? [{ ev: "advance", s: event.s ?? 0 }] : [];
}

/**
 * Statistics asked for before the kernel has summed them: shrinking may leave out the time they need, and what passing time
 * itself made come out (errors about missing pieces) is in the next sum.
 */
function isUnsettled(events: RecordedEvent[], { index, event }: Difference): boolean {
  return event.cmd?.includes("--stats") === true && events[index - 1]?.ev !== "advance";
}

/** The first difference nobody expects. What comes after it may follow from it. */
async function firstDifference(events: RecordedEvent[]): Promise<Difference | undefined> {
  return (await compareEvents(events)).find((one) => !isKnownDifference(one) && !isUnsettled(events, one) && !isDroppedByTracking(events, one));
}

/** The same input, answered by as many frames on each side as before: else what is left shows something else. */
function isAlike(one: Difference, other: Difference): boolean {
  return one.event.ev === other.event.ev && one.event.hex === other.event.hex && one.event.cmd === other.event.cmd &&
    one.kernel.length === other.kernel.length && one.engine.length === other.engine.length;
}

const tell = (text: string): void => void process.stdout.write(`${text}\n`);

export class Fuzzer {
  readonly figures: Figures = { ...NO_FIGURES };
  private readonly files: GuestFiles;
  private guest: Guest;

  constructor(private readonly options: FuzzerOptions) {
    this.files = prepareGuest(options.cache);
    this.guest = Guest.boot(this.files, recordedConfig());
  }

  close(): void {
    this.guest.close();
  }

  /** A guest that no longer answers is told of and replaced, and its seed played again on the new one. */
  async tryOut(seed: number): Promise<void> {
    for (let isAgain = false; ; isAgain = true) {
      try {
        return await this.compareSeed(seed);
      } catch (error) {
        if (++this.figures.reboots > REBOOTS_MAX || isAgain) throw error;
        tell(`seed ${seed}: the guest was lost: ${(error as Error).message}`);
        this.guest.close();
        this.guest = Guest.boot(this.files, recordedConfig());
      }
    }
  }

  private async compareSeed(seed: number): Promise<void> {
    const { figures } = this;
    this.guest.reset();
    const events = this.recordSeed(seed);
    const found = await firstDifference(events);
    if (found) await this.keep(seed, events, found);
    figures.scenarios++;
    figures.frames += events.filter((event) => event.ev === "in").length;
    figures.commands += events.filter((event) => event.ev === "cmd").length;
  }

  /** The scenario of a seed on the kernel, which also tells the generator what came out. */
  private recordSeed(seed: number): RecordedEvent[] {
    const random = new Random(seed);
    const generator = new Generator(random, seed % CAST_EVERY === 0 ? new Cast(random) : undefined);
    const recorder = new Recorder(this.guest, FAST);
    for (let frames = 0; frames < FRAMES;) {
      const run = generator.nextRun(FAST.burstMax);
      const outputs = recorder.play(run);
      run.forEach((step, index) => generator.observe(step, outputs[index] ?? []));
      if (run[0]?.ev === "in") frames += run.length;
    }
    return recorder.events;
  }

  /** The difference that steps show; only one of the same kind counts while a scenario is made smaller. */
  private async differenceOf(steps: Step[]): Promise<Difference | undefined> {
    this.guest.reset();
    return firstDifference(record(this.guest, steps, FAST));
  }

  private save(name: string, events: RecordedEvent[]): string {
    mkdirSync(this.options.cases, { recursive: true });
    const file = join(this.options.cases, `${name}.jsonl.gz`);
    writeFileSync(file, gzipSync(linesOf(events)));
    return file;
  }

  private async keep(seed: number, events: RecordedEvent[], found: Difference): Promise<void> {
    const steps = events.slice(0, found.index + 1).flatMap(stepOf);
    if (!(await this.differenceOf(steps))) {
      this.figures.unsteady++;
      this.save(`seed${seed}-once`, events);
      return tell(`seed ${seed}: not again: ${describeDifference(found)}`);
    }
    const shows = async (left: Step[]): Promise<boolean> => {
      const one = await this.differenceOf(left);
      return one !== undefined && isAlike(one, found);
    };
    const small = await shrink(steps, shows, this.options.asksMax);
    this.guest.reset();
    // The small case is recorded with each frame by itself.
    const again = record(this.guest, small, THOROUGH);
    const shown = await firstDifference(again);
    const file = this.save(`seed${seed}`, again);
    this.figures.differing++;
    const commands = small.map((step) => (step.ev === "cmd" ? step.cmd : step.ev === "in" ? `${step.if} ${step.hex}` : `advance ${step.s}`));
    tell(`seed ${seed}: ${small.length} steps, ${file}\n${commands.map((line) => `    ${shortened(line)}`).join("\n")}`);
    tell(`  ${shown ? describeDifference(shown) : `gone when played slowly, was: ${describeDifference(found)}`}`);
  }
}
