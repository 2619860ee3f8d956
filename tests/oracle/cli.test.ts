// Every ipvsadm text of the recording: standard output, errors, exit codes, byte for byte.

import assert from "node:assert/strict";
import { test } from "node:test";
import { isDeepStrictEqual } from "node:util";
import { Engine } from "../../host/engine/engine.js";
import { EngineDirector } from "../../host/engine/director.js";
import { Records } from "../../host/engine/records.js";
import { NO_NAMES, type CommandContext } from "../../host/cli/context.js";
import { runIpvsadm } from "../../host/cli/ipvsadm.js";
import { runVerb } from "../../host/cli/verbs.js";
import { splitWords } from "../../host/cli/words.js";
import { loadEngine } from "../../host/load.js";
import type { PortRow } from "../../host/protocol.js";
import { byService } from "./mask.js";
import { applyRecordedNetwork } from "./recording.js";
import { describeTexts, readTexts } from "./texts.js";

/** Not the program's own doing: other programs. */
function isForeign(command: string): boolean {
  return !/^(ipvsadm|echo|printf|cat \/proc\/net\/ip_vs\w*$)/.test(command) || /ipvsadm-save|>\/tmp|\| (tail|wc)/.test(command);
}

const port = (name: string): PortRow => ({
  name, mac: "", mtu: 1500, device: "", driver: "", driverReason: "", up: true, addresses: [], refusedFrames: 0, refusedError: "", queues: [], steering: "",
});

async function createContext(): Promise<CommandContext> {
  const engine = await Engine.create({ module: await loadEngine() });
  await applyRecordedNetwork(engine);
  const director = new EngineDirector(engine, new Records(engine.memory), {
    version: "test", ports: () => [undefined, port("out"), port("in")], defaultForward: "masq", startedMs: Date.now(),
  });
  return { director, names: NO_NAMES, program: "ipvsadm", input: async () => "" };
}

const ESCAPES: Readonly<Record<string, string>> = { n: "\n", t: "\t", r: "\r", "\\": "\\" };

/** What printf makes of a format without values. */
const unescaped = (format: string): string => format.replace(/\\([ntr\\])/g, (_, letter: string) => ESCAPES[letter] ?? letter);

/** `ipvsadm ...`, `echo '...' | ipvsadm -R` and `printf -- '...' | ipvsadm -R; ipvsadm -Sn`. */
async function runRecorded(command: string, context: CommandContext): Promise<{ exitCode: number; stdout: string; stderr: string }> {
  const total = { exitCode: 0, stdout: "", stderr: "" };
  if (command.startsWith("cat ")) return runVerb(["proc", command.replace("cat /proc/net/", "")], context, () => {});
  // Between quotation marks a semicolon is none.
  for (const part of command.split(/; (?=(?:[^']*'[^']*')*[^']*$)/)) {
    const piped = /^(?:echo|printf --) '(.*)' \| (.*)$/.exec(part);
    const words = splitWords((piped?.[2] ?? part).replace(" </dev/null", ""));
    const input = unescaped(piped?.[1] ?? "");
    const result = await runIpvsadm(words.slice(1), { ...context, input: async () => input });
    total.exitCode = result.exitCode;
    total.stdout += result.stdout;
    total.stderr += result.stderr;
  }
  return total;
}

/** Sections by file: what its manual shows and what it refuses; then forms that nobody lists. */
const SECTIONS = [["cli.txt", "normal"], ["cli.txt", "wrong"], ["cli_forms.txt", "services"], ["cli_forms.txt", "servers"], ["cli_forms.txt", "more"],
  ["cli_edges.txt", "persistence"], ["cli_edges.txt", "tunnels"], ["cli_edges.txt", "restoring"], ["cli_edges.txt", "saving"], ["cli_edges.txt", "daemons"], ["cli_edges.txt", "edges"], ["cli_edges.txt", "long"]] as const;

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
