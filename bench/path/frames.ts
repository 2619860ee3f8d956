// Whole frames, built from nothing: what the benches feed in, and what must come out.

import { formatMac, parseAddress, parseMac } from "../../host/engine/address.js";
import { sum } from "../../host/lab/sum.js";

export const TCP = 6;
export const UDP = 17;
export const SYN = 0x02;
export const RST = 0x04;
export const ACK = 0x10;
export const HOPS = 64;

export interface FramePlan {
  macTo: string;
  macFrom: string;
  family: 4 | 6;
  protocol: typeof TCP | typeof UDP;
  source: Uint8Array;
  target: Uint8Array;
  sourcePort: number;
  targetPort: number;
  flags: number;
  hops: number;
  /** After the transport header; a TCP segment is empty and a datagram has 12 if nothing else is said. */
  payloadBytes?: number | undefined;
}

const TCP_BYTES = 20;
const UDP_BYTES = 8;

/** Bytes of the IP packet's header, transport header and payload. */
export function sizesOf(plan: Pick<FramePlan, "family" | "protocol" | "payloadBytes">): { header: number; segment: number } {
  const segment = plan.protocol === TCP ? TCP_BYTES + (plan.payloadBytes ?? 0) : UDP_BYTES + (plan.payloadBytes ?? 12);
  return { header: plan.family === 4 ? 20 : 40, segment };
}

/** An address as it lies in its family's header. */
export function wireAddress(text: string): Uint8Array {
  const address = parseAddress(text);
  if (!address) throw new RangeError(`not an IP address: "${text}"`);
  return address.family === 4 ? address.bytes.slice(12) : address.bytes;
}

function fold(total: number): number {
  while (total > 0xffff) total = (total & 0xffff) + (total >>> 16);
  return total;
}

function macBytes(text: string): Uint8Array {
  const bytes = parseMac(text);
  if (!bytes) throw new RangeError(`not a hardware address: "${text}"`);
  return bytes;
}

/** Ethernet addresses and type. */
export function writeEthernet(bytes: Uint8Array, macTo: string, macFrom: string, family: 4 | 6): void {
  bytes.set(macBytes(macTo), 0);
  bytes.set(macBytes(macFrom), 6);
  bytes.set(family === 4 ? [0x08, 0x00] : [0x86, 0xdd], 12);
}

/** An IPv4 header of 20 bytes with "don't fragment" and its checksum. */
export function writeIpv4(header: Uint8Array, totalBytes: number, protocol: number, hops: number, source: Uint8Array, target: Uint8Array, id: number): void {
  header.set([0x45, 0, totalBytes >> 8, totalBytes & 255, id >> 8, id & 255, 0x40, 0, hops, protocol, 0, 0]);
  header.set(source, 12);
  header.set(target, 16);
  const value = ~sum(header.subarray(0, 20)) & 0xffff;
  header.set([value >> 8, value & 255], 10);
}

function writeTransport(segment: Uint8Array, plan: FramePlan): void {
  const view = new DataView(segment.buffer, segment.byteOffset, segment.length);
  view.setUint16(0, plan.sourcePort);
  view.setUint16(2, plan.targetPort);
  if (plan.protocol === TCP) {
    view.setUint32(4, 1000);
    segment.set([0x50, plan.flags, 0xfa, 0xf0], 12);
  } else view.setUint16(4, segment.length);
  const pseudo = sum(plan.source) + sum(plan.target) + plan.protocol + segment.length;
  const value = ~fold(sum(segment) + pseudo) & 0xffff;
  // Zero in UDP means "none" (RFC 768).
  if (plan.protocol === TCP) view.setUint16(16, value);
  else view.setUint16(6, value === 0 ? 0xffff : value);
}

/** A frame, all checksums computed over all bytes. Its payload counts up. */
export function buildFrame(plan: FramePlan): Uint8Array {
  const { header, segment } = sizesOf(plan);
  const l4 = 14 + header;
  const bytes = new Uint8Array(l4 + segment);
  writeEthernet(bytes, plan.macTo, plan.macFrom, plan.family);
  if (plan.family === 4) writeIpv4(bytes.subarray(14), header + segment, plan.protocol, plan.hops, plan.source, plan.target, 1);
  else {
    bytes.set([0x60, 0, 0, 0, segment >> 8, segment & 255, plan.protocol, plan.hops], 14);
    bytes.set(plan.source, 22);
    bytes.set(plan.target, 38);
  }
  if (plan.payloadBytes !== undefined) for (let at = 1; at <= plan.payloadBytes; at++) bytes[bytes.length - at] = at & 255;
  writeTransport(bytes.subarray(l4), plan);
  return bytes;
}

/** Where a frame first differs from what it must be, in words; undefined when it is equal. */
export function difference(found: Uint8Array, expected: Uint8Array): string | undefined {
  if (found.length !== expected.length) return `${found.length} bytes instead of ${expected.length}`;
  const at = expected.findIndex((byte, index) => found[index] !== byte);
  if (at < 0) return undefined;
  return `byte ${at} is ${found[at]} instead of ${expected[at]} (to ${formatMac(found.subarray(0, 6))})`;
}
