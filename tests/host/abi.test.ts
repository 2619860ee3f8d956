// The program of docs/ABI.md, as somebody who only has this package would run it.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

// A package may import itself by its name, from files of its own folder.
const build = fileURLToPath(new URL("../../", import.meta.url));
const page = fileURLToPath(new URL("../../../docs/ABI.md", import.meta.url));

test("the page's program runs, and prints what its comments say", () => {
  const program = /```js\n([^]*?)```/.exec(readFileSync(page, "utf8"))?.[1] ?? "";
  const folder = mkdtempSync(join(build, "abi-"));
  try {
    writeFileSync(join(folder, "one.mjs"), program);
    const { status, stdout, stderr } = spawnSync(process.execPath, [join(folder, "one.mjs")], { encoding: "utf8" });
    assert.deepEqual([status, stderr, stdout], [0, "", "port 2: to 10.0.2.11:8080\n{}\n"]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
