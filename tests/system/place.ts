// Where system tests run: namespaces, or a reason why not; programs of the machine, or which are missing.

import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import assert from "node:assert/strict";
import { canBuild, followOutside, runInside } from "../../host/lab/capability.js";

/** The file of a program of this machine; undefined when it is not installed. */
export function whereIs(program: string): string | undefined {
  const found = spawnSync("sh", ["-c", 'PATH=$PATH:/usr/sbin:/sbin command -v "$1"', "sh", program], { encoding: "utf8" });
  return found.status === 0 ? found.stdout.trim() : undefined;
}

/** Why a test cannot run: programs, each with its Debian package, that are missing. Undefined when none is. */
export function missing(programs: Readonly<Record<string, string>>): string | undefined {
  const absent = Object.entries(programs).filter(([program]) => whereIs(program) === undefined);
  return absent.length === 0 ? undefined : absent.map(([program, from]) => `\`${program}\` is not installed (package ${from})`).join(", ");
}

/** A folder that goes with its test. */
export function folder(context: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), "lvs-test-"));
  context.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** Runs tests where namespaces can be built, in a user namespace if need be, or says why they cannot. */
export function inLaboratory(name: string, file: string, tests: () => void): void {
  followOutside();
  const capability = canBuild();
  if (!capability.ok) {
    it(name, { skip: capability.why }, () => undefined);
  } else if (capability.needsUserNamespace) {
    it(`${name}, as the root of a user namespace`, async () => {
      // The tests inside are a run of their own, and report by its status.
      delete process.env["NODE_TEST_CONTEXT"];
      assert.equal(await runInside([fileURLToPath(file)], "empty"), 0);
    });
  } else {
    describe(name, tests);
  }
}
