// npm run bench:gate: fails when the engine's cost has risen against something measured in the same run.
//
// bench/gate/bounds.json has each ratio's median over several runs, and how far above it the worst of them was (`npm run bench:gate -- --measure`).
// A ratio above its bound is measured again, a few times: a neighbour goes away, a slower engine does not.

import { readFile, writeFile } from "node:fs/promises";
import meow from "meow";
import { loadEngine } from "../../host/load.js";
import { formatTable } from "../lib/table.js";
import { median } from "../lib/statistics.js";
import { measureRatios } from "./ratios.js";

interface Bound { median: number; spread: number }

const FILE = new URL("../../../bench/gate/bounds.json", import.meta.url);
const ATTEMPTS = 3;
const MEASURED_RUNS = 7;
/** What is allowed above the median, at least: for other processors. */
const LEAST_MARGIN = 0.25;
/** And so many times what was measured: seven runs do not see the worst of a machine whose memory others use. */
const SPREADS = 2;

const limitOf = (bound: Bound): number => bound.median * (1 + Math.max(LEAST_MARGIN, SPREADS * bound.spread));
const rounded = (value: number): number => Number(value.toPrecision(3));

const cli = meow(`
  Usage
    $ npm run bench:gate -- [--measure]

  Options
    --measure   take the bounds anew from ${MEASURED_RUNS} runs, and write bench/gate/bounds.json
`, { importMeta: import.meta, allowUnknownFlags: false, flags: { measure: { type: "boolean", default: false } } });

const module = await loadEngine();

async function measure(): Promise<void> {
  const runs: Map<string, number>[] = [];
  for (let run = 0; run < MEASURED_RUNS; run++) {
    process.stderr.write(`run ${run + 1} of ${MEASURED_RUNS} ...\n`);
    runs.push(await measureRatios(module));
  }
  const bounds: Record<string, Bound> = {};
  for (const name of runs[0]?.keys() ?? []) {
    const values = runs.map((run) => run.get(name) ?? NaN);
    const middle = median(values);
    bounds[name] = { median: rounded(middle), spread: rounded(Math.max(...values) / middle - 1) };
  }
  await writeFile(FILE, `${JSON.stringify(bounds, undefined, 1)}\n`);
}

async function gate(): Promise<boolean> {
  const bounds = JSON.parse(await readFile(FILE, "utf8")) as Record<string, Bound>;
  const best = new Map<string, number>();
  const over = (): string[] => [...best].filter(([name, ratio]) => bounds[name] !== undefined && ratio > limitOf(bounds[name])).map(([name]) => name);
  for (let attempt = 0; attempt < ATTEMPTS && (attempt === 0 || over().length > 0); attempt++) {
    if (attempt > 0) process.stdout.write(`measured again: ${over().join("; ")}\n`);
    for (const [name, ratio] of await measureRatios(module)) best.set(name, Math.min(ratio, best.get(name) ?? Infinity));
  }
  const rows = [...best].map(([name, ratio]) => {
    const bound = bounds[name];
    const limit = bound ? limitOf(bound).toPrecision(3) : "";
    return [name, ratio.toPrecision(3), bound?.median.toPrecision(3) ?? "not known", limit, over().includes(name) ? "SLOWER" : "ok"];
  });
  process.stdout.write(`${formatTable(["ratio of times in one run, lower is faster", "now", "was", "bound", ""], rows)}\n`);
  for (const name of over()) process.stdout.write(`slower than it was: ${name}\n`);
  return over().length === 0;
}

if (cli.flags.measure) await measure();
else process.exitCode = (await gate()) ? 0 : 1;
