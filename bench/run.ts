// npm run bench: prints tables; with --save also writes them to bench/RESULTS.md.

import { writeFile } from "node:fs/promises";
import meow from "meow";
import { loadEngine } from "../host/load.js";
import { describeMachine } from "./lib/machine.js";
import { settingsOf, type Report, type Settings } from "./lib/settings.js";
import { benchLeaves } from "./micro/suite.js";
import { benchPaths } from "./path/suite.js";
import { benchRivals } from "./rival/suite.js";

const PARTS: Record<string, (module: WebAssembly.Module, settings: Settings) => Promise<Report>> = {
  path: benchPaths,
  rival: benchRivals,
  micro: benchLeaves,
};

const cli = meow(`
  Usage
    $ npm run bench -- [options]

  Options
    --quick        fewer flows and rounds: under 30 seconds
    --only PART    one of ${Object.keys(PARTS).join(", ")}
    --save         write the tables to bench/RESULTS.md
`, {
  importMeta: import.meta,
  flags: { quick: { type: "boolean", default: false }, only: { type: "string" }, save: { type: "boolean", default: false } },
});

const { quick, only, save } = cli.flags;
if (only !== undefined && !(only in PARTS)) {
  process.stderr.write(`there is no part "${only}"\n`);
  process.exit(2);
}
if (save && (quick || only !== undefined)) {
  process.stderr.write("only a whole run is saved: leave out --quick and --only\n");
  process.exit(2);
}

const machine = describeMachine().join("\n");
process.stdout.write(`${machine}\n\n`);
const module = await loadEngine();
const settings = settingsOf(quick, (what) => process.stderr.write(`${what} ...\n`));
const sections: string[] = [];
for (const [name, part] of Object.entries(PARTS)) {
  if (only !== undefined && only !== name) continue;
  const { title, text } = await part(module, settings);
  sections.push(`## ${title}\n\n${text}\n`);
  process.stdout.write(`\n${sections.at(-1)}`);
}

if (save) {
  const head = "# Results of `npm run bench`\n\nWritten by the benches themselves (`npm run bench -- --save`); docs/PERFORMANCE.md explains them.";
  await writeFile(new URL("../../bench/RESULTS.md", import.meta.url), `${head}\n\n${machine}\n\n${sections.join("\n")}`);
}
