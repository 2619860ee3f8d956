// npm run oracle:commands -- [--seed N] [--count N] [--shown N] [--cache FOLDER]
// Random command lines of ipvsadm, each on the real program and on ours: what they say, how they end, what they leave.

import { resolve } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { CommandLines } from "../fuzz/commands.js";
import { Random } from "../fuzz/random.js";
import { Guest } from "./kernel/guest.js";
import { prepareGuest } from "./kernel/packages.js";
import { byService } from "./mask.js";
import { recordedConfig } from "./recording.js";
import { createContext, runRecorded } from "./said.js";
import { describeTexts, type Said } from "./texts.js";
import { readOptions } from "../options.js";

/** Each seed is so many command lines on an empty table, and a look at what they left after every few. */
const LINES = 60;
const LOOK_EVERY = 5;
const LOOKS = ["ipvsadm -Sn", "ipvsadm -Ln", "ipvsadm -Ln --thresholds", "ipvsadm -Ln --tun-info", "ipvsadm -L --timeout", "ipvsadm -L --daemon"];
const EMPTY = ["ipvsadm -C", "ipvsadm --stop-daemon master", "ipvsadm --stop-daemon backup", "ipvsadm --set 900 120 300"];

const USAGE = "npm run oracle:commands -- [--seed N] [--count N] [--shown N] [--cache FOLDER]";
const { values } = readOptions(USAGE, { options: {
  seed: { type: "string", default: "1" }, count: { type: "string", default: "20" }, shown: { type: "string", default: "3" },
  cache: { type: "string", default: "build/oracle" },
} });

function linesOf(seed: number): string[] {
  const commands = new CommandLines(new Random(seed));
  const lines = [...EMPTY];
  for (let line = 0; line < LINES; line++) {
    lines.push(commands.next());
    if (line % LOOK_EVERY === LOOK_EVERY - 1) lines.push(...LOOKS);
  }
  return lines;
}

function ask(guest: Guest, line: string): Said {
  // A daemon's thread begins and ends in its own time.
  if (line.includes("daemon")) guest.clock.thaw();
  const said = guest.run(line);
  if (!guest.clock.stands) guest.clock.freeze();
  return said;
}

const shown = (line: string, { exitCode, stdout, stderr }: Said): Said => ({ exitCode, stdout: line.includes("nosort") ? byService(stdout) : stdout, stderr });

const guest = Guest.boot(prepareGuest(resolve(values.cache)), recordedConfig());
const context = await createContext();
const total = { lines: 0, seeds: 0, differing: 0 };
try {
  for (let seed = Number(values.seed); seed < Number(values.seed) + Number(values.count); seed++) {
    let differences = 0;
    for (const line of linesOf(seed)) {
      const [theirs, ours] = [shown(line, ask(guest, line)), shown(line, await runRecorded(line, context))];
      total.lines++;
      if (isDeepStrictEqual(theirs, ours)) continue;
      if (differences++ < Number(values.shown)) process.stdout.write(`seed ${seed}: ${describeTexts(line, theirs, ours)}\n`);
    }
    total.seeds++;
    if (differences > 0) total.differing++;
  }
} finally {
  guest.close();
  process.stdout.write(`${total.seeds} seeds, ${total.lines} command lines: ${total.differing} seeds differ\n`);
}
process.exitCode = total.differing === 0 ? 0 : 1;
