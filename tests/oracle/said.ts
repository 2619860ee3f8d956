// Recorded command lines on a director in this process: what it says to each.

import { Engine } from "../../host/engine/engine.js";
import { EngineDirector } from "../../host/engine/director.js";
import { Records } from "../../host/engine/records.js";
import { NO_NAMES, type CommandContext } from "../../host/cli/context.js";
import { runIpvsadm } from "../../host/cli/ipvsadm.js";
import { runVerb } from "../../host/cli/verbs.js";
import { splitWords } from "../../host/cli/words.js";
import { loadEngine } from "../../host/load.js";
import type { PortRow } from "../../host/protocol.js";
import { applyRecordedNetwork } from "./recording.js";
import type { Said } from "./texts.js";

const port = (name: string): PortRow => ({
  name, mac: "", mtu: 1500, device: "", driver: "", driverReason: "", up: true, deviceMtu: 1500, addresses: [],
  refusedFrames: 0, refusedError: "", queues: [], steering: "",
});

/** A director with the recordings' network, as commands see it. */
export async function createContext(): Promise<CommandContext> {
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
export async function runRecorded(command: string, context: CommandContext): Promise<Said> {
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
