// ipvsadm's commands against a director: parse, ask, print. Error texts and exit codes as recorded.

import type { ControlFailure, ControlReply, ControlRequest, Director, ReplyOf, Table } from "../protocol.js";
import { CommandFailure, connectionPages, failed, succeeded, type CommandContext, type CommandResult } from "./context.js";
import { parseCommand, type Parsed } from "./grammar.js";
import { helpText, versionText } from "./help.js";
import { banner, listConnections, listDaemons, listServices, sameService, saveRules, Writer } from "./print.js";
import { readWords, tryHelp } from "./words.js";

const INVALID = "Invalid operation.  Possibly wrong module version, address not unicast, ...";
const SCHEDULER = "Scheduler or persistence engine not found";
/** What the real program says when the kernel refuses. */
export const REFUSALS: Record<ControlFailure, string> = {
  "invalid": INVALID, "exists": "Service already exists", "not-found": "No such service", "no-service": "No such service",
  "server-exists": "Destination already exists", "no-server": "No such destination", "no-scheduler": SCHEDULER,
  "full": "Memory allocation problem", "range": "Numerical result out of range", "unsupported": "Operation not supported",
  "address-family": "Different address family is allowed only for tunneling servers", "no-device": "No such device",
};
const SERVER_COMMANDS = new Set(["add-server", "edit-server", "delete-server"]);

/** Asks and answers the value; a refusal becomes the text that the real program shows. */
async function ask<R extends ControlRequest>(director: Director, request: R, parsed: Parsed, exitCode = 255): Promise<ReplyOf<R>> {
  const reply: ControlReply<ReplyOf<R>> = await director.request(request);
  if (reply.ok) return reply.value;
  if (reply.error === "no-service" && SERVER_COMMANDS.has(parsed.command)) throw new CommandFailure(exitCode, "Service not defined");
  if (parsed.command === "start-daemon" && reply.error === "exists") throw new CommandFailure(exitCode, "Daemon has already run");
  if (parsed.command === "stop-daemon" && reply.error === "not-found") throw new CommandFailure(exitCode, "No daemon is running");
  throw new CommandFailure(exitCode, reply.detail ?? REFUSALS[reply.error]);
}

/** Runs one command line; texts and exit code, never an exception for what a person did wrong. */
export async function runIpvsadm(words: readonly string[], context: CommandContext): Promise<CommandResult> {
  try {
    const line = words.length === 0 ? ["-L"] : words;
    return await perform(await parseCommand(line, context.program, context.names), context);
  } catch (error) {
    if (error instanceof CommandFailure) return failed(error);
    throw error;
  }
}

async function perform(parsed: Parsed, context: CommandContext): Promise<CommandResult> {
  const { director } = context;
  const { service, server } = parsed;
  switch (parsed.command) {
    case "help": return succeeded(helpText(context.program));
    case "version": return succeeded(versionText(context.program));
    case "list": return list(parsed, context);
    case "save": return save(parsed, context);
    case "restore": return restore(context);
    case "add-service": await ask(director, { do: "service-add", service }, parsed); break;
    case "edit-service": await ask(director, { do: "service-edit", service }, parsed); break;
    case "delete-service": await ask(director, { do: "service-delete", service }, parsed); break;
    case "add-server": await ask(director, { do: "server-add", service, server }, parsed); break;
    case "edit-server": await ask(director, { do: "server-edit", service, server }, parsed); break;
    case "delete-server": await ask(director, { do: "server-delete", service, server }, parsed); break;
    case "flush": await ask(director, { do: "flush" }, parsed); break;
    case "zero": await ask(director, parsed.options.has("service-address") ? { do: "zero", service } : { do: "zero" }, parsed); break;
    case "set": await ask(director, { do: "timeouts-set", timeouts: parsed.timeouts }, parsed); break;
    case "start-daemon": await ask(director, { do: "daemon-start", daemon: parsed.daemon }, parsed); break;
    case "stop-daemon": await ask(director, { do: "daemon-stop", role: parsed.daemon.role }, parsed); break;
  }
  return succeeded();
}

async function list(parsed: Parsed, context: CommandContext): Promise<CommandResult> {
  const { director } = context;
  const { options } = parsed;
  const writer = new Writer(options.has("numeric"), context.names);
  if (options.has("connection")) {
    return succeeded(await listConnections(connectionPages(context), options.has("persistent-conn"), writer));
  }
  if (options.has("timeout")) {
    const timeouts = await ask(director, { do: "timeouts" }, parsed);
    return succeeded(`Timeout (tcp tcpfin udp): ${timeouts.tcp} ${timeouts.tcpfin} ${timeouts.udp}\n`);
  }
  if (options.has("daemon")) {
    return succeeded(listDaemons(await ask(director, { do: "daemons" }, parsed)));
  }
  const table: Table = await ask(director, { do: "table" }, parsed);
  if (!options.has("service-address")) {
    return succeeded(banner(table.size) + await listServices(table.services, options, writer));
  }
  const found = table.services.find((row) => sameService(row, parsed.service));
  // Of a line of -R, it ends all.
  if (!found) throw new CommandFailure(1, "No such service", true);
  return succeeded(await listServices([found], options, writer));
}

async function save(parsed: Parsed, context: CommandContext): Promise<CommandResult> {
  const table = await ask(context.director, { do: "table" }, parsed);
  return succeeded(await saveRules(table, new Writer(parsed.options.has("numeric"), context.names)));
}

/**
 * -R: every line is a command, its words between blanks. A line that the director refuses is told and the next is tried;
 * one that is wrong in itself, or asks for help, ends it.
 */
async function restore(context: CommandContext): Promise<CommandResult> {
  const total = succeeded();
  for (const line of (await context.input()).split("\n")) {
    const words = line.split(/[ \t\r]+/).filter((word) => word !== "");
    while (words[0] === "ipvsadm" || words[0] === context.program) words.shift();
    if (words.length === 0) continue;
    const one = await restoreLine(words, context);
    total.stdout += one.stdout;
    total.stderr += one.stderr;
    total.exitCode = one.exitCode;
    if (one.usage) break;
  }
  return total;
}

/** A line of -R, which may be anything but another -R: that is read like any other, and then refused. */
async function restoreLine(words: readonly string[], context: CommandContext): Promise<CommandResult> {
  const first = readWords(words).given[0]?.switch.command;
  const nested = { ...context, input: async (): Promise<string> => Promise.reject(tryHelp(context.program)) };
  const result = await runIpvsadm(words, nested);
  return first === "help" || first === "version" ? { ...result, usage: true } : result;
}

