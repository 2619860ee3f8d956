// Finds the packet inside a tunnel's packet: IPIP in any mixture of families, GRE (RFC 2784), GUE (variant 0).
// Checksums that are there are verified, as a kernel's tunnel device does.

import { sum } from "./sum.js";

export const GUE_PORT = 6080;

/** The kinds of tunnels, as they are counted. */
export const KINDS = ["ipip", "gre", "gre with checksum", "gue", "gue with checksum"] as const;
export type Kind = (typeof KINDS)[number];

/** A tunnel's packet: where its inner packet begins, and what it travelled in. */
export interface Unwrapped { begin: number; kind: Kind; outer: 4 | 6; inner: 4 | 6 }

const IPIP = 4;
const UDP = 17;
const IPV6 = 41;
const GRE = 47;
const HEADER4_BYTES = 20;
const HEADER6_BYTES = 40;
const UDP_BYTES = 8;
const GUE_BYTES = 4;
const GRE_BYTES = 4;
const GRE_CHECKSUM = 0x8000;
const ETHERTYPE_IPV4 = 0x0800;
const ETHERTYPE_IPV6 = 0x86dd;

interface Outer { family: 4 | 6; protocol: number; payload: number; end: number; addresses: Buffer }

/** Sum of 16-bit words as the internet checksum adds them, folded. */
function readOuter(packet: Buffer): Outer | undefined {
  const version = (packet[0] ?? 0) >> 4;
  if (version === 4 && packet.length >= HEADER4_BYTES && packet[0] === 0x45) {
    const end = packet.readUInt16BE(2);
    const fragment = (packet.readUInt16BE(6) & 0x3fff) !== 0;
    if (end > packet.length || fragment || sum(packet.subarray(0, HEADER4_BYTES)) !== 0xffff) return undefined;
    return { family: 4, protocol: packet[9] ?? 0, payload: HEADER4_BYTES, end, addresses: packet.subarray(12, 20) };
  }
  if (version === 6 && packet.length >= HEADER6_BYTES) {
    const end = HEADER6_BYTES + packet.readUInt16BE(4);
    if (end > packet.length) return undefined;
    return { family: 6, protocol: packet[6] ?? 0, payload: HEADER6_BYTES, end, addresses: packet.subarray(8, 40) };
  }
  return undefined;
}

function within(outer: Outer, kind: Kind, begin: number, inner: 4 | 6 | undefined): Unwrapped | undefined {
  if (inner === undefined || begin + HEADER4_BYTES > outer.end) return undefined;
  return { begin, kind, outer: outer.family, inner };
}

const familyOfProtocol = (protocol: number): 4 | 6 | undefined => (protocol === IPIP ? 4 : protocol === IPV6 ? 6 : undefined);
const familyOfType = (type: number): 4 | 6 | undefined => (type === ETHERTYPE_IPV4 ? 4 : type === ETHERTYPE_IPV6 ? 6 : undefined);

function unwrapGre(packet: Buffer, outer: Outer): Unwrapped | undefined {
  if (outer.payload + GRE_BYTES > outer.end) return undefined;
  const flags = packet.readUInt16BE(outer.payload);
  const inner = familyOfType(packet.readUInt16BE(outer.payload + 2));
  if (flags === 0) return within(outer, "gre", outer.payload + GRE_BYTES, inner);
  if (flags !== GRE_CHECKSUM || sum(packet.subarray(outer.payload, outer.end)) !== 0xffff) return undefined;
  return within(outer, "gre with checksum", outer.payload + GRE_BYTES + 4, inner);
}

function unwrapGue(packet: Buffer, outer: Outer): Unwrapped | undefined {
  const at = outer.payload;
  if (at + UDP_BYTES + GUE_BYTES > outer.end || packet.readUInt16BE(at + 2) !== GUE_PORT) return undefined;
  if (packet.readUInt16BE(at + 4) !== outer.end - at) return undefined;
  const checked = packet.readUInt16BE(at + 6) !== 0;
  const pseudo = sum(outer.addresses, UDP + outer.end - at);
  if (checked && sum(packet.subarray(at, outer.end), pseudo) !== 0xffff) return undefined;
  // Variant 0 without options: version, control bit, length of options and flags are all 0.
  if (packet[at + UDP_BYTES] !== 0 || packet.readUInt16BE(at + UDP_BYTES + 2) !== 0) return undefined;
  const inner = familyOfProtocol(packet[at + UDP_BYTES + 1] ?? 0);
  return within(outer, checked ? "gue with checksum" : "gue", at + UDP_BYTES + GUE_BYTES, inner);
}

/** What an IP packet carries when it is a tunnel's; undefined for anything else, and for what is damaged. */
export function unwrap(packet: Buffer): Unwrapped | undefined {
  const outer = readOuter(packet);
  switch (outer?.protocol) {
    case IPIP: case IPV6: return within(outer, "ipip", outer.payload, familyOfProtocol(outer.protocol));
    case GRE: return unwrapGre(packet, outer);
    case UDP: return unwrapGue(packet, outer);
    default: return undefined;
  }
}

/** Counts by kind and families, in shared memory: a thread counts, another reads. */
export class TunnelCounts {
  constructor(private readonly cells: Int32Array) {}

  static create(): TunnelCounts {
    return new TunnelCounts(new Int32Array(new SharedArrayBuffer(KINDS.length * 4 * 4)));
  }

  /** What travels to another thread. */
  get shared(): Int32Array {
    return this.cells;
  }

  add(one: Unwrapped): void {
    Atomics.add(this.cells, KINDS.indexOf(one.kind) * 4 + (one.outer === 6 ? 2 : 0) + (one.inner === 6 ? 1 : 0), 1);
  }

  /** As "gre 4 in 6": its packets, an IPv4 packet inside IPv6; only what happened. */
  read(): Record<string, number> {
    const found: Record<string, number> = {};
    KINDS.forEach((kind, index) => [4, 6].forEach((outer, high) => [4, 6].forEach((inner, low) => {
      const count = Atomics.load(this.cells, index * 4 + high * 2 + low);
      if (count > 0) found[`${kind} ${inner} in ${outer}`] = count;
    })));
    return found;
  }
}
