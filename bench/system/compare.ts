// npm run bench:system: this director beside the kernel and common proxies, end to end, in one laboratory.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import meow from "meow";
import { canBuild, followOutside, runInside } from "../../host/lab/capability.js";
import { replaceBetween } from "../lib/markers.js";
import { choose, CONTESTANTS, MEASURES } from "./catalog.js";
import { report } from "./report.js";
import type { Results } from "./results.js";
import { compareDirectors } from "./run.js";

const SECONDS_MAX = 60;
const REPETITIONS_MAX = 100;
const QUICK = { seconds: 1, repetitions: 1 };
const WHOLE = { seconds: 2, repetitions: 5 };
const EXIT_USAGE = 2;
const DOCUMENT = new URL("../../../docs/PERFORMANCE.md", import.meta.url);
const FOLDER = new URL("../../../bench/results/", import.meta.url);

const cli = meow(`
  Usage
    $ npm run bench:system -- [options]

  Options
    --only NAMES       directors and measures, with commas between; all of a kind of which none is named
    --quick            each figure once, for one second
    --seconds N        for each figure (${WHOLE.seconds})
    --repetitions N    interleaved (${WHOLE.repetitions})
    --congestion NAME  TCP's congestion control for everybody, such as reno; the machine's default without it
    --save             write bench/results/system-DATE.json and, after a whole run, the tables into docs/PERFORMANCE.md

  Directors: ${CONTESTANTS.map(({ name }) => name).join(", ")}
  Measures:  ${MEASURES.map(({ name }) => name).join(", ")}
`, {
  importMeta: import.meta,
  allowUnknownFlags: false,
  flags: {
    only: { type: "string" }, quick: { type: "boolean", default: false }, seconds: { type: "number" },
    repetitions: { type: "number" }, congestion: { type: "string" }, save: { type: "boolean", default: false },
  },
});

function refuse(text: string): never {
  process.stderr.write(`${text}\n`);
  process.exit(EXIT_USAGE);
}

function whole(name: string, value: number, most: number): number {
  if (!Number.isInteger(value) || value < 1 || value > most) refuse(`--${name}: 1 to ${most}, whole`);
  return value;
}

function choice(): ReturnType<typeof choose> {
  try {
    return choose(cli.flags.only);
  } catch (error) {
    refuse((error as Error).message);
  }
}

function save(results: Results, isWhole: boolean): void {
  mkdirSync(FOLDER, { recursive: true });
  const file = new URL(`system-${new Date().toISOString().slice(0, 16).replace(/[-:]/g, "").replace("T", "-")}.json`, FOLDER);
  writeFileSync(file, `${JSON.stringify(results, null, 1)}\n`);
  const name = `bench/results/${file.pathname.split("/").at(-1)}`;
  process.stderr.write(`saved: ${name}${isWhole ? " and the tables in docs/PERFORMANCE.md" : ""}\n`);
  if (isWhole) writeFileSync(DOCUMENT, replaceBetween(readFileSync(DOCUMENT, "utf8"), "bench:system", `From \`${name}\`.\n\n${report(results)}`));
}

async function run(): Promise<void> {
  const base = cli.flags.quick ? QUICK : WHOLE;
  const seconds = whole("seconds", cli.flags.seconds ?? base.seconds, SECONDS_MAX);
  const repetitions = whole("repetitions", cli.flags.repetitions ?? base.repetitions, REPETITIONS_MAX);
  const { congestion } = cli.flags;
  if (congestion !== undefined && !/^[a-z0-9_]+$/.test(congestion)) refuse("--congestion: one of those in /proc/sys/net/ipv4/tcp_allowed_congestion_control");
  const until = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => until.abort(new Error("stopped")));
  const say = (text: string): void => void process.stderr.write(`${text}\n`);
  const results = await compareDirectors({ choice: choice(), seconds, repetitions, congestion, signal: until.signal, say });
  process.stdout.write(`\n${report(results)}\n`);
  if (cli.flags.save) save(results, !cli.flags.quick && cli.flags.only === undefined && cli.flags.congestion === undefined);
}

followOutside();
const capability = canBuild();
try {
  if (!capability.ok) throw new Error(`no laboratory can be built here: ${capability.why}`);
  if (capability.needsUserNamespace) process.exitCode = await runInside(process.argv.slice(1), "empty");
  else await run();
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`);
  process.exitCode = 1;
}
