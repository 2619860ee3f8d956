// npm run oracle:feeds -- [--seed N] [--count N] [--shown N] [--threshold "0 1"] [--cache FOLDER] [--keep FOLDER] [TAKEOVER ...]
// Our master's messages in front of a kernel's backup, of both versions: it must take them as ours does, and go on.

import { mkdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { gzipSync } from "node:zlib";
import { TAKEOVERS } from "../fuzz/plays/takeovers.js";
import { Random } from "../fuzz/random.js";
import { compareEvents, describeDifference } from "./compare.js";
import { feedOf, type FeedOptions } from "./feed.js";
import { Guest } from "./kernel/guest.js";
import { prepareGuest } from "./kernel/packages.js";
import { linesOf, Recorder, THOROUGH } from "./kernel/recorder.js";
import { isKnownDifference } from "./known.js";
import { recordedConfig, type RecordedEvent } from "./recording.js";
import { readOptions } from "../options.js";

const USAGE = 'npm run oracle:feeds -- [--seed N] [--count N] [--shown N] [--threshold "0 1"] [--cache FOLDER] [--keep FOLDER] [TAKEOVER ...]';
const { values, positionals } = readOptions(USAGE, { allowPositionals: true, options: {
  seed: { type: "string", default: "1" }, count: { type: "string", default: "1" }, shown: { type: "string", default: "4" },
  threshold: { type: "string", default: "3 50" }, cache: { type: "string", default: "build/oracle" }, keep: { type: "string", default: "build/oracle/feeds" },
} });
const keep = resolve(values.keep);
const names = positionals.length > 0 ? positionals : Object.keys(TAKEOVERS);
mkdirSync(keep, { recursive: true });

async function record(guest: Guest, name: string, seed: number, options: FeedOptions): Promise<RecordedEvent[]> {
  const takeover = TAKEOVERS[name]?.(new Random(seed));
  if (!takeover) throw new RangeError(`there is no takeover "${name}": ${Object.keys(TAKEOVERS).join(", ")}`);
  const recorder = new Recorder(guest, THOROUGH);
  recorder.play(await feedOf(takeover.before, options));
  for (let step = takeover.after.next(); step.done !== true;) step = takeover.after.next(recorder.play([step.value])[0] ?? []);
  return recorder.events;
}

const guest = Guest.boot(prepareGuest(resolve(values.cache)), recordedConfig());
let differing = 0;
try {
  for (let seed = Number(values.seed); seed < Number(values.seed) + Number(values.count); seed++) {
    for (const name of names) {
      for (const version of [1, 0] as const) {
        const events = await record(guest, name, seed, { version, threshold: values.threshold });
        guest.run("ipvsadm --stop-daemon backup");
        guest.reset();
        writeFileSync(join(keep, `${name}-${seed}-v${version}.jsonl.gz`), gzipSync(linesOf(events)));
        const found = (await compareEvents(events)).filter((one) => !isKnownDifference(one));
        if (found.length > 0) differing++;
        process.stdout.write(`${name} ${seed} v${version}: ${events.filter((one) => one.ev !== "out").length} inputs, ${found.length} differ\n`);
        for (const one of found.slice(0, Number(values.shown))) process.stdout.write(`${describeDifference(one)}\n`);
      }
    }
  }
} finally {
  guest.close();
}
process.exitCode = differing === 0 ? 0 : 1;
