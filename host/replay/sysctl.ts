// `sysctl` as scenarios call it: busybox's words, which are those of the recorded guests, for every setting below net.ipv4.vs.

import type { Director } from "../protocol.js";
import type { CommandResult } from "../cli/context.js";
import { PREFIX, readSetting } from "../cli/sysctls.js";

const SETTING = /^net[./]ipv4[./]vs(?:[./][^=]*)?(?:=[^]*)?$/;
const SWITCHES = /^-[wnqe]+$/;

/** True when all of it is about settings of IPVS. */
export function isSysctl(words: readonly string[]): boolean {
  const settings = words.filter((word) => !SWITCHES.test(word));
  return settings.length > 0 && settings.every((word) => SETTING.test(word));
}

export async function runSysctl(words: readonly string[], director: Director): Promise<CommandResult> {
  const switches = new Set(words.filter((word) => SWITCHES.test(word)).flatMap((word) => [...word.slice(1)]));
  const total: CommandResult = { exitCode: 0, stdout: "", stderr: "" };
  for (const word of words.filter((one) => !SWITCHES.test(one))) {
    const one = await handle(word, switches, director);
    total.stdout += one.stdout;
    total.stderr += one.stderr;
    total.exitCode ||= one.exitCode;
    if (one.usage) break;
  }
  return total;
}

const failure = (stderr: string): CommandResult => ({ exitCode: 1, stdout: "", stderr });

async function handle(word: string, switches: ReadonlySet<string>, director: Director): Promise<CommandResult> {
  const [path = "", ...rest] = word.split("=");
  const value = rest.length === 0 ? undefined : rest.join("=");
  const key = path.replaceAll("/", ".");
  const reply = await director.request({ do: "sysctls" });
  const settings = new Map(Object.entries(reply.ok ? reply.value : {}));
  const name = key.slice(PREFIX.length);
  if (switches.has("w") && value === undefined) return failure(`sysctl: error: '${path}' must be of the form name=value\n`);
  const shown = (one: string, text: string | number): string => (switches.has("n") ? `${text}\n` : `${PREFIX}${one} = ${text}\n`);
  if (value === undefined && `${key}.`.startsWith(PREFIX) && name === "") {
    return { exitCode: 0, stdout: [...settings].sort(([a], [b]) => (a < b ? -1 : 1)).map(([one, text]) => shown(one, text)).join(""), stderr: "" };
  }
  const current = settings.get(name);
  if (current === undefined) return failure(switches.has("e") ? "" : `sysctl: error: '${key}' is an unknown key\n`);
  if (value === undefined) return { exitCode: 0, stdout: shown(name, current), stderr: "" };
  // Nothing written is nothing refused; what is refused ends the program.
  if (value !== "" && !(await write(name, value, director))) return { ...failure("sysctl: write error: Invalid argument\n"), usage: true };
  return { exitCode: 0, stdout: switches.has("q") ? "" : shown(name, value), stderr: "" };
}

async function write(name: string, text: string, director: Director): Promise<boolean> {
  const [value, period] = readSetting(name, text) ?? [];
  if (value === undefined) return false;
  const reply = await director.request({ do: "sysctl-set", name, value, ...(period === undefined ? {} : { period }) });
  return reply.ok;
}
