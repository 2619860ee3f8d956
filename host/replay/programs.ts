// The programs of a scenario's commands that do something, or say a text of their own.

import type { MarkRule } from "../protocol.js";
import { NO_NAMES, type CommandResult } from "../cli/context.js";
import { runIpvsadm } from "../cli/ipvsadm.js";
import { MarkError, readMarkWords } from "../cli/marks.js";
import type { ShellContext } from "./context.js";
import { readFile } from "./files.js";
import { isIp, runIp } from "./ip.js";
import { isSysctl, runSysctl } from "./sysctl.js";

interface Known {
  /** True when all of its words are understood. */
  takes(words: readonly string[]): boolean;
  run(words: readonly string[], context: ShellContext, input: string): Promise<CommandResult>;
}

const DONE: CommandResult = { exitCode: 0, stdout: "", stderr: "" };
const says = (stdout: string): CommandResult => ({ ...DONE, stdout });
const silent = (exitCode: number, takes: Known["takes"]): Known => ({ takes, run: async () => ({ ...DONE, exitCode }) });
const anything = (): boolean => true;
const nothing = (words: readonly string[]): boolean => words.length === 0;
const MODULES = /^(-[ar]|ip_vs(_\w+)?)$/;
const modules = silent(0, (words) => words.every((word) => MODULES.test(word)));

const ipvsadm: Known = {
  takes: anything,
  run: (words, context, input) => runIpvsadm(words, { director: context.director, names: NO_NAMES, program: "ipvsadm", input: async () => input }),
};

const ESCAPES: Readonly<Record<string, string>> = { n: "\n", t: "\t", r: "\r", "\\": "\\" };

/** What `printf` says; undefined for formats that need more than texts. */
function formatted([format, ...rest]: readonly string[]): string | undefined {
  if (format === undefined) return undefined;
  const text = format.replace(/\\([ntr\\])/g, (_, letter: string) => ESCAPES[letter] ?? letter);
  if (!text.includes("%")) return rest.length === 0 ? text : undefined;
  if (text.replace("%s", "").includes("%")) return undefined;
  return (rest.length === 0 ? [""] : rest).map((word) => text.replace("%s", () => word)).join("");
}

const formatWords = (words: readonly string[]): readonly string[] => (words[0] === "--" ? words.slice(1) : words);

/** Only two equal texts are known here: how others are told of is diff's affair. */
const diff: Known = {
  takes: (words) => words.length === 2,
  run: async (words, context, input) => {
    const [left, right] = await Promise.all(words.map(async (word) => (word === "-" ? says(input) : readFile(word, context))));
    return left?.stdout === right?.stdout ? DONE : { ...DONE, exitCode: 1, stdout: "the texts differ\n" };
  },
};

/** The MARK rules of an iptables command; undefined when it is anything else. */
function readMarks(words: readonly string[]): MarkRule[] | undefined {
  try {
    return readMarkWords(words);
  } catch (error) {
    if (error instanceof MarkError) return undefined;
    throw error;
  }
}

const FLUSH = /^-t mangle -F( PREROUTING)?$/;

const iptables = (name: string): Known => ({
  takes: (words) => FLUSH.test(words.join(" ")) || readMarks([name, ...words]) !== undefined,
  run: async (words, context) => {
    if (FLUSH.test(words.join(" "))) await context.network.clearMarks();
    else {
      for (const rule of readMarks([name, ...words]) ?? []) {
        const reply = await context.director.request({ do: "mark-add", rule });
        if (!reply.ok) return { exitCode: 1, stdout: "", stderr: `iptables: ${reply.detail ?? reply.error}\n` };
      }
    }
    return DONE;
  },
});

export const PROGRAMS: ReadonlyMap<string, Known> = new Map(Object.entries<Known>({
  ipvsadm, diff, ip: { takes: isIp, run: (words, context) => runIp(words, context.network) },
  "ipvsadm-save": { takes: (words) => words.every((word) => word === "-n"), run: (words, context, input) => ipvsadm.run(["-S", ...words], context, input) },
  "ipvsadm-restore": { takes: nothing, run: (_, context, input) => ipvsadm.run(["-R"], context, input) },
  ...Object.fromEntries(["iptables", "iptables-legacy", "ip6tables", "ip6tables-legacy"].map((name) => [name, iptables(name)])),
  sysctl: { takes: isSysctl, run: (words, context) => runSysctl(words, context.director) },
  // Helpers and schedulers are kernel modules there; here they are always in. Time is the scenario's.
  modprobe: modules, rmmod: modules, sleep: silent(0, (words) => words.length === 1 && /^[\d.]+$/.test(words[0] ?? "")),
  true: silent(0, nothing), ":": silent(0, nothing), false: silent(1, nothing),
  echo: { takes: anything, run: async (words) => says(words[0] === "-n" ? words.slice(1).join(" ") : `${words.join(" ")}\n`) },
  printf: { takes: (words) => formatted(formatWords(words)) !== undefined, run: async (words) => says(formatted(formatWords(words)) ?? "") },
}));
