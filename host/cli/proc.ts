// What /proc/net/ip_vs* shows on a kernel director, for tools that read it: `lvsadm proc NAME`.

import type { ConnectionRow, Counters, HelperRow, Rates, ServiceRow, Table } from "../protocol.js";
import { parseAddress } from "../engine/address.js";
import { banner, FORWARD_TEXT } from "./print.js";

/** Timers are in jiffies there; ours tick a hundred times a second. */
const JIFFIES_PER_SECOND = 100;

const hex = (value: number | bigint | string, width: number): string => BigInt(value).toString(16).toUpperCase().padStart(width);
const port = (value: number): string => value.toString(16).toUpperCase().padStart(4, "0");

/** 0A000164, or fd00:0001:0000:... in full. */
function bare(address: string): string {
  const bytes = parseAddress(address)?.bytes ?? new Uint8Array(16);
  const text = Buffer.from(bytes).toString("hex");
  return address.includes(":") ? text.replace(/.{4}(?=.)/g, "$&:") : text.slice(24).toUpperCase();
}

const endpoint = (address: string, number: number): string => `${address.includes(":") ? `[${bare(address)}]` : bare(address)}:${port(number)}`;

function mask(service: ServiceRow): string {
  if (service.family === 4) return bare(service.netmask);
  // The kernel keeps the prefix length in network order there.
  return Number(service.netmask).toString(16).toUpperCase().padStart(2, "0").padEnd(8, "0");
}

function serviceLine(service: ServiceRow): string {
  const ops = service.onePacket ? "ops " : "";
  const key = service.protocol === "fwmark" ? `FWM  ${service.fwmark.toString(16).toUpperCase().padStart(8, "0")}`
    : `${service.protocol.toUpperCase()}  ${endpoint(service.address, service.port)}`;
  const head = service.protocol === "fwmark" ? `${key} ${service.scheduler} ${ops}`
    : service.family === 6 ? `${key} ${service.scheduler} ` : `${key} ${service.scheduler} ${ops} `;
  return service.persistent ? `${head}persistent ${service.timeoutSeconds * JIFFIES_PER_SECOND} ${mask(service)}\n` : `${head}\n`;
}

/** /proc/net/ip_vs: services in the director's order, their newest server first. */
export function procTable(table: Table): string {
  const lines = [`${banner(table.size)}Prot LocalAddress:Port Scheduler Flags\n  -> RemoteAddress:Port Forward Weight ActiveConn InActConn\n`];
  for (const service of table.services) {
    lines.push(serviceLine(service));
    for (const server of service.servers) {
      lines.push(`  -> ${endpoint(server.address, server.port)}      ${FORWARD_TEXT[server.forward].padEnd(7)} ` +
        `${String(server.weight).padEnd(6)} ${String(server.activeConnections).padEnd(10)} ${String(server.inactiveConnections).padEnd(10)}\n`);
    }
  }
  return lines.join("");
}

function figures(row: Counters | Rates, first: number): string {
  return `${hex(row.connections, first)} ${hex(row.inPackets, 8)} ${hex(row.outPackets, 8)} ${hex(row.inBytes, 16)} ${hex(row.outBytes, 16)}\n`;
}

/** /proc/net/ip_vs_stats: sums and rates of everything, in hexadecimal. */
export function procStats(table: Table): string {
  return "   Total Incoming Outgoing         Incoming         Outgoing\n" +
    "   Conns  Packets  Packets            Bytes            Bytes\n" +
    `${figures(table.total.counters, 8)}\n` +
    " Conns/s   Pkts/s   Pkts/s          Bytes/s          Bytes/s\n" +
    figures(table.total.rates, 8);
}

/** /proc/net/ip_vs_stats_percpu: each worker stands for a processor. */
export function procStatsPerCpu(table: Table): string {
  const rows = table.workers.map((counters, worker) => `${worker.toString(16).toUpperCase().padStart(3)} ${figures(counters, 8)}`);
  return "       Total Incoming Outgoing         Incoming         Outgoing\n" +
    "CPU    Conns  Packets  Packets            Bytes            Bytes\n" +
    `${rows.join("")}  ~ ${figures(table.total.counters, 8)}\n` +
    "     Conns/s   Pkts/s   Pkts/s          Bytes/s          Bytes/s\n" +
    figures(table.total.rates, 12);
}

function connectionKey(row: ConnectionRow): string {
  return `${row.protocol.padEnd(3)} ${bare(row.clientAddress)} ${port(row.clientPort)} ${bare(row.virtualAddress)} ${port(row.virtualPort)} ` +
    `${bare(row.serverAddress)} ${port(row.serverPort)} ${row.state.padEnd(11)}`;
}

type Pages = AsyncIterable<readonly ConnectionRow[]>;

async function linesOf(pages: Pages, lineOf: (row: ConnectionRow) => string): Promise<string> {
  let text = "";
  for await (const rows of pages) text += rows.map((row) => `${lineOf(row)}\n`).join("");
  return text;
}

/** /proc/net/ip_vs_conn */
export async function procConnections(pages: Pages): Promise<string> {
  const engine = (row: ConnectionRow): string => (row.persistenceEngine === "" ? "" : ` ${row.persistenceEngine} ${row.persistenceData}`);
  return "Pro FromIP   FPrt ToIP     TPrt DestIP   DPrt State       Expires PEName PEData\n" +
    await linesOf(pages, (row) => `${connectionKey(row)} ${String(row.expiresSeconds).padStart(7)}${engine(row)}`);
}

/** /proc/net/ip_vs_conn_sync: opened here, or told by another director. */
export async function procConnectionsSync(pages: Pages): Promise<string> {
  return "Pro FromIP   FPrt ToIP     TPrt DestIP   DPrt State       Origin Expires\n" +
    await linesOf(pages, (row) => `${connectionKey(row)} ${row.synced ? "SYNC " : "LOCAL"}  ${String(row.expiresSeconds).padStart(7)}`);
}

/** /proc/net/ip_vs_app: FTP is the only helper there is. The port named last comes first. */
export function procHelpers(rows: readonly HelperRow[]): string {
  return "prot port    usecnt name\n" +
    rows.map(({ port: number, users }) => `TCP  ${String(number).padEnd(7)} ${String(users).padEnd(6)} ${"ftp".padEnd(17)}\n`).reverse().join("");
}
