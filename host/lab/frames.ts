// TCP frames for the lab, built and read: just what its story needs.

import { parseAddress } from "../engine/address.js";
import { sum } from "./sum.js";

export interface TcpFrame {
  macTo: string;
  macFrom: string;
  source: string;
  sourcePort: number;
  target: string;
  targetPort: number;
  flags: number;
}

const IPV4_AT = 14;

function add(a: number, b: number): number {
  return ((a + b) & 0xffff) + ((a + b) >> 16);
}

function word(address: string): Uint8Array {
  return parseAddress(address)?.bytes.slice(12) ?? new Uint8Array(4);
}

function mac(text: string): number[] {
  return text.split(":").map((part) => parseInt(part, 16));
}

/** An Ethernet frame with one TCP segment without data, checksums right. */
export function buildTcp(frame: TcpFrame): Uint8Array {
  const bytes = new Uint8Array(54);
  const view = new DataView(bytes.buffer);
  bytes.set([...mac(frame.macTo), ...mac(frame.macFrom), 8, 0]);
  bytes.set([0x45, 0, 0, 40, 0, 1, 0x40, 0, 64, 6], IPV4_AT);
  bytes.set(word(frame.source), 26);
  bytes.set(word(frame.target), 30);
  view.setUint16(34, frame.sourcePort);
  view.setUint16(36, frame.targetPort);
  view.setUint32(38, 1000);
  bytes.set([0x50, frame.flags, 0xfa, 0xf0], 46);
  view.setUint16(24, ~sum(bytes.subarray(14, 34)) & 0xffff);
  view.setUint16(50, ~add(sum(bytes.subarray(26)), 6 + 20) & 0xffff);
  return bytes;
}

/** True when the IPv4 header's and the TCP checksum of a frame are right. */
export function isIntact(bytes: Uint8Array): boolean {
  const tcp = bytes.subarray(34);
  return sum(bytes.subarray(14, 34)) === 0xffff && add(add(sum(bytes.subarray(26, 34)), sum(tcp)), 6 + tcp.length) === 0xffff;
}

const ADDRESS = (bytes: Uint8Array, at: number): string => bytes.slice(at, at + 4).join(".");

/** One line about an IPv4 frame, its inner packet included when it is a tunnel's. */
export function describe(bytes: Uint8Array, at = IPV4_AT): string {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const source = ADDRESS(bytes, at + 12);
  const target = ADDRESS(bytes, at + 16);
  if (bytes[at + 9] === 4) return `${source} > ${target} ipip [ ${describe(bytes, at + 20)} ]`;
  return `${source}:${view.getUint16(at + 20)} > ${target}:${view.getUint16(at + 22)}`;
}

export function macOf(bytes: Uint8Array): string {
  return Array.from(bytes.slice(0, 6), (byte) => byte.toString(16).padStart(2, "0")).join(":");
}
