// npm run oracle:fuzz -- --seed N --minutes M [--jobs N] [--cache FOLDER] [--cases FOLDER] [--scenarios N] [--asks N]
// Random scenarios on a real kernel and on the engine; a difference is made small and written down.

import { spawn } from "node:child_process";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { addFigures, figuresText, NO_FIGURES, type Figures } from "./figures.js";
import { Fuzzer } from "./fuzzer.js";
import { prepareGuest } from "./kernel/packages.js";
import { readOptions } from "../options.js";

const MS_PER_MINUTE = 60_000;
/** A line from a job with its figures. */
const FIGURES_MARK = "figures ";

const USAGE = "npm run oracle:fuzz -- --seed N --minutes M [--jobs N] [--cache FOLDER] [--cases FOLDER] [--scenarios N] [--asks N]";
const { values } = readOptions(USAGE, { options: {
  seed: { type: "string", default: "1" }, minutes: { type: "string", default: "1" }, scenarios: { type: "string", default: "1000000" },
  /** Kernels side by side. Job n of N takes every Nth seed from the nth on. */
  jobs: { type: "string", default: "1" }, job: { type: "string" },
  /** How often a scenario may be tried again while it is made smaller. */
  asks: { type: "string", default: "200" },
  cache: { type: "string", default: "build/oracle" }, cases: { type: "string", default: "build/oracle/cases" },
} });

const jobs = Number(values.jobs);

async function work(job: number): Promise<Figures> {
  const fuzzer = new Fuzzer({ cache: resolve(values.cache), cases: resolve(values.cases), asksMax: Number(values.asks) });
  const endMs = Date.now() + Number(values.minutes) * MS_PER_MINUTE;
  try {
    for (let number = job; Date.now() < endMs && number < Number(values.scenarios); number += jobs) await fuzzer.tryOut(Number(values.seed) + number);
  } finally {
    fuzzer.close();
  }
  return fuzzer.figures;
}

/** A job in a process of its own: driving a kernel waits without end. */
function start(job: number): Promise<Figures> {
  const words = [fileURLToPath(import.meta.url), ...process.argv.slice(2), "--job", String(job)];
  const child = spawn(process.execPath, words, { stdio: ["ignore", "pipe", "inherit"] });
  let figures = NO_FIGURES;
  let text = "";
  child.stdout.setEncoding("utf8").on("data", (more: string) => {
    text += more;
    for (let end = text.indexOf("\n"); end >= 0; text = text.slice(end + 1), end = text.indexOf("\n")) {
      const line = text.slice(0, end);
      if (line.startsWith(FIGURES_MARK)) figures = JSON.parse(line.slice(FIGURES_MARK.length)) as Figures;
      else process.stdout.write(`${line}\n`);
    }
  });
  return new Promise((done, failed) => child.on("close", (code) => (code === 0 ? done(figures) : failed(new Error(`job ${job} ended with ${code}`)))));
}

if (values.job !== undefined) {
  process.stdout.write(`${FIGURES_MARK}${JSON.stringify(await work(Number(values.job)))}\n`);
} else {
  prepareGuest(resolve(values.cache));
  const all = jobs === 1 ? [await work(0)] : await Promise.all(Array.from({ length: jobs }, (_, job) => start(job)));
  const figures = all.reduce(addFigures);
  process.stdout.write(figuresText(figures));
  process.exitCode = figures.differing + figures.unsteady === 0 ? 0 : 1;
}
