// Packets of both families built from their parts, whole and in fragments, for tests that want odd ones.

import { parseAddress } from "../../host/engine/address.js";

export const TCP = 6;
export const UDP = 17;
export const ICMP = 1;
export const ICMP6 = 58;
const FRAGMENT_HEADER = 44;
const DESTINATION_OPTIONS = 60;
const FRAGMENT_HEADER_BYTES = 8;

/** What may be odd about a packet's IP header. */
export interface IpOptions {
  ttl?: number;
  tos?: number;
  id?: number;
  mayFragment?: boolean;
  /** IPv4 options in whole words, or an IPv6 extension header. */
  options?: Buffer;
  /** Which of them it is; destination options unless told. */
  extension?: number;
}

export interface IpPacket extends IpOptions { source: string; target: string; protocol: number; payload: Buffer }

/** Addresses read before: scenarios have few of them, and packets by the million. */
const known = new Map<string, Buffer>();

export function addressBytes(text: string): Buffer {
  const before = known.get(text);
  if (before) return before;
  const address = parseAddress(text);
  if (!address) throw new RangeError(`not an address: ${text}`);
  const bytes = Buffer.from(address.family === 4 ? address.bytes.slice(12) : address.bytes);
  known.set(text, bytes);
  return bytes;
}

/** The sum of 16-bit words that all checksums here are made of (RFC 1071). */
export function sumWords(bytes: Uint8Array, start = 0): number {
  let total = start;
  for (let at = 0; at < bytes.length; at += 2) total += ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
  while (total > 0xffff) total = (total & 0xffff) + Math.floor(total / 65536);
  return total;
}

function withChecksum(source: string, target: string, protocol: number, segment: Buffer, at: number): Buffer {
  const pseudo = Buffer.concat([addressBytes(source), addressBytes(target)]);
  const sum = ~sumWords(segment, sumWords(pseudo) + protocol + segment.length) & 0xffff;
  segment.writeUInt16BE(protocol === UDP && sum === 0 ? 0xffff : sum, at);
  return segment;
}

export interface Ports { source: string; sourcePort: number; target: string; targetPort: number }

export function tcpSegment(ends: Ports, flags: number, sequence: number, acknowledged: number, data: Buffer, options = Buffer.alloc(0)): Buffer {
  const segment = Buffer.concat([Buffer.alloc(20), options, data]);
  segment.writeUInt16BE(ends.sourcePort, 0);
  segment.writeUInt16BE(ends.targetPort, 2);
  segment.writeUInt32BE(sequence >>> 0, 4);
  segment.writeUInt32BE(acknowledged >>> 0, 8);
  segment.set([(5 + options.length / 4) << 4, flags, 0xfa, 0xf0], 12);
  return withChecksum(ends.source, ends.target, TCP, segment, 16);
}

export function udpDatagram(ends: Ports, data: Buffer): Buffer {
  const datagram = Buffer.concat([Buffer.alloc(8), data]);
  datagram.writeUInt16BE(ends.sourcePort, 0);
  datagram.writeUInt16BE(ends.targetPort, 2);
  datagram.writeUInt16BE(datagram.length, 4);
  return withChecksum(ends.source, ends.target, UDP, datagram, 6);
}

/** An ICMP or ICMPv6 message; `rest` are the four bytes after the checksum. */
export function icmpMessage(source: string, target: string, type: number, code: number, rest: number, body: Buffer): Buffer {
  const message = Buffer.concat([Buffer.from([type, code, 0, 0, 0, 0, 0, 0]), body]);
  message.writeUInt32BE(rest >>> 0, 4);
  if (source.includes(":")) return withChecksum(source, target, ICMP6, message, 2);
  message.writeUInt16BE(~sumWords(message) & 0xffff, 2);
  return message;
}

function header4(packet: IpPacket, offset: number, more: boolean, payloadBytes: number): Buffer {
  const options = packet.options ?? Buffer.alloc(0);
  const header = Buffer.concat([Buffer.alloc(12), addressBytes(packet.source), addressBytes(packet.target), options]);
  header.set([0x40 | (header.length / 4), packet.tos ?? 0], 0);
  header.writeUInt16BE(header.length + payloadBytes, 2);
  header.writeUInt16BE(packet.id ?? 1, 4);
  header.writeUInt16BE((packet.mayFragment ? 0 : 0x4000) | (more ? 0x2000 : 0) | (offset / 8), 6);
  header.set([packet.ttl ?? 64, packet.protocol], 8);
  header.writeUInt16BE(~sumWords(header) & 0xffff, 10);
  return header;
}

function header6(packet: IpPacket, next: number, payloadBytes: number): Buffer {
  const header = Buffer.concat([Buffer.alloc(8), addressBytes(packet.source), addressBytes(packet.target)]);
  header.writeUInt32BE(0x60000000 | ((packet.tos ?? 0) << 20), 0);
  header.writeUInt16BE(payloadBytes, 4);
  header.set([next, packet.ttl ?? 64], 6);
  return header;
}

export function ipPacket(packet: IpPacket): Buffer {
  if (!packet.source.includes(":")) return Buffer.concat([header4(packet, 0, false, packet.payload.length), packet.payload]);
  const options = packet.options;
  if (!options) return Buffer.concat([header6(packet, packet.protocol, packet.payload.length), packet.payload]);
  const extension = Buffer.from(options);
  extension[0] = packet.protocol;
  return Buffer.concat([header6(packet, packet.extension ?? DESTINATION_OPTIONS, extension.length + packet.payload.length), extension, packet.payload]);
}

/** A piece of a packet's payload. */
export interface Piece { offset: number; bytes: Buffer; more: boolean }

/** Cuts a payload at multiples of 8 bytes. */
export function piecesOf(payload: Buffer, pieceBytes: number): Piece[] {
  const pieces: Piece[] = [];
  for (let offset = 0; offset < payload.length; offset += pieceBytes) {
    pieces.push({ offset, bytes: payload.subarray(offset, offset + pieceBytes), more: offset + pieceBytes < payload.length });
  }
  return pieces;
}

/** One fragment of a packet. */
export function fragment(packet: IpPacket, piece: Piece): Buffer {
  if (!packet.source.includes(":")) {
    return Buffer.concat([header4({ ...packet, mayFragment: true }, piece.offset, piece.more, piece.bytes.length), piece.bytes]);
  }
  const extension = Buffer.alloc(FRAGMENT_HEADER_BYTES);
  extension[0] = packet.protocol;
  extension.writeUInt16BE(piece.offset | (piece.more ? 1 : 0), 2);
  extension.writeUInt32BE(packet.id ?? 1, 4);
  return Buffer.concat([header6(packet, FRAGMENT_HEADER, extension.length + piece.bytes.length), extension, piece.bytes]);
}

export function ethernet(macTo: string, macFrom: string, packet: Buffer): Buffer {
  const macs = Buffer.from(`${macTo}${macFrom}`.replaceAll(":", ""), "hex");
  return Buffer.concat([macs, Buffer.from((packet[0] ?? 0) >> 4 === 6 ? [0x86, 0xdd] : [8, 0]), packet]);
}
