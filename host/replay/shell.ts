// The commands a scenario may hold: ipvsadm, sysctl, MARK rules of iptables, a link's MTU, local subnets. No shell.

import { LocalKind } from "../../assembly/abi/enums.js";
import type { Director, MarkRule } from "../protocol.js";
import { NO_NAMES, type CommandContext, type CommandResult } from "../cli/context.js";
import { runIpvsadm } from "../cli/ipvsadm.js";
import { MarkError, readMarkWords } from "../cli/marks.js";
import { runVerb } from "../cli/verbs.js";
import { splitWords } from "../cli/words.js";
import { filtered, isFilter, procNames, said } from "./pipes.js";
import { isSysctl, runSysctl } from "./sysctl.js";

export interface ShellContext {
  director: Director;
  /** Changes a port's MTU; false when there is no such port. */
  setMtu(port: string, mtuBytes: number): Promise<boolean>;
  /** Takes in a whole subnet: the director's own, or others'. */
  addLocalSubnet(prefix: string, kind: LocalKind.Whole | LocalKind.Transparent): Promise<boolean>;
}

/** A command text that is understood completely, or an error before anything of it was done. */
export interface Script { commands: string[][]; stopsAtError: boolean }

/** A link's MTU; a subnet made local; the same in a table of its own that only marked packets look into, and the rule for that. */
const IP_COMMANDS = [
  /^ip link set [\w.-]+ mtu \d+$/, /^ip route add local [\w.:]+\/\d+ dev lo( table \d+)?$/, /^ip rule add fwmark \d+ (lookup|table) \d+$/,
];
const MODULES = /^ip_vs(_\w+)?$/;

/** Splits at ";" and newlines outside quotation marks. */
function splitCommands(text: string): string[] {
  const parts = [""];
  let quote = "";
  for (const letter of text) {
    if (quote === "" && (letter === ";" || letter === "\n")) {
      parts.push("");
      continue;
    }
    if (quote === letter) quote = "";
    else if (quote === "" && (letter === "'" || letter === '"')) quote = letter;
    parts[parts.length - 1] += letter;
  }
  return parts.map((part) => part.trim()).filter((part) => part !== "");
}

/** Reads a command text. Throws a RangeError that says what is not understood. */
export function readScript(text: string): Script {
  const script: Script = { commands: [], stopsAtError: false };
  for (const part of splitCommands(text)) {
    const words = splitWords(part);
    if (words.join(" ") === "set -e") script.stopsAtError = true;
    else if (isKnown(words)) script.commands.push(words);
    else throw new RangeError(`only ipvsadm, /proc/net/ip_vs*, sysctl, iptables MARK rules, "ip link set PORT mtu N" and "ip route add local NET dev lo" can be replayed, not "${part}"`);
  }
  return script;
}

function splitFilter(all: readonly string[]): { words: string[]; filter: string[] } {
  const bar = all.indexOf("|");
  return bar < 0 ? { words: [...all], filter: [] } : { words: all.slice(0, bar), filter: all.slice(bar + 1) };
}

function isKnown(all: readonly string[]): boolean {
  const { words, filter } = splitFilter(all);
  const piped = said(words) !== undefined && filter[0] === "ipvsadm" && !filter.includes("|");
  if (piped) return true;
  if (!isFilter(filter) || words.some((word) => word === "&&" || word === "||" || word.startsWith(">"))) return false;
  switch (words[0]) {
    case "ipvsadm": return true;
    case "cat": case "head": return procNames(words) !== undefined;
    // Time is the scenario's.
    case "sleep": return /^[\d.]+$/.test(words[1] ?? "");
    case "sysctl": return isSysctl(words.slice(1));
    case "iptables": case "iptables-legacy": case "ip6tables": case "ip6tables-legacy": return readMark(words) !== undefined;
    case "ip": return IP_COMMANDS.some((form) => form.test(words.join(" ")));
    // Helpers and schedulers are kernel modules there; here they are always in.
    case "modprobe": return words.slice(1).every((word) => word === "-a" || MODULES.test(word));
    default: return false;
  }
}

/** The MARK rules of an iptables command; undefined when it is anything else. */
function readMark(words: readonly string[]): MarkRule[] | undefined {
  try {
    return readMarkWords(words);
  } catch (error) {
    if (error instanceof MarkError) return undefined;
    throw error;
  }
}

/** Runs a script; with `set -e` it stops at the first failure. */
export async function runScript(script: Script, context: ShellContext): Promise<CommandResult> {
  const total: CommandResult = { exitCode: 0, stdout: "", stderr: "" };
  for (const command of script.commands) {
    const { words, filter } = splitFilter(command);
    const text = said(words);
    const one = text === undefined ? await runWords(words, context) : await runIpvsadm(filter.slice(1), commandContext(context, text));
    total.exitCode = one.exitCode;
    total.stdout += text === undefined ? filtered(one.stdout, filter) : one.stdout;
    total.stderr += one.stderr;
    if (one.exitCode !== 0 && script.stopsAtError) break;
  }
  return total;
}

function commandContext(context: ShellContext, input: string): CommandContext {
  return { director: context.director, names: NO_NAMES, program: "ipvsadm", input: async () => input };
}

async function runProc(words: readonly string[], context: ShellContext): Promise<CommandResult> {
  const total: CommandResult = { exitCode: 0, stdout: "", stderr: "" };
  // Nothing is tracked for netfilter here: those tables are empty.
  for (const name of (procNames(words) ?? []).filter((one) => one.startsWith("ip_vs"))) {
    const one = await runVerb(["proc", name], commandContext(context, ""), () => {});
    total.stdout += one.stdout;
    total.stderr += one.stderr;
    total.exitCode ||= one.exitCode;
  }
  if (words[0] === "head") total.stdout = filtered(total.stdout, words.slice(0, 2));
  return total;
}

async function runWords(words: readonly string[], context: ShellContext): Promise<CommandResult> {
  switch (words[0]) {
    case "ipvsadm": return runIpvsadm(words.slice(1), commandContext(context, ""));
    case "cat": case "head": return runProc(words, context);
    case "sysctl": return runSysctl(words.slice(1), context.director);
    case "ip": return runIp(words, context);
    case "modprobe": case "sleep": return { exitCode: 0, stdout: "", stderr: "" };
    default: return runMark(readMark(words) ?? [], context.director);
  }
}

async function runIp(words: readonly string[], context: ShellContext): Promise<CommandResult> {
  if (words[1] === "link") return setMtu(words[3] ?? "", Number(words[5]), context);
  // Which marks look into the table is for the services to say: only a mark's service serves such a packet.
  if (words[1] === "rule") return { exitCode: 0, stdout: "", stderr: "" };
  const kind = words.includes("table") ? LocalKind.Transparent : LocalKind.Whole;
  if (await context.addLocalSubnet(words[4] ?? "", kind)) return { exitCode: 0, stdout: "", stderr: "" };
  return { exitCode: 2, stdout: "", stderr: "RTNETLINK answers: Invalid argument\n" };
}

async function setMtu(port: string, mtuBytes: number, context: ShellContext): Promise<CommandResult> {
  if (await context.setMtu(port, mtuBytes)) return { exitCode: 0, stdout: "", stderr: "" };
  return { exitCode: 1, stdout: "", stderr: `Cannot find device "${port}"\n` };
}

async function runMark(rules: readonly MarkRule[], director: Director): Promise<CommandResult> {
  for (const rule of rules) {
    const reply = await director.request({ do: "mark-add", rule });
    if (!reply.ok) return { exitCode: 1, stdout: "", stderr: `iptables: ${reply.detail ?? reply.error}\n` };
  }
  return { exitCode: 0, stdout: "", stderr: "" };
}
