// lvsd called in a way that makes no sense says what is wrong, in one line, and ends with 2 before it touches anything. Who asks for help is helped.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const program = fileURLToPath(new URL("../../host/daemon/main.js", import.meta.url));

const WRONG: readonly [string[], string][] = [
  [[], "--config FILE is missing; see lvsd --help"],
  [["--confg", "director.yaml"], "there is no option --confg; see lvsd --help"],
  [["-x"], "there is no option -x; see lvsd --help"],
  [["check", "a.yaml", "--quick"], "there is no option --quick; see lvsd --help"],
  [["dance"], "there is no command \"dance\"; see lvsd --help"],
  [["check"], "check needs the configuration's file"],
  [["check", "a.yaml", "b.yaml"], "one file at a time: \"b.yaml\" is too much; see lvsd --help"],
  [["check", "/nowhere/director.yaml"], "/nowhere/director.yaml: there is no such file or folder"],
];

for (const [words, expected] of WRONG) {
  test(`lvsd ${words.join(" ")}`, () => {
    const done = spawnSync(process.execPath, [program, ...words], { encoding: "utf8" });
    assert.deepEqual([done.stdout, done.stderr, done.status], ["", `lvsd: ${expected}\n`, 2]);
  });
}

for (const words of [["--help"], ["check", "--help"], ["replay", "--config", "director.yaml", "-h"]]) {
  test(`lvsd ${words.join(" ")}: the help, whatever else is said`, () => {
    const done = spawnSync(process.execPath, [program, ...words], { encoding: "utf8" });
    assert.deepEqual([done.stderr, done.status], ["", 0]);
    assert.match(done.stdout, /lvsd check FILE/);
  });
}
