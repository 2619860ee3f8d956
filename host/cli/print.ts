// Listings, column for column as ipvsadm prints them (recording cli).

import type { ConnectionRow, Counters, DaemonSpec, Rates, ServerRow, ServiceKey, ServiceRow, Table } from "../protocol.js";
import { parseAddress } from "../engine/address.js";
import type { Names } from "./context.js";
import { formatFlags } from "./flags.js";
import type { Option } from "./options.js";

export const FORWARD_TEXT = { masq: "Masq", local: "Local", tunnel: "Tunnel", route: "Route" };
const PROTOCOL_ORDER = { fwmark: 0, tcp: 6, udp: 17, sctp: 132 };

/** Writes addresses and ports as numbers, or by name without -n. */
export class Writer {
  constructor(readonly numeric: boolean, private readonly names: Names) {}

  async endpoint(address: string, port: number, protocol: string): Promise<string> {
    const known = (this.numeric ? undefined : await this.names.hostOf(address)) ?? address;
    const host = address.includes(":") ? `[${known}]` : known;
    const service = port === 0 || this.numeric ? undefined : await this.names.serviceOf(port, protocol);
    return `${host}:${service ?? port}`;
  }
}

/** The 32 bits of a difference, as the program looks at them: -1 comes before 0, and 200.0.0.1 before 20.0.0.1. */
const difference = (a: number, b: number): number => (a - b) | 0;

function compareAddresses(a: string, b: string): number {
  // An IPv4 address is its first word, where families meet among a service's servers.
  const [left, right] = [a, b].map((text) => {
    const address = parseAddress(text) ?? { family: 6, bytes: new Uint8Array(16) };
    const words = new Uint8Array(16);
    words.set(address.family === 4 ? address.bytes.slice(12) : address.bytes);
    return new DataView(words.buffer);
  });
  for (let at = 0; left && right && at < 16; at += 4) {
    const found = difference(left.getInt32(at), right.getInt32(at));
    if (found !== 0) return found;
  }
  return 0;
}

function compareServices(a: ServiceRow, b: ServiceRow): number {
  return difference(a.fwmark, b.fwmark) || a.family - b.family || PROTOCOL_ORDER[a.protocol] - PROTOCOL_ORDER[b.protocol] ||
    compareAddresses(a.address, b.address) || a.port - b.port;
}

/** A merge sort as qsort(3) does it: such differences go in circles, so that the way of sorting shows. */
function merged<T>(rows: readonly T[], compare: (a: T, b: T) => number): T[] {
  if (rows.length < 2) return [...rows];
  const half = rows.length >> 1;
  const [left, right] = [merged(rows.slice(0, half), compare), merged(rows.slice(half), compare)];
  const all: T[] = [];
  let [from, to] = [0, 0];
  for (let first = left[from], second = right[to]; first !== undefined && second !== undefined; first = left[from], second = right[to]) {
    if (compare(first, second) <= 0) from = all.push(first) - to;
    else to = all.push(second) - from;
  }
  return [...all, ...left.slice(from), ...right.slice(to)];
}

/** Services and their servers in ipvsadm's order: by mark, family, protocol, address, port. */
export function sorted(services: readonly ServiceRow[]): ServiceRow[] {
  return merged(services, compareServices).map((service) => ({
    ...service,
    servers: merged(service.servers, (a, b) => compareAddresses(a.address, b.address) || a.port - b.port),
  }));
}

export function sameService(a: ServiceKey, b: ServiceKey): boolean {
  if (a.protocol !== b.protocol || a.family !== b.family) return false;
  return a.protocol === "fwmark" ? a.fwmark === b.fwmark : a.address === b.address && a.port === b.port;
}

/** "TCP  10.0.1.100:80" or "FWM  2 IPv6". */
async function serviceName(service: ServiceKey, writer: Writer): Promise<string> {
  if (service.protocol === "fwmark") return `FWM  ${service.fwmark | 0}${service.family === 6 ? " IPv6" : ""}`;
  const endpoint = await writer.endpoint(service.address, service.port, service.protocol);
  return `${service.protocol.toUpperCase().padEnd(4)} ${fitting(endpoint, writer)}`;
}

/** What follows a service's scheduler: flags, persistence, one-packet. */
function serviceDetail(service: ServiceRow): string {
  const flags = formatFlags(service.scheduler, service.schedulerFlags);
  const mask = service.netmask === (service.family === 4 ? "255.255.255.255" : "128") ? "" : ` mask ${service.netmask}`;
  const engine = service.persistenceEngine === "" ? "" : ` pe ${service.persistenceEngine}`;
  const persistent = service.persistent ? ` persistent ${service.timeoutSeconds}${mask}${engine}` : "";
  return `${service.scheduler}${flags === undefined ? "" : ` (${flags})`}${persistent}${service.onePacket ? " ops" : ""}`;
}

/** A figure in nine columns; from a hundred million on in thousands, millions and so on. */
function figure(value: bigint, exact: boolean): string {
  const text = value.toString();
  if (exact) return text.padStart(text.length <= 8 ? 9 : text.length + 1);
  if (value < 100_000_000n) return text.padStart(9);
  const [unit, letter] = value < 1_000_000_000n ? [1_000n, "K"] : value < 100_000_000_000n ? [1_000_000n, "M"]
    : value < 100_000_000_000_000n ? [1_000_000_000n, "G"] : [1_000_000_000_000n, "T"];
  return `${(value / (unit as bigint)).toString().padStart(8)}${letter as string}`;
}

function figures(row: Counters | Rates, exact: boolean): string {
  return [row.connections, row.inPackets, row.outPackets, row.inBytes, row.outBytes]
    .map((value) => figure(BigInt(value), exact)).join("");
}

function tunnelText(server: ServerRow): string {
  if (server.forward !== "tunnel") return "n/a";
  const checksum = server.tunnel === "ipip" ? "" : [":-c", ":+c", ":r+c"][server.tunnelFlags] ?? "";
  return server.tunnel === "gue" ? `gue:${server.tunnelPort}${checksum}` : `${server.tunnel}${checksum}`;
}

interface View { header: string; service(row: ServiceRow, name: string): string; server(row: ServerRow, name: string): string }

/** Names that do not fit are cut off in listings, numbers are not. */
const NAME_COLUMNS = 28;
const fitting = (name: string, writer: Writer): string => (writer.numeric ? name : name.slice(0, NAME_COLUMNS));
const named = (name: string): string => `  -> ${name.padEnd(NAME_COLUMNS)}`;
const left = (value: string | number, width: number): string => String(value).padEnd(width);
/** The last two columns of most listings. */
const connections = (row: ServerRow): string => `${left(row.activeConnections, 10)} ${left(row.inactiveConnections, 10)}`;
const plainService = (row: ServiceRow, name: string): string => `${name} ${serviceDetail(row)}`;

function view(options: ReadonlySet<Option>): View {
  const exact = options.has("exact");
  if (options.has("stats") || options.has("rate")) {
    const rate = !options.has("stats");
    const part = (row: ServiceRow | ServerRow): string => figures(rate ? row.rates : row.counters, exact);
    return {
      header: `Prot LocalAddress:Port            ${rate
        ? "     CPS    InPPS   OutPPS    InBPS   OutBPS" : "   Conns   InPkts  OutPkts  InBytes OutBytes"}\n  -> RemoteAddress:Port\n`,
      service: (row, name) => `${name.padEnd(33)}${part(row)}`,
      server: (row, name) => `${named(name)}${part(row)}`,
    };
  }
  if (options.has("thresholds")) {
    return {
      header: "Prot LocalAddress:Port            Uthreshold Lthreshold ActiveConn InActConn \n  -> RemoteAddress:Port\n",
      service: plainService,
      server: (row, name) => `${named(name)} ${left(row.upperThreshold, 10)} ${left(row.lowerThreshold, 10)} ${connections(row)}`,
    };
  }
  if (options.has("persistent-conn")) {
    return {
      header: "Prot LocalAddress:Port            Weight    PersistConn ActiveConn InActConn \n  -> RemoteAddress:Port\n",
      service: plainService,
      server: (row, name) => `${named(name)} ${left(row.weight, 9)} ${left(row.persistentConnections, 11)} ${connections(row)}`,
    };
  }
  const tunnels = options.has("tun-info");
  return {
    header: `Prot LocalAddress:Port Scheduler Flags\n  -> RemoteAddress:Port           Forward ${tunnels ? "TunnelInfo    " : ""}Weight ActiveConn InActConn\n`,
    service: plainService,
    server: (row, name) => {
      const tunnel = tunnels ? `${left(tunnelText(row), 13)} ` : "";
      return `${named(name)} ${left(FORWARD_TEXT[row.forward], 7)} ${tunnel}${left(row.weight, 6)} ${connections(row)}`;
    },
  };
}

/** The first line of every whole listing. */
export function banner(sizeBuckets: number): string {
  return `IP Virtual Server version 1.2.1 (size=${sizeBuckets})\n`;
}

/** -L of services; without a banner when one service was asked for. */
export async function listServices(services: readonly ServiceRow[], options: ReadonlySet<Option>, writer: Writer): Promise<string> {
  const chosen = view(options);
  const lines = [chosen.header];
  for (const service of options.has("nosort") ? services : sorted(services)) {
    lines.push(`${chosen.service(service, await serviceName(service, writer))}\n`);
    for (const server of service.servers) {
      const name = await writer.endpoint(server.address, server.port, service.protocol);
      lines.push(`${chosen.server(server, fitting(name, writer))}\n`);
    }
  }
  return lines.join("");
}

function minutes(seconds: number): string {
  const two = (value: number): string => String(value).padStart(2, "0");
  return `${two(Math.floor(seconds / 60))}:${two(seconds % 60)}`;
}

/** -Lc: every connection and persistence template. */
export async function listConnections(pages: AsyncIterable<readonly ConnectionRow[]>, withEngine: boolean, writer: Writer): Promise<string> {
  const columns = "pro expire state       source             virtual            destination";
  const lines = [`IPVS connection entries\n${columns}${withEngine ? "        pe name          pe_data" : ""}\n`];
  for await (const rows of pages) {
    for (const row of rows) lines.push(`${await connectionLine(row, withEngine, writer)}\n`);
  }
  return lines.join("");
}

async function connectionLine(row: ConnectionRow, withEngine: boolean, writer: Writer): Promise<string> {
  const protocol = row.protocol.toLowerCase();
  const client = await writer.endpoint(row.clientAddress, row.clientPort, protocol);
  const virtual = await writer.endpoint(row.virtualAddress, row.virtualPort, protocol);
  const server = await writer.endpoint(row.serverAddress, row.serverPort, protocol);
  const named = withEngine && row.persistenceEngine !== "";
  const target = named ? `${left(server, 16)} ${left(row.persistenceEngine, 18)} ${row.persistenceData}` : server;
  return `${row.protocol.padEnd(3)} ${minutes(row.expiresSeconds).padEnd(6)} ${row.state.padEnd(11)} ${client.padEnd(18)} ${virtual.padEnd(18)} ${target}`;
}

/** -L --daemon: the connection sync daemons that run. */
export function listDaemons(daemons: readonly DaemonSpec[]): string {
  return daemons.map((one) => `${one.role} sync daemon (mcast=${one.interface}, syncid=${one.syncId}, maxlen=${one.messageBytes}, ` +
    `group=${one.group}, port=${one.udpPort}, ttl=${one.timeToLive})\n`).join("");
}

/** -S: the table as lines that -R takes. */
export async function saveRules(table: Table, writer: Writer): Promise<string> {
  const lines: string[] = [];
  for (const service of sorted(table.services)) {
    const key = await serviceSwitch(service, writer);
    const flags = formatFlags(service.scheduler, service.schedulerFlags);
    const masked = service.netmask !== (service.family === 4 ? "255.255.255.255" : "128");
    lines.push(`-A ${key} -s ${service.scheduler}` +
      (service.persistent ? ` -p ${service.timeoutSeconds}${masked ? ` -M ${service.netmask}` : ""}` : "") +
      (service.persistenceEngine === "" ? "" : ` --pe ${service.persistenceEngine}`) +
      (service.onePacket ? " -o" : "") + (flags === undefined ? "" : ` -b ${flags}`));
    for (const server of service.servers) {
      const name = await writer.endpoint(server.address, server.port, service.protocol);
      lines.push(`-a ${key} -r ${name} ${forwardSwitch(server)} -w ${server.weight}${tunnelSwitches(server)}`);
    }
  }
  return lines.map((line) => `${line}\n`).join("");
}

async function serviceSwitch(service: ServiceKey, writer: Writer): Promise<string> {
  if (service.protocol === "fwmark") return `-f ${service.fwmark | 0}${service.family === 6 ? " -6" : ""}`;
  const name = await writer.endpoint(service.address, service.port, service.protocol);
  return `${service.protocol === "tcp" ? "-t" : service.protocol === "udp" ? "-u" : "--sctp-service"} ${name}`;
}

function forwardSwitch(server: ServerRow): string {
  return server.forward === "masq" || server.forward === "local" ? "-m" : server.forward === "tunnel" ? "-i" : "-g";
}

function tunnelSwitches(server: ServerRow): string {
  if (server.forward !== "tunnel") return "";
  const port = server.tunnel === "gue" ? ` --tun-port ${server.tunnelPort}` : "";
  const checksum = server.tunnel === "ipip" ? "" : [" --tun-nocsum", " --tun-csum", " --tun-remcsum"][server.tunnelFlags] ?? "";
  return ` --tun-type ${server.tunnel}${port}${checksum}`;
}
