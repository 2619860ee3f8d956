// npm run oracle:plays -- [--seed N] [--count N] [--shown N] [--cache FOLDER] [--keep FOLDER] [PLAY ...]
// Plays of many seeds on a real kernel and on the engine; every difference is told, recordings are kept.

import { mkdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { gzipSync } from "node:zlib";
import { PLAYS } from "../fuzz/plays/index.js";
import { Random } from "../fuzz/random.js";
import { compareEvents, describeDifference, type Difference } from "./compare.js";
import { Guest } from "./kernel/guest.js";
import { prepareGuest } from "./kernel/packages.js";
import { linesOf, Recorder, THOROUGH } from "./kernel/recorder.js";
import { recordedConfig, type RecordedEvent } from "./recording.js";
import { isKnownDifference } from "./known.js";
import { readOptions } from "../options.js";

const USAGE = "npm run oracle:plays -- [--seed N] [--count N] [--shown N] [--cache FOLDER] [--keep FOLDER] [PLAY ...]";
const { values, positionals } = readOptions(USAGE, { allowPositionals: true, options: {
  seed: { type: "string", default: "1" }, count: { type: "string", default: "5" }, shown: { type: "string", default: "4" },
  cache: { type: "string", default: "build/oracle" }, keep: { type: "string", default: "build/oracle/plays" },
} });
const keep = resolve(values.keep);
const names = positionals.length > 0 ? positionals : Object.keys(PLAYS);
mkdirSync(keep, { recursive: true });

function record(guest: Guest, name: string, seed: number): RecordedEvent[] {
  const play = PLAYS[name]?.(new Random(seed));
  if (!play) throw new RangeError(`there is no play "${name}": ${Object.keys(PLAYS).join(", ")}`);
  const recorder = new Recorder(guest, THOROUGH);
  for (let step = play.next(); step.done !== true;) step = play.next(recorder.play([step.value])[0] ?? []);
  return recorder.events;
}

const files = prepareGuest(resolve(values.cache));
let guest = Guest.boot(files, recordedConfig());

/** An empty kernel for the next play: a module that is still held is left to a guest that ends. */
function renew(): void {
  try {
    guest.reset();
  } catch {
    guest.close();
    guest = Guest.boot(files, recordedConfig());
  }
}

const total = { recordings: 0, inputs: 0, differing: 0 };
try {
  for (let seed = Number(values.seed); seed < Number(values.seed) + Number(values.count); seed++) {
    for (const name of names) {
      const events = record(guest, name, seed);
      renew();
      writeFileSync(join(keep, `${name}-${seed}.jsonl.gz`), gzipSync(linesOf(events)));
      const found: Difference[] = (await compareEvents(events)).filter((one) => !isKnownDifference(one));
      const inputs = events.filter((event) => event.ev !== "out").length;
      total.recordings++;
      total.inputs += inputs;
      if (found.length > 0) total.differing++;
      process.stdout.write(`${name} ${seed}: ${inputs} inputs, ${found.length} differ\n`);
      for (const one of found.slice(0, Number(values.shown))) process.stdout.write(`${describeDifference(one)}\n`);
    }
  }
} finally {
  guest.close();
  process.stdout.write(`${total.recordings} recordings, ${total.inputs} inputs: ${total.differing} recordings differ\n`);
}
process.exitCode = total.differing === 0 ? 0 : 1;
