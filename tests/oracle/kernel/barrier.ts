// Frames between harness and guest that belong to no scenario.

import type { PortConfig } from "../../../host/daemon/config.js";
import { parseAddress } from "../../../host/engine/address.js";

const ASKER = Buffer.from("02000000ba44", "hex");
const ETHERTYPE_AT = 12;
const NEXT_HEADER_AT = 20;
const IPV4_PROTOCOL_AT = 23;
const IGMP = 2;

/** An ARP probe (RFC 5227: from 0.0.0.0, so that nobody remembers the asker) for a port's first IPv4 address. */
export function barrierProbe(port: PortConfig): Buffer {
  const own = port.addresses.map((text) => parseAddress(text.split("/")[0] ?? "")).find((address) => address?.family === 4);
  if (!own) throw new RangeError(`port ${port.name} has no IPv4 address to ask for`);
  return Buffer.concat([
    Buffer.from("ffffffffffff", "hex"), ASKER, Buffer.from("08060001080006040001", "hex"),
    ASKER, Buffer.alloc(4 + 6), own.bytes.slice(12),
  ]);
}

export function isBarrierReply(frame: Buffer): boolean {
  return frame.readUInt16BE(ETHERTYPE_AT) === 0x0806 && frame.subarray(0, 6).equals(ASKER);
}

/** Multicast membership reports, which a kernel sends when it likes: MLD behind hop-by-hop options, IGMP. */
export function isChatter(frame: Buffer): boolean {
  const type = frame.readUInt16BE(ETHERTYPE_AT);
  if (type === 0x86dd) return frame[NEXT_HEADER_AT] === 0 && frame[0] === 0x33;
  return type === 0x0800 && frame[IPV4_PROTOCOL_AT] === IGMP;
}
