// Where a test of namespaces runs: here, inside a user namespace of its own, or not at all, and then why.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { canBuild, followOutside, runInside } from "../../host/lab/capability.js";

// Debian keeps what administrators use where an ordinary user's shell does not look.
const PLACES = [...(process.env["PATH"] ?? "").split(delimiter), "/usr/local/sbin", "/usr/sbin", "/sbin"];
process.env["PATH"] = PLACES.join(delimiter);

/** Defines a file's tests in a way this machine allows. Call it once in a file, at its end. */
export function inNamespaces(title: string, moduleUrl: string, tests: () => void): void {
  followOutside();
  const capability = canBuild();
  if (!capability.ok) {
    it(title, { skip: capability.why }, () => undefined);
  } else if (capability.needsUserNamespace) {
    it(`${title}, as the root of a user namespace`, async () => {
      delete process.env["NODE_TEST_CONTEXT"];
      assert.equal(await runInside([fileURLToPath(moduleUrl)], "empty"), 0);
    });
  } else {
    describe(title, tests);
  }
}

/** The first of these programs that is missing, as a reason to skip; false when all are there. */
export function lacking(...programs: readonly string[]): string | false {
  const missing = programs.find((program) => !PLACES.some((place) => isExecutable(join(place, program))));
  return missing === undefined ? false : `\`${missing}\` is not installed`;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** True when a program works here at all, not only exists: a user namespace forbids some of them some things. */
export function works(program: string, words: readonly string[]): boolean {
  return spawnSync(program, words, { stdio: "ignore" }).status === 0;
}
