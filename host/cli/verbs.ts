// What lvsadm says in words of its own: how the director is, a server emptied gently, kernel settings by name.

import type { PortRow, QueueRow, ServerRow, ServiceRow, Status, WorkerRow } from "../protocol.js";
import { asked, CommandFailure, connectionPages, failed, misused, succeeded, type CommandContext, type CommandResult } from "./context.js";
import { readEndpoint, wholeNumber } from "./endpoints.js";
import { sameService } from "./print.js";
import { procConnections, procConnectionsSync, procHelpers, procStats, procStatsPerCpu, procTable } from "./proc.js";
import { sysctl } from "./sysctl.js";

type Verb = (words: readonly string[], context: CommandContext, progress: (text: string) => void) => Promise<CommandResult>;

const VERBS: Record<string, Verb> = { status, drain, sysctl, proc };

/** The verbs, as the help names them. */
export const VERBS_HELP = `
Verbs beyond ipvsadm:
  status                              ports, neighbours, table use, dropped frames by reason
  drain VIP:PORT RIP:PORT [SECONDS]   weight 0, then wait until the server's connections have ended
  sysctl [-wnNqea] [NAME[=VALUE]]...  settings of net.ipv4.vs, in sysctl's words
  proc NAME                           what /proc/net/NAME shows on a kernel director (ip_vs, ip_vs_conn, ...)
  --socket PATH                       the director's control socket (before everything else)
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

/** The command knows nothing of the director's own (host/engine/counted.ts). */
const counted = (count: number, what: string): string => `${count} ${what}${count === 1 ? "" : "s"}`;

async function status(words: readonly string[], context: CommandContext): Promise<CommandResult> {
  if (words.length > 0) throw misused(`unexpected argument ${words[0]}`);
  return succeeded(describe(await asked(context, { do: "status" })));
}

function describe(status: Status): string {
  const lines = [
    `lvs-wasm ${status.version}, up ${status.uptimeSeconds} s, ${counted(status.workers, "worker")}`,
    `connections ${status.connectionsUsed} of ${status.connectionsMax} (2^${Math.log2(status.buckets)} buckets)`,
    ...status.workerRows.map(describeWorker),
    "ports",
    ...status.ports.flatMap(describePort),
    "neighbours",
    ...status.neighbors.map((one) => `  ${one.address.padEnd(24)} ${one.mac}  ${one.port}  ${one.state}`),
    Object.keys(status.drops).length === 0 ? "no frame was dropped" : "dropped frames",
    ...Object.entries(status.drops).map(([reason, count]) => `  ${reason.padEnd(24)} ${count}`),
  ];
  return lines.map((line) => `${line}\n`).join("");
}

function describeWorker(row: WorkerRow, worker: number): string {
  return `  worker ${worker}: ${row.received} frames, ${row.handedOver} handed over, ${row.handedIn} taken over, ${row.handoverFull} lost to a full ring, ` +
    `${row.connections} connections`;
}

function describePort(port: PortRow): string[] {
  const line = `  ${port.name.padEnd(8)} ${port.mac}  mtu ${port.mtu}  ${port.driver} ${port.device} ${port.up ? "up" : "down"}  ${port.addresses.join(" ")}`;
  const lines = [line, `           driver ${port.driver}: ${port.driverReason}`];
  if (!port.up) lines.push(`           ${port.device} is down, and no frame passes: \`ip link set dev ${port.device} up\``);
  else if (port.deviceMtu < port.mtu) lines.push(`           ${port.device} has an MTU of ${port.deviceMtu}, the port ${port.mtu}: longer frames are lost`);
  if (port.steering !== "") lines.push(`           ${port.steering}`);
  if (port.refusedFrames > 0) lines.push(`           ${port.refusedFrames} frames were refused by the device, the last with ${port.refusedError}`);
  for (const queue of port.queues) lines.push(`           queue ${queue.queue}: ${describeQueue(queue)}`);
  return lines;
}

const QUEUE_WORDS: Record<Exclude<keyof QueueRow, "queue">, string> = {
  dropped: "dropped", receiveFull: "receive ring full", fillEmpty: "fill ring empty", transmitEmpty: "transmit ring empty",
  invalid: "bad chunks", invalidSent: "bad frames sent",
};

function describeQueue(queue: QueueRow): string {
  return (Object.keys(QUEUE_WORDS) as (keyof typeof QUEUE_WORDS)[]).map((name) => `${QUEUE_WORDS[name]} ${queue[name]}`).join(", ");
}

const DRAIN_SECONDS = 300;

/** A server, and the service it is in. */
interface Place { service: ServiceRow; server: ServerRow }

/** All places of a server behind an address and port: services of TCP, UDP and SCTP; without a port of its own, all its ports. */
async function findPlaces(virtualText: string, realText: string, context: CommandContext): Promise<Place[]> {
  const virtual = await readEndpoint(virtualText, "tcp", context.names);
  if (!virtual) throw misused("illegal virtual server address[:port] specified");
  const real = await readEndpoint(realText, "tcp", context.names);
  if (!real) throw misused("illegal real server address[:port] specified");
  const { services } = await asked(context, { do: "table" });
  const meant = services.filter((row) => row.protocol !== "fwmark" && row.address === virtual.address && row.port === virtual.port);
  if (meant.length === 0) throw new CommandFailure(1, "No such service");
  const places = meant.flatMap((service) => service.servers
    .filter((server) => server.address === real.address && (real.port === 0 || server.port === real.port)).map((server) => ({ service, server })));
  if (places.length === 0) throw new CommandFailure(1, "No such destination");
  return places;
}

async function drain(words: readonly string[], context: CommandContext, progress: (text: string) => void): Promise<CommandResult> {
  const [virtual, real, limitText] = words;
  if (virtual === undefined || real === undefined || words.length > 3) throw misused("drain needs VIP:PORT RIP:PORT [SECONDS]");
  const limitSeconds = limitText === undefined ? DRAIN_SECONDS : wholeNumber(limitText, 0, 86400);
  if (limitSeconds === undefined) throw misused(`invalid timeout value \`${limitText}' specified`);
  const places = await findPlaces(virtual, real, context);
  for (const { service, server } of places) await asked(context, { do: "server-edit", service, server: { ...server, weight: 0 } });
  const left = await waitEmpty(places, limitSeconds, context, progress);
  if (left === 0) return succeeded(`${real} is empty\n`);
  throw new CommandFailure(1, `${real} still has ${counted(left, "connection")} after ${limitSeconds} s; its weight stays 0`);
}

/**
 * Connections a server still works on. Of TCP and SCTP those are the active ones: what has said goodbye is
 * only remembered. UDP has no goodbye: its connections end by their timeout.
 */
async function workLeft(places: readonly Place[], context: CommandContext): Promise<number> {
  const { services } = await asked(context, { do: "table" });
  const rows = places.map(({ service, server: { address, port } }) => services.find((row) => sameService(row, service))?.servers
    .find((one) => one.address === address && one.port === port));
  return rows.reduce((sum, row, at) => sum + (row?.activeConnections ?? 0) + (places[at]?.service.protocol === "udp" ? row?.inactiveConnections ?? 0 : 0), 0);
}

async function waitEmpty(places: readonly Place[], limitSeconds: number, context: CommandContext, progress: (text: string) => void): Promise<number> {
  const until = Date.now() + limitSeconds * 1000;
  for (let told = -1; ;) {
    const left = await workLeft(places, context);
    if (left === 0 || Date.now() >= until) return left;
    if (left !== told) progress(`${counted(left, "connection")} left\n`);
    told = left;
    await new Promise((resolve) => setTimeout(resolve, Math.min(1000, Math.max(1, until - Date.now()))));
  }
}

const PROC: ReadonlyMap<string, (context: CommandContext) => Promise<string>> = new Map(Object.entries({
  ip_vs: async (context: CommandContext) => procTable(await asked(context, { do: "table" })),
  ip_vs_stats: async (context: CommandContext) => procStats(await asked(context, { do: "table" })),
  ip_vs_stats_percpu: async (context: CommandContext) => procStatsPerCpu(await asked(context, { do: "table" })),
  ip_vs_conn: async (context: CommandContext) => procConnections(connectionPages(context)),
  ip_vs_conn_sync: async (context: CommandContext) => procConnectionsSync(connectionPages(context)),
  ip_vs_app: async (context: CommandContext) => procHelpers(await asked(context, { do: "helpers" })),
}));

async function proc(words: readonly string[], context: CommandContext): Promise<CommandResult> {
  const show = PROC.get(words[0] ?? "");
  if (!show || words.length > 1) throw misused(`proc needs one of ${[...PROC.keys()].join(", ")}`);
  return succeeded(await show(context));
}
