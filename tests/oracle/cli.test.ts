// Every ipvsadm text of the recording: standard output, errors, exit codes, byte for byte.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Engine } from "../../host/engine/engine.js";
import { EngineDirector } from "../../host/engine/director.js";
import { Records } from "../../host/engine/records.js";
import { NO_NAMES, type CommandContext } from "../../host/cli/context.js";
import { runIpvsadm } from "../../host/cli/ipvsadm.js";
import { splitWords } from "../../host/cli/words.js";
import { loadEngine } from "../../host/load.js";
import { readTexts } from "./texts.js";

/** Not the program's own doing: other programs, the sync daemons, and tables by the kernel's hash order. */
function isForeign(command: string): boolean {
  return !/^(ipvsadm|echo|printf)\b/.test(command) || /daemon|ipvsadm-save|--nosort|>\/tmp|\| tail/.test(command);
}

async function createContext(): Promise<CommandContext> {
  const engine = await Engine.create({ module: await loadEngine() });
  const director = new EngineDirector(engine, new Records(engine.memory), {
    version: "test", ports: () => [], defaultForward: "masq", startedMs: Date.now(),
  });
  return { director, names: NO_NAMES, program: "ipvsadm", input: async () => "" };
}

/** `ipvsadm ...`, `echo '...' | ipvsadm -R` and `printf -- '...' | ipvsadm -R; ipvsadm -Sn`. */
async function runRecorded(command: string, context: CommandContext): Promise<{ exitCode: number; stdout: string; stderr: string }> {
  const total = { exitCode: 0, stdout: "", stderr: "" };
  for (const part of command.split("; ")) {
    const piped = /^(?:echo|printf --) '(.*)' \| (.*)$/.exec(part);
    const words = splitWords(piped?.[2] ?? part);
    const input = (piped?.[1] ?? "").replaceAll("\\n", "\n");
    const result = await runIpvsadm(words.slice(1), { ...context, input: async () => input });
    total.exitCode = result.exitCode;
    total.stdout += result.stdout;
    total.stderr += result.stderr;
  }
  return total;
}

for (const section of ["normal", "wrong"]) {
  test(`ipvsadm's texts, "${section}" as recorded`, async () => {
    const context = await createContext();
    let compared = 0;
    const differences: string[] = [];
    for (const recorded of readTexts(section)) {
      if (isForeign(recorded.command)) continue;
      compared++;
      const result = await runRecorded(recorded.command, context);
      const got = JSON.stringify([result.exitCode, result.stdout, result.stderr], undefined, 1);
      const expected = JSON.stringify([recorded.exitCode, recorded.stdout, recorded.stderr], undefined, 1);
      if (got !== expected) differences.push(`$ ${recorded.command}\n kernel ${expected}\n ours   ${got}`);
    }
    assert.ok(compared > 40, `only ${compared} commands compared`);
    assert.equal(differences.length, 0, differences.join("\n"));
  });
}
