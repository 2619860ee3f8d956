// npm run bench: prints tables; with --save also keeps them (bench/results/*.json) and writes bench/RESULTS.md.

import meow from "meow";
import { loadEngine } from "../host/load.js";
import { describeMachine } from "./lib/machine.js";
import { formatReport, keepReport, type Report } from "./lib/report.js";
import { settingsOf, type Settings } from "./lib/settings.js";
import { benchLeaves } from "./micro/suite.js";
import { benchAgainst } from "./path/against.js";
import { benchOpenings } from "./path/openings.js";
import { benchPaths } from "./path/suite.js";
import { benchRivals } from "./rival/suite.js";
import { benchWorkers } from "./workers/suite.js";

const PARTS: Record<string, (module: WebAssembly.Module, settings: Settings) => Promise<Report>> = {
  path: benchPaths,
  open: benchOpenings,
  rival: benchRivals,
  workers: benchWorkers,
  micro: benchLeaves,
};

const cli = meow(`
  Usage
    $ npm run bench -- [options]

  Options
    --quick        fewer flows and rounds: under a minute
    --only PART    one of ${Object.keys(PARTS).join(", ")}
    --against DIR  roads, openings and ends, of this engine against that of another checkout, by turns in one process
    --save         keep the figures in bench/results, and write bench/RESULTS.md from all that are kept
`, {
  importMeta: import.meta,
  allowUnknownFlags: false,
  flags: { quick: { type: "boolean", default: false }, only: { type: "string" }, against: { type: "string" }, save: { type: "boolean", default: false } },
});

const { quick, only, against, save } = cli.flags;
if (only !== undefined && !(only in PARTS)) {
  process.stderr.write(`--only ${only}: choose one of ${Object.keys(PARTS).join(", ")}\n`);
  process.exit(2);
}
if (against !== undefined && (save || only !== undefined)) {
  process.stderr.write("--against measures the roads, and is not kept: leave out --only and --save\n");
  process.exit(2);
}
if (save && quick) {
  process.stderr.write("a quick run is not kept: leave out --quick or --save\n");
  process.exit(2);
}

process.stdout.write(`${describeMachine().join("\n")}\n`);
const module = await loadEngine();
const began = performance.now();
const settings = settingsOf(quick, (what) => process.stderr.write(`${Math.round((performance.now() - began) / 1000)} s: ${what} ...\n`));
if (against !== undefined) process.stdout.write(`\n${formatReport(await benchAgainst(against, settings))}\n`);
for (const [name, part] of Object.entries(PARTS)) {
  if (against !== undefined || (only !== undefined && only !== name)) continue;
  const machine = describeMachine();
  const report = await part(module, settings);
  process.stdout.write(`\n${formatReport(report)}\n`);
  if (save) await keepReport(name, machine, report);
}
