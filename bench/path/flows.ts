// Clients: one flow each, 4 million of them, all different.

import { wireAddress } from "./frames.js";

/** 100.64.0.0/10 has 2^22 addresses. */
const ADDRESSES = 1 << 22;
const FIRST_PORT = 1024;
const PORTS = 60000;

function swap16(value: number): number {
  return ((value & 0xff) << 8) | (value >>> 8);
}

/** A flow's client address: a word as it lies on the wire, read in the machine's order. */
export function clientWord(flow: number): number {
  // An odd factor visits every address once, far from its neighbour.
  const address = 0x64400000 + (Math.imul(flow, 2654435) >>> 0) % ADDRESSES;
  return ((swap16(address & 0xffff) << 16) | swap16(address >>> 16)) >>> 0;
}

export function clientPort(flow: number): number {
  return FIRST_PORT + (flow * 7919) % PORTS;
}

export function clientPortWire(flow: number): number {
  return swap16(clientPort(flow));
}

/** The address as it lies in a header; IPv6 clients share the first twelve bytes. */
export function clientBytes(flow: number, family: 4 | 6): Uint8Array {
  const bytes = wireAddress(family === 4 ? "0.0.0.0" : CLIENTS6);
  new DataView(bytes.buffer, bytes.byteOffset).setUint32(bytes.length - 4, clientWord(flow), true);
  return bytes;
}

export const CLIENTS6 = "2001:db8:c:c::";
