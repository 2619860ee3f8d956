// Frames between harness and guest that belong to no scenario.

import type { Config, PortConfig } from "../../../host/config/config.js";
import { parseAddress } from "../../../host/engine/address.js";

const ASKER = Buffer.from("02000000", "hex");
const ETHERTYPE_AT = 12;
const ETHERNET_BYTES = 14;
const NEXT_HEADER_AT = 20;
const IPV4_PROTOCOL_AT = 23;
const IPV4_BYTES = 20;
const IGMP = 2;
/** A protocol number for experiments (RFC 3692): it is routed, and nobody balances it. */
const EXPERIMENT = 253;
const PASSING = Buffer.from("the frames before this one are through  ");

function ipv4Of(texts: readonly string[]): Uint8Array | undefined {
  return texts.map((text) => parseAddress(text.split("/")[0] ?? "")).find((address) => address?.family === 4)?.bytes.slice(12);
}

function checked(header: Buffer): Buffer {
  let sum = 0;
  for (let at = 0; at < IPV4_BYTES; at += 2) sum += header.readUInt16BE(at);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  header.writeUInt16BE(~sum & 0xffff, 10);
  return header;
}

/** The frames that a port's order is told by: one is answered there, one is routed out of another port. */
export class Probe {
  private readonly asking: Buffer;
  private readonly passing: Buffer;

  constructor(config: Config, port: PortConfig) {
    const own = ipv4Of(port.addresses);
    const from = ipv4Of(config.neighbors.filter((one) => one.port === port.index).map((one) => one.address));
    const to = ipv4Of(config.neighbors.filter((one) => one.port !== port.index).map((one) => one.address));
    if (!own || !from || !to) throw new RangeError(`port ${port.name} has no IPv4 address to ask for, or nobody to send to`);
    const asker = Buffer.concat([ASKER, Buffer.alloc(2)]);
    this.asking = Buffer.concat([
      Buffer.from("ffffffffffff", "hex"), asker, Buffer.from("08060001080006040001", "hex"), asker, Buffer.alloc(4 + 6), own,
    ]);
    const header = Buffer.concat([Buffer.from([0x45, 0, 0, IPV4_BYTES + PASSING.length, 0, 0, 0x40, 0, 64, EXPERIMENT, 0, 0]), from, to]);
    this.passing = Buffer.concat([Buffer.from(port.mac.replaceAll(":", ""), "hex"), asker, Buffer.from([8, 0]), checked(header), PASSING]);
  }

  /** An ARP probe (RFC 5227: from 0.0.0.0, so that nobody remembers the asker) for the port's first IPv4 address. */
  answered(number: number): Buffer {
    this.asking.writeUInt16BE(number, 10);
    this.asking.writeUInt16BE(number, 26);
    return this.asking;
  }

  /** A packet from one of the port's neighbours to one behind another port. */
  routed(number: number): Buffer {
    this.passing.writeUInt16BE(number, this.passing.length - 2);
    return this.passing;
  }
}

/** The number of a probe that came back; undefined for a frame of the scenario's. */
export function probeNumber(frame: Buffer): number | undefined {
  const type = frame.readUInt16BE(ETHERTYPE_AT);
  if (type === 0x0806) return frame.subarray(0, ASKER.length).equals(ASKER) ? frame.readUInt16BE(ASKER.length) : undefined;
  if (type !== 0x0800 || frame[IPV4_PROTOCOL_AT] !== EXPERIMENT) return undefined;
  const body = frame.subarray(ETHERNET_BYTES + IPV4_BYTES);
  return body.length === PASSING.length && body.subarray(0, -2).equals(PASSING.subarray(0, -2)) ? body.readUInt16BE(body.length - 2) : undefined;
}

/** Multicast membership reports to groups, which a kernel sends when it likes: MLD behind hop-by-hop options, IGMP. */
export function isChatter(frame: Buffer): boolean {
  const type = frame.readUInt16BE(ETHERTYPE_AT);
  if (type === 0x86dd) return frame[NEXT_HEADER_AT] === 0 && frame[0] === 0x33;
  return type === 0x0800 && frame[IPV4_PROTOCOL_AT] === IGMP && frame[0] === 0x01;
}
