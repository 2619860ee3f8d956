// What lvsadm says in words of its own: how the director is, a server emptied gently, kernel settings by name.

import type { ConnectionRow, PortRow, ServiceKey, ServiceRow, Status } from "../protocol.js";
import { CommandFailure, failed, misused, succeeded, type CommandContext, type CommandResult } from "./context.js";
import { readEndpoint, wholeNumber } from "./endpoints.js";

type Verb = (words: readonly string[], context: CommandContext, progress: (text: string) => void) => Promise<CommandResult>;

const VERBS: Record<string, Verb> = { status, drain, sysctl };

/** The verbs, as the help names them. */
export const VERBS_HELP = `
Verbs beyond ipvsadm:
  status                           ports, neighbours, table use, dropped frames by reason
  drain VIP:PORT RIP:PORT [SECONDS]   weight 0, then wait until the server's connections have ended
  sysctl [NAME[=VALUE]]            settings of net.ipv4.vs
  --socket PATH                    the director's control socket (before everything else)
`;

export function isVerb(word: string | undefined): boolean {
  return word !== undefined && Object.hasOwn(VERBS, word);
}

/** Runs one of our own verbs. `progress` is told about long waits. */
export async function runVerb(words: readonly string[], context: CommandContext, progress: (text: string) => void): Promise<CommandResult> {
  try {
    return await (VERBS[words[0] ?? ""] as Verb)(words.slice(1), context, progress);
  } catch (error) {
    if (error instanceof CommandFailure) return failed(error);
    throw error;
  }
}

async function status(words: readonly string[], context: CommandContext): Promise<CommandResult> {
  if (words.length > 0) throw misused(`unexpected argument ${words[0]}`);
  const reply = await context.director.request({ do: "status" });
  if (!reply.ok) throw new CommandFailure(1, reply.detail ?? reply.error);
  return succeeded(describe(reply.value));
}

function describe(status: Status): string {
  const lines = [
    `lvs-wasm ${status.version}, up ${status.uptimeSeconds} s, ${status.workers} worker${status.workers === 1 ? "" : "s"}`,
    `connections ${status.connectionsUsed} of ${status.connectionsMax} (2^${Math.log2(status.buckets)} buckets)`,
    "ports",
    ...status.ports.flatMap(describePort),
    "neighbours",
    ...status.neighbors.map((one) => `  ${one.address.padEnd(24)} ${one.mac}  ${one.port}  ${one.state}`),
    Object.keys(status.drops).length === 0 ? "no frame was dropped" : "dropped frames",
    ...Object.entries(status.drops).map(([reason, count]) => `  ${reason.padEnd(24)} ${count}`),
  ];
  return lines.map((line) => `${line}\n`).join("");
}

function describePort(port: PortRow): string[] {
  const line = `  ${port.name.padEnd(8)} ${port.mac}  mtu ${port.mtu}  ${port.driver} ${port.device} ${port.up ? "up" : "down"}  ${port.addresses.join(" ")}`;
  const lines = [line, `           driver ${port.driver}: ${port.driverReason}`];
  if (port.refusedFrames > 0) lines.push(`           ${port.refusedFrames} frames were refused by the device, the last with ${port.refusedError}`);
  return lines;
}

async function findService(text: string, context: CommandContext): Promise<ServiceRow> {
  const reply = await context.director.request({ do: "table" });
  if (!reply.ok) throw new CommandFailure(1, reply.detail ?? reply.error);
  const endpoint = await readEndpoint(text, "tcp", context.names);
  if (!endpoint) throw misused("illegal virtual server address[:port] specified");
  const found = reply.value.services.find((row) => row.protocol !== "fwmark" && row.address === endpoint.address && row.port === endpoint.port);
  if (!found) throw new CommandFailure(1, "No such service");
  return found;
}

const DRAIN_SECONDS = 300;

async function drain(words: readonly string[], context: CommandContext, progress: (text: string) => void): Promise<CommandResult> {
  const [virtual, real, limitText] = words;
  if (virtual === undefined || real === undefined || words.length > 3) throw misused("drain needs VIP:PORT RIP:PORT [SECONDS]");
  const limitSeconds = limitText === undefined ? DRAIN_SECONDS : wholeNumber(limitText, 0, 86400);
  if (limitSeconds === undefined) throw misused(`invalid timeout value \`${limitText}' specified`);
  const service = await findService(virtual, context);
  const endpoint = await readEndpoint(real, service.protocol, context.names);
  const server = service.servers.find((one) => one.address === endpoint?.address && (endpoint.port === 0 || one.port === endpoint.port));
  if (!server) throw new CommandFailure(1, "No such destination");
  const edited = await context.director.request({ do: "server-edit", service, server: { ...server, weight: 0 } });
  if (!edited.ok) throw new CommandFailure(1, edited.detail ?? edited.error);
  const left = await waitEmpty(service, server.address, server.port, limitSeconds, context, progress);
  if (left === 0) return succeeded(`${real} is empty\n`);
  throw new CommandFailure(1, `${real} still has ${left} connections after ${limitSeconds} s; its weight stays 0`);
}

async function waitEmpty(service: ServiceKey, address: string, port: number, limitSeconds: number, context: CommandContext, progress: (text: string) => void): Promise<number> {
  const until = Date.now() + limitSeconds * 1000;
  for (;;) {
    const reply = await context.director.request({ do: "connections" });
    const mine = (row: ConnectionRow): boolean => row.serverAddress === address && row.serverPort === port && row.virtualPort === service.port;
    const left = reply.ok ? reply.value.filter(mine).length : 0;
    if (left === 0 || Date.now() >= until) return left;
    progress(`${left} connections left\n`);
    await new Promise((resolve) => setTimeout(resolve, Math.min(1000, Math.max(1, until - Date.now()))));
  }
}

async function sysctl(words: readonly string[], context: CommandContext): Promise<CommandResult> {
  if (words.length > 1) throw misused(`unexpected argument ${words[1]}`);
  const [name = "", value] = (words[0] ?? "").replace(/^net\.ipv4\.vs\./, "").split("=");
  if (value === undefined) return showSysctls(name, context);
  const number = wholeNumber(value, 0, 4294967295);
  if (number === undefined) throw misused(`invalid value \`${value}' specified`);
  const reply = await context.director.request({ do: "sysctl-set", name, value: number });
  if (!reply.ok) throw new CommandFailure(255, reply.detail ?? `cannot set ${name}: ${reply.error}`);
  return succeeded(`net.ipv4.vs.${name} = ${number}\n`);
}

async function showSysctls(name: string, context: CommandContext): Promise<CommandResult> {
  const reply = await context.director.request({ do: "sysctls" });
  if (!reply.ok) throw new CommandFailure(1, reply.detail ?? reply.error);
  const chosen = Object.entries(reply.value).filter(([one]) => name === "" || one === name);
  if (chosen.length === 0) throw new CommandFailure(255, `cannot stat /proc/sys/net/ipv4/vs/${name}: No such file or directory`);
  return succeeded(chosen.map(([one, value]) => `net.ipv4.vs.${one} = ${value}\n`).join(""));
}
