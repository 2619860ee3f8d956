// Every ipvsadm text of the recording: standard output, errors, exit codes, byte for byte.

import assert from "node:assert/strict";
import { test } from "node:test";
import { isDeepStrictEqual } from "node:util";
import { byService } from "./mask.js";
import { createContext, runRecorded } from "./said.js";
import { describeTexts, readTexts } from "./texts.js";

/** Not the program's own doing: other programs. */
function isForeign(command: string): boolean {
  return !/^(ipvsadm|echo|printf|cat \/proc\/net\/ip_vs\w*$)/.test(command) || /ipvsadm-save|>\/tmp|\| (tail|wc)/.test(command);
}

/** Sections by file: what its manual shows and what it refuses; then forms that nobody lists. */
const SECTIONS = [
  ["cli.txt", "normal"], ["cli.txt", "wrong"], ["cli_forms.txt", "services"], ["cli_forms.txt", "servers"], ["cli_forms.txt", "more"],
  ["cli_edges.txt", "persistence"], ["cli_edges.txt", "tunnels"], ["cli_edges.txt", "restoring"], ["cli_edges.txt", "saving"],
  ["cli_edges.txt", "daemons"], ["cli_edges.txt", "edges"], ["cli_edges.txt", "long"], ["cli_edges.txt", "order"], ["cli_edges.txt", "numbers"],
  ["cli_edges.txt", "unbracketed"], ["cli_edges.txt", "blanks"], ["cli_edges.txt", "nested"],
] as const;

for (const [file, section] of SECTIONS) {
  test(`ipvsadm's texts, "${section}" of ${file} as recorded`, async () => {
    const context = await createContext();
    let compared = 0;
    const differences: string[] = [];
    for (const recorded of readTexts(section, file)) {
      if (isForeign(recorded.command)) continue;
      compared++;
      const result = await runRecorded(recorded.command, context);
      const show = file !== "cli.txt" && /nosort|cat/.test(recorded.command) ? byService : (text: string): string => text;
      const [theirs, ours] = [recorded, result].map((one) => ({ exitCode: one.exitCode, stdout: show(one.stdout), stderr: one.stderr }));
      if (theirs && ours && !isDeepStrictEqual(theirs, ours)) differences.push(describeTexts(recorded.command, theirs, ours));
    }
    assert.ok(compared > 25, `only ${compared} commands compared`);
    assert.equal(differences.length, 0, differences.join("\n"));
  });
}
