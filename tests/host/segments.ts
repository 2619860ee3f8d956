// TCP segments over IPv4 and IPv6 with text and options, built and read for tests.

import { parseAddress } from "../../host/engine/address.js";
import { sum } from "../../host/lab/sum.js";

export const FIN = 0x01;
export const SYN = 0x02;
export const RST = 0x04;
export const PSH = 0x08;
export const ACK = 0x10;

export interface Segment {
  macTo: string;
  source: string;
  sourcePort: number;
  target: string;
  targetPort: number;
  flags: number;
  seq: number;
  ack: number;
  text?: string;
  options?: number[];
}

export interface Seen {
  source: string;
  sourcePort: number;
  target: string;
  targetPort: number;
  flags: number;
  seq: number;
  ack: number;
  text: string;
  options: Buffer;
  ipBytes: number;
  intact: boolean;
}

function addressBytes(text: string): Buffer {
  const address = parseAddress(text);
  if (!address) throw new Error(`not an address: ${text}`);
  return Buffer.from(address.family === 4 ? address.bytes.slice(12) : address.bytes);
}

function ipHeader(source: Buffer, target: Buffer, tcpBytes: number): Buffer {
  if (source.length === 16) {
    const header = Buffer.alloc(40);
    header.writeUInt32BE(0x60000000, 0);
    header.writeUInt16BE(tcpBytes, 4);
    header.set([6, 64], 6);
    source.copy(header, 8);
    target.copy(header, 24);
    return header;
  }
  const header = Buffer.from([0x45, 0, 0, 0, 0, 1, 0x40, 0, 64, 6, 0, 0, ...source, ...target]);
  header.writeUInt16BE(20 + tcpBytes, 2);
  header.writeUInt16BE(~sum(header) & 0xffff, 10);
  return header;
}

/** An Ethernet frame with one TCP segment, checksums right. */
export function buildSegment(segment: Segment): Buffer {
  const [source, target] = [addressBytes(segment.source), addressBytes(segment.target)];
  const options = Buffer.from(segment.options ?? []);
  const tcp = Buffer.concat([Buffer.alloc(20), options, Buffer.from(segment.text ?? "", "latin1")]);
  tcp.writeUInt16BE(segment.sourcePort, 0);
  tcp.writeUInt16BE(segment.targetPort, 2);
  tcp.writeUInt32BE(segment.seq >>> 0, 4);
  tcp.writeUInt32BE(segment.ack >>> 0, 8);
  tcp.set([(5 + options.length / 4) << 4, segment.flags, 0xfa, 0xf0], 12);
  tcp.writeUInt16BE(~sum(tcp, sum(Buffer.concat([source, target])) + 6 + tcp.length) & 0xffff, 16);
  const macs = Buffer.from(`${segment.macTo.replaceAll(":", "")}020000000099${source.length === 4 ? "0800" : "86dd"}`, "hex");
  return Buffer.concat([macs, ipHeader(source, target, tcp.length), tcp]);
}

const words = (bytes: Buffer): string => Array.from({ length: 8 }, (_, i) => bytes.readUInt16BE(2 * i).toString(16)).join(":");

/** Reads a frame back; `intact` when its lengths agree and its checksums are right. */
export function readSegment(frame: Uint8Array): Seen {
  const bytes = Buffer.from(frame);
  const four = bytes.readUInt16BE(12) === 0x0800;
  const ip = bytes.subarray(14);
  const tcp = ip.subarray(four ? 20 : 40);
  const addresses = four ? ip.subarray(12, 20) : ip.subarray(8, 40);
  const headerBytes = ((tcp[12] ?? 0) >> 4) * 4;
  const declared = four ? ip.readUInt16BE(2) : 40 + ip.readUInt16BE(4);
  const half = addresses.length / 2;
  const show = (part: Buffer): string => (four ? part.join(".") : words(part));
  return {
    source: show(addresses.subarray(0, half)), target: show(addresses.subarray(half)),
    sourcePort: tcp.readUInt16BE(0), targetPort: tcp.readUInt16BE(2),
    flags: tcp[13] ?? 0, seq: tcp.readUInt32BE(4), ack: tcp.readUInt32BE(8),
    text: tcp.subarray(headerBytes).toString("latin1"), options: tcp.subarray(20, headerBytes), ipBytes: ip.length,
    intact: declared === ip.length && (!four || sum(ip.subarray(0, 20)) === 0xffff) &&
      sum(tcp, sum(addresses) + 6 + tcp.length) === 0xffff,
  };
}
