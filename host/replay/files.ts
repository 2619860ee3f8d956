// The files a scenario's commands read and write: what a kernel director shows below /proc, and texts of their own in memory.

import { NO_NAMES, type CommandResult } from "../cli/context.js";
import { runVerb } from "../cli/verbs.js";
import type { ShellContext } from "./context.js";
import { runSysctl } from "./sysctl.js";

const PROC = /^\/proc\/net\/((?:ip_vs|nf_conntrack)\w*)$/;
const SETTING = /^\/proc\/sys\/net\/ipv4\/vs\/(\w+)$/;
const OWN = /^\/tmp\/[\w.-]+$/;
const NOWHERE = "/dev/null";

export const isReadable = (file: string): boolean => PROC.test(file) || SETTING.test(file) || OWN.test(file) || file === NOWHERE;
export const isWritable = (file: string): boolean => SETTING.test(file) || OWN.test(file) || file === NOWHERE;

/** A file's text; what is wrong is told as busybox's programs tell it, without their name. */
export async function readFile(file: string, context: ShellContext): Promise<CommandResult> {
  const name = PROC.exec(file)?.[1];
  const setting = SETTING.exec(file)?.[1];
  if (name !== undefined) {
    // Nothing is tracked for netfilter here: those tables are empty.
    if (!name.startsWith("ip_vs")) return { exitCode: 0, stdout: "", stderr: "" };
    return runVerb(["proc", name], { director: context.director, names: NO_NAMES, program: "ipvsadm", input: async () => "" }, () => {});
  }
  const missing = { exitCode: 1, stdout: "", stderr: `can't open '${file}': No such file or directory\n` };
  if (setting !== undefined) {
    const shown = await runSysctl(["-n", `net.ipv4.vs.${setting}`], context.director);
    return shown.exitCode === 0 ? shown : missing;
  }
  const text = file === NOWHERE ? "" : context.files.get(file);
  return text === undefined ? missing : { exitCode: 0, stdout: text, stderr: "" };
}

export async function writeFile(file: string, appends: boolean, text: string, context: ShellContext): Promise<CommandResult> {
  const setting = SETTING.exec(file)?.[1];
  if (setting !== undefined) {
    const done = await runSysctl(["-w", `net.ipv4.vs.${setting}=${text.trimEnd()}`], context.director);
    return { ...done, stdout: "", stderr: done.stderr.replace("sysctl", "sh") };
  }
  if (file !== NOWHERE) context.files.set(file, appends ? `${context.files.get(file) ?? ""}${text}` : text);
  return { exitCode: 0, stdout: "", stderr: "" };
}
