#!/usr/bin/env node
// lvsadm: ipvsadm's language, ippfvsadm's of 1999 when called by that name, and verbs of its own.

import { basename } from "node:path";
import { text } from "node:stream/consumers";
import { SocketDirector } from "./client.js";
import { CommandFailure, failed, type CommandContext, type CommandResult } from "./context.js";
import { runIppfvsadm } from "./ippfvsadm.js";
import { runIpvsadm } from "./ipvsadm.js";
import { defaultSocketPath, systemNames } from "./system.js";
import { isVerb, runVerb, VERBS_HELP } from "./verbs.js";

function splitSocket(words: string[]): { socketPath: string; rest: string[] } {
  const fallback = process.env["LVSD_SOCKET"] ?? defaultSocketPath();
  if (words[0]?.startsWith("--socket=")) return { socketPath: words[0].slice("--socket=".length), rest: words.slice(1) };
  if (words[0] !== "--socket") return { socketPath: fallback, rest: words };
  if (words[1] === undefined) throw new CommandFailure(2, "--socket needs the path of a control socket");
  return { socketPath: words[1], rest: words.slice(2) };
}

async function run(program: string, words: string[]): Promise<CommandResult> {
  const { socketPath, rest } = splitSocket(words);
  const context: CommandContext = {
    director: new SocketDirector(socketPath), names: systemNames(), program, input: () => text(process.stdin),
  };
  if (program === "ippfvsadm") return runIppfvsadm(rest, context);
  if (isVerb(rest[0])) return runVerb(rest, context, (progress) => process.stderr.write(progress));
  const result = await runIpvsadm(rest, context);
  const help = program === "lvsadm" && (rest[0] === "-h" || rest[0] === "--help");
  return help ? { ...result, stdout: result.stdout + VERBS_HELP } : result;
}

/** Called as ipvsadm or ippfvsadm it is that program; anything else is lvsadm. */
function calledAs(path: string): string {
  const name = basename(path).replace(/\.(js|ts)$/, "");
  return name === "ipvsadm" || name === "ippfvsadm" ? name : "lvsadm";
}

run(calledAs(process.argv[1] ?? ""), process.argv.slice(2)).catch((error: unknown) => {
  if (error instanceof CommandFailure) return failed(error);
  return { exitCode: 1, stdout: "", stderr: `lvsadm: ${error instanceof Error ? error.message : String(error)}\n` };
}).then((result) => {
  process.stderr.write(result.stderr);
  process.exitCode = result.exitCode;
  process.stdout.on("error", () => undefined); // `lvsadm -Ln | head`
  process.stdout.write(result.stdout);
});
