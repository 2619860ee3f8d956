// The rewriting table: one packet on its way in and out, as it was seen on the director's wires.

import { VIRTUAL_ADDRESS, type Method } from "./addresses.js";
import type { SniffedFrame } from "./sniffer.js";

export interface Seen { step: string; source: string; target: string; macTo: string; note: string }

interface Packet { source: string; sourcePort: number; target: string; targetPort: number; flags: number; macTo: string; outer: string }

const TCP = 6;
const IPIP = 4;
const SYN = 0x02;
const ACK = 0x10;

function endpoint(bytes: Buffer, at: number): string {
  return bytes.subarray(at, at + 4).join(".");
}

/** A TCP packet of a frame, its tunnel's outer addresses beside it; undefined for anything else. */
function readPacket(frame: SniffedFrame): Packet | undefined {
  const bytes = Buffer.from(frame.hex, "hex");
  const macTo = bytes.subarray(0, 6).toString("hex").replace(/..(?=.)/g, "$&:");
  let at = 14;
  let outer = "";
  if (bytes.length >= at + 40 && bytes[at + 9] === IPIP) {
    outer = `${endpoint(bytes, at + 12)} > ${endpoint(bytes, at + 16)}`;
    at += 20;
  }
  if (bytes.length < at + 40 || bytes[at + 9] !== TCP) return undefined;
  const tcp = at + ((bytes[at] ?? 0) & 15) * 4;
  if (bytes.length < tcp + 14) return undefined;
  return {
    source: endpoint(bytes, at + 12), sourcePort: bytes.readUInt16BE(tcp), target: endpoint(bytes, at + 16),
    targetPort: bytes.readUInt16BE(tcp + 2), flags: bytes[tcp + 13] ?? 0, macTo, outer,
  };
}

function seen(step: string, packet: Packet): Seen {
  return {
    step, source: `${packet.source}:${packet.sourcePort}`, target: `${packet.target}:${packet.targetPort}`, macTo: packet.macTo,
    note: packet.outer === "" ? "" : `inside ${packet.outer}`,
  };
}

/** The first connection's SYN and its answer, before and after the director; empty when none was seen. */
export function readRewriting(frames: readonly SniffedFrame[], method: Method): Seen[] {
  const packets = frames.map(readPacket).filter((packet) => packet !== undefined);
  const request = packets.find((one) => one.flags === SYN && one.target === VIRTUAL_ADDRESS && one.outer === "");
  if (!request) return [];
  const same = (one: Packet): boolean => one.sourcePort === request.sourcePort && one.source === request.source;
  const sent = packets.find((one) => same(one) && one.flags === SYN && (one.target !== request.target || one.outer !== "" || one.macTo !== request.macTo));
  const steps = [seen("client > director", request)];
  if (sent) steps.push(seen(method === "local" ? "director > its kernel" : "director > server", sent));
  const answers = packets.filter((one) => one.targetPort === request.sourcePort && one.target === request.source && (one.flags & (SYN | ACK)) === (SYN | ACK));
  const before = answers.find((one) => one.source !== VIRTUAL_ADDRESS);
  const after = answers.find((one) => one.source === VIRTUAL_ADDRESS);
  if (before) steps.push(seen("server > director", before));
  if (after && method !== "dr" && method !== "tun") steps.push(seen("director > client", after));
  return steps;
}

const WIDTHS = [22, 20, 20, 18];

/** The table as text. */
export function formatRewriting(steps: readonly Seen[]): string {
  const line = (cells: readonly string[]): string => `  ${cells.map((cell, column) => cell.padEnd(WIDTHS[column] ?? 0)).join(" ")}`.trimEnd();
  const rows = steps.map((one) => [one.step, one.source, one.target, one.macTo, one.note]);
  return [["packet", "source", "destination", "to hardware address"], ...rows].map(line).join("\n");
}
