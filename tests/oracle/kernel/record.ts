// npm run oracle:record -- SCENARIO.jsonl [--cache FOLDER]
// The scenario on a real kernel, its recording on standard output.

import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { recordedConfig } from "../recording.js";
import { Guest } from "./guest.js";
import { prepareGuest } from "./packages.js";
import { linesOf, readStep, record } from "./recorder.js";
import { readOptions } from "../../options.js";

const USAGE = "npm run oracle:record -- SCENARIO.jsonl [--cache FOLDER]";
const { values, positionals } = readOptions(USAGE, { allowPositionals: true, options: { cache: { type: "string", default: "build/oracle" } } });
const [file] = positionals;
if (file === undefined || positionals.length > 1) {
  process.stderr.write(`usage: ${USAGE}\n`);
  process.exit(2);
}
const steps = readFileSync(file, "utf8").split("\n").filter((line) => line.trim() !== "").map(readStep).filter((step) => step !== undefined);
const guest = Guest.boot(prepareGuest(resolve(values.cache)), recordedConfig());
try {
  process.stdout.write(linesOf(record(guest, steps)));
} finally {
  guest.close();
}
