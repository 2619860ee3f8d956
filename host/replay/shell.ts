// The commands a scenario may hold: pipelines of ipvsadm, /proc, sysctl, MARK rules of iptables, links and local subnets, and
// of what picks lines of their texts. Files are the scenario's own and lie in memory. No shell.

import type { CommandResult } from "../cli/context.js";
import type { ShellContext } from "./context.js";
import { FILTERS } from "./filters.js";
import { PROGRAMS } from "./programs.js";
import { readPipelines, type Pipeline, type Program } from "./syntax.js";
import { isReadable, isWritable, readFile, writeFile } from "./files.js";

/** A command text that is understood completely, or an error before anything of it was done. */
export interface Script { pipelines: Pipeline[]; stopsAtError: boolean }

const STOPS = "set -e";

/** Reads a command text. Throws a RangeError that says what is not understood. */
export function readScript(text: string): Script {
  const all = readPipelines(text);
  const isStop = ({ programs: [first] }: Pipeline): boolean => first?.words.join(" ") === STOPS;
  const pipelines = all.filter((one) => !isStop(one));
  for (const { programs } of pipelines) programs.forEach((program, place) => requireKnown(program, place > 0));
  return { pipelines, stopsAtError: all.some(isStop) };
}

function requireKnown(program: Program, isPiped: boolean): void {
  const { words, reads, writes } = program;
  const known = isKnown(words, isPiped || reads !== undefined) && (reads === undefined || isReadable(reads)) && (!writes || isWritable(writes.file));
  if (known) return;
  const said = [...words, ...(reads === undefined ? [] : ["<", reads]), ...(writes ? [">", writes.file] : [])].join(" ");
  throw new RangeError("only ipvsadm, /proc/net/ip_vs*, sysctl, iptables MARK rules, ip (link mtu, addr, neigh, route), " +
    `what picks lines of texts, and files in /tmp can be replayed, not "${said}"`);
}

function isKnown([name = "", ...words]: readonly string[], hasInput: boolean): boolean {
  if (PROGRAMS.get(name)?.takes(words) === true) return true;
  const { options, files } = operands(words);
  const named = fileOperands(name, files);
  if (FILTERS.get(name)?.(filterWords(name, options, files)) === undefined) return false;
  return (hasInput || named.length > 0) && named.every(isReadable);
}

/** Words that are no options; "-" is standard input, a number after -n belongs to it. */
function operands(words: readonly string[]): { options: string[]; files: string[] } {
  const options: string[] = [];
  const files: string[] = [];
  words.forEach((word, at) => {
    const isOption = (word.startsWith("-") && word !== "-") || (words[at - 1] === "-n" && /^\+?\d+$/.test(word));
    (isOption ? options : files).push(word);
  });
  return { options, files };
}

/** Of grep the first operand is what it looks for. */
function filterWords(name: string, options: readonly string[], files: readonly string[]): string[] {
  return name === "grep" ? [...options, ...files.slice(0, 1)] : [...options];
}

function fileOperands(name: string, files: readonly string[]): string[] {
  return (name === "grep" ? files.slice(1) : [...files]).filter((one) => one !== "-");
}

/** Runs a script; with `set -e` it stops at the first failure that nothing waits for. */
export async function runScript(script: Script, context: ShellContext): Promise<CommandResult> {
  const total: CommandResult = { exitCode: 0, stdout: "", stderr: "" };
  for (const [at, pipeline] of script.pipelines.entries()) {
    if ((pipeline.when === "success" && total.exitCode !== 0) || (pipeline.when === "failure" && total.exitCode === 0)) continue;
    const one = await runPipeline(pipeline, context);
    total.exitCode = one.exitCode;
    total.stdout += one.stdout;
    total.stderr += one.stderr;
    const isAwaited = (script.pipelines[at + 1]?.when ?? "always") !== "always";
    if (one.exitCode !== 0 && script.stopsAtError && !isAwaited) break;
  }
  return total;
}

async function runPipeline({ programs }: Pipeline, context: ShellContext): Promise<CommandResult> {
  const total: CommandResult = { exitCode: 0, stdout: "", stderr: "" };
  for (const [place, program] of programs.entries()) {
    const input = program.reads === undefined ? total.stdout : (await readFile(program.reads, context)).stdout;
    const one = await runProgram(program, input, place > 0 || program.reads !== undefined, context);
    const said = program.errors === "mixed" ? one.stdout + one.stderr : one.stdout;
    if (program.errors === "shown") total.stderr += one.stderr;
    total.exitCode = one.exitCode;
    total.stdout = program.writes ? "" : said;
    if (!program.writes) continue;
    const written = await writeFile(program.writes.file, program.writes.appends, said, context);
    total.stderr += written.stderr;
    total.exitCode ||= written.exitCode;
  }
  return total;
}

async function runProgram({ words: [name = "", ...words] }: Program, input: string, hasInput: boolean, context: ShellContext): Promise<CommandResult> {
  const program = PROGRAMS.get(name);
  if (program?.takes(words) === true) return program.run(words, context, input);
  const { options, files } = operands(words);
  const total: CommandResult = { exitCode: 0, stdout: "", stderr: "" };
  let text = hasInput ? input : "";
  const named = fileOperands(name, files);
  if (named.length > 0) text = "";
  for (const file of named) {
    const one = await readFile(file, context);
    text += one.stdout;
    total.stderr += one.stderr === "" ? "" : `${name}: ${one.stderr}`;
    total.exitCode ||= one.exitCode;
  }
  const done = FILTERS.get(name)?.(filterWords(name, options, files))?.(text);
  return { exitCode: total.exitCode || (done?.exitCode ?? 0), stdout: done?.stdout ?? "", stderr: total.stderr };
}
