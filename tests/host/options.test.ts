// The programs among the tests say how they are called, and do nothing with words they do not know.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const program = fileURLToPath(new URL("../fuzz/self.run.js", import.meta.url));
const USAGE = "usage: npm run fuzz:self -- --seed N --minutes M\n";

const CASES: readonly [string[], number, string, string][] = [
  [["--help"], 0, USAGE, ""],
  [["--sed", "5"], 2, "", `Unknown option '--sed'\n${USAGE}`],
  [["--seed", "five"], 2, "", `--seed five is not a number\n${USAGE}`],
];

for (const [words, status, stdout, stderr] of CASES) {
  test(`fuzz:self ${words.join(" ")}`, () => {
    const done = spawnSync(process.execPath, [program, ...words], { encoding: "utf8" });
    assert.deepEqual([done.status, done.stdout, done.stderr], [status, stdout, stderr]);
  });
}
