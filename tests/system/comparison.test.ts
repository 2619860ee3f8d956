// npm run bench:system for a few seconds: it measures, and whatever happens it leaves nothing behind.

import assert from "node:assert/strict";
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { it, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { inNamespaces, lacking } from "./inside.js";
import { makeFolder, until } from "./rig.js";

const COMPARE = fileURLToPath(new URL("../../bench/system/compare.js", import.meta.url));
const END_MS = 60_000;
const BEGIN_MS = 120_000;

interface Started { child: ChildProcess; folder: string; said(): string }

/** Starts it with a folder of its own for everything temporary, by which its processes are known. */
function start(context: TestContext, only: string): Started {
  const folder = makeFolder(context);
  const child = spawn(process.execPath, [COMPARE, "--quick", "--only", only], { stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, TMPDIR: folder } });
  context.after(() => void child.kill("SIGKILL"));
  let text = "";
  for (const stream of [child.stdout, child.stderr]) stream?.setEncoding("utf8").on("data", (part: string) => (text += part));
  return { child, folder, said: () => text };
}

/** Processes that were started by it, or by one of these. */
function heirs(folder: string): string[] {
  return readdirSync("/proc").filter((name) => /^\d+$/.test(name)).flatMap((pid) => {
    try {
      const isHeir = readFileSync(`/proc/${pid}/environ`, "latin1").includes(`TMPDIR=${folder}\0`);
      return isHeir ? [readFileSync(`/proc/${pid}/cmdline`, "latin1").replaceAll("\0", " ")] : [];
    } catch {
      return []; // it has just ended
    }
  });
}

async function assertNothingLeft(folder: string): Promise<void> {
  await until(() => heirs(folder).length === 0, END_MS);
  assert.deepEqual(heirs(folder), []);
  assert.deepEqual(readdirSync(folder), []);
}

inNamespaces("directors side by side", import.meta.url, () => {
  const skip = lacking("wrk", "nginx");

  it("measures this director and another one, and leaves nothing behind", { skip }, async (context) => {
    const { child, folder, said } = start(context as TestContext, "lvs-tap,node,requests");
    const [status] = await once(child, "close") as [number];
    assert.equal(status, 0, said());
    for (const name of ["lvs-tap", "node"]) {
      const rate = Number(new RegExp(`^\\| requests, 1000/s \\| +${name} \\| +([\\d.]+)`, "m").exec(said())?.[1]);
      assert.ok(rate > 0, said());
    }
    await assertNothingLeft(folder);
  });

  it("interrupted in the middle it leaves nothing behind", { skip }, async (context) => {
    const { child, folder, said } = start(context as TestContext, "lvs-nic,requests");
    // Interrupted while the director is being warmed up: all namespaces and programs are there.
    assert.ok(await until(() => heirs(folder).some((line) => line.startsWith("wrk ")), BEGIN_MS), said());
    child.kill("SIGINT");
    const [status] = await once(child, "close") as [number];
    assert.equal(status, 1, said());
    assert.match(said(), /^stopped$/m);
    await assertNothingLeft(folder);
  });

  it("names of nobody are refused before anything is built", async (context) => {
    const { child, folder, said } = start(context as TestContext, "squid");
    assert.deepEqual(await once(child, "close"), [2, null]);
    assert.match(said(), /there is no "squid"; there are: /);
    await assertNothingLeft(folder);
  });
});
