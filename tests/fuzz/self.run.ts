// npm run fuzz:self -- --seed N --minutes M
// Random scenarios through the engine in all its ways; the ways must not differ.

import { compareSelf } from "./self.js";
import { readOptions } from "../options.js";

const MS_PER_MINUTE = 60_000;
const FRAMES = 500;

const USAGE = "npm run fuzz:self -- --seed N --minutes M";
const { values } = readOptions(USAGE, { options: { seed: { type: "string", default: "1" }, minutes: { type: "string", default: "1" } } });
const endMs = Date.now() + Number(values.minutes) * MS_PER_MINUTE;
const figures = { scenarios: 0, frames: 0, differing: 0 };
for (let seed = Number(values.seed); Date.now() < endMs; seed++) {
  const { frames, difference } = await compareSelf(seed, FRAMES);
  figures.scenarios++;
  figures.frames += frames;
  if (difference === undefined) continue;
  figures.differing++;
  process.stdout.write(`seed ${seed}: ${difference}\n`);
}
process.stdout.write(`${figures.scenarios} scenarios, ${figures.frames} frames: ${figures.differing} differ\n`);
process.exitCode = figures.differing === 0 ? 0 : 1;
