// Between the cases' packets and the director's frames: hardware addresses, fragments, names of neighbours.

import { formatMac, parseMac } from "../../host/engine/address.js";
import type { Config } from "../../host/config/config.js";
import type { EmittedFrame } from "../../host/replay/replay.js";
import { buildIp } from "./build.js";
import type { FrameText } from "./language.js";
import { readIp } from "./read.js";
import { sum } from "../../host/lab/sum.js";
import type { PacketText } from "./text.js";

const ETHERNET_BYTES = 14;

function macBytes(text: string | undefined): Uint8Array {
  return parseMac(text ?? "") ?? new Uint8Array(6);
}

/** The frame that brings a packet to its port: from the neighbour that has the source address, else from a router. */
export function frameOf(frame: FrameText, config: Config): Uint8Array {
  const ip = buildIp(frame.packet);
  const port = config.ports.find((one) => one.name === frame.port);
  const source = frame.packet.fields.get("source");
  const neighbours = config.neighbors.filter((one) => one.port === port?.index);
  const from = neighbours.find((one) => one.address === source) ?? neighbours.find((one) => one.address.endsWith(".254"));
  const type = (ip[0] ?? 0) >> 4 === 6 ? [0x86, 0xdd] : [0x08, 0x00];
  return Buffer.concat([macBytes(port?.mac), macBytes(from?.mac), Uint8Array.from(type), ip]);
}

/** Reads what the director sent; "via" is the neighbour it was handed to. */
export function textOf(sent: EmittedFrame, config: Config): FrameText {
  const packet = readIp(sent.bytes.subarray(ETHERNET_BYTES));
  const isIpv6 = packet.fields.get("source")?.includes(":") === true;
  const to = formatMac(sent.bytes.subarray(0, 6));
  const holders = config.neighbors.filter((one) => one.mac === to);
  const holder = holders.find((one) => one.address.includes(":") === isIpv6) ?? holders[0];
  packet.fields.set("via", holder?.address ?? to);
  const own = config.ports.find((one) => one.name === sent.port)?.mac;
  if (formatMac(sent.bytes.subarray(6, 12)) !== own) packet.fields.set("header", "source-mac");
  return { line: 0, port: sent.port, packet };
}

/** The datagrams whose pieces are all among these frames, put together: their checksums can be judged. */
export function wholeDatagrams(frames: EmittedFrame[]): PacketText[] {
  const groups = new Map<string, Uint8Array[]>();
  for (const { bytes } of frames) {
    const ip = bytes.subarray(ETHERNET_BYTES);
    const { fields } = readIp(ip);
    if (!fields.has("frag")) continue;
    const key = ["source", "target", "id"].map((name) => fields.get(name)).join(" ");
    groups.set(key, [...(groups.get(key) ?? []), ip]);
  }
  return [...groups.values()].flatMap((pieces) => whole(pieces) ?? []);
}

interface Piece { offset: number; more: boolean; headerBytes: number; data: Uint8Array }

function pieceOf(ip: Uint8Array): Piece {
  const isIpv6 = (ip[0] ?? 0) >> 4 === 6;
  const headerBytes = isIpv6 ? 40 : ((ip[0] ?? 0) & 15) * 4;
  const word = isIpv6 ? ((ip[42] ?? 0) << 8) | (ip[43] ?? 0) : ((ip[6] ?? 0) << 8) | (ip[7] ?? 0);
  const data = ip.subarray(headerBytes + (isIpv6 ? 8 : 0));
  return { offset: isIpv6 ? word & 0xfff8 : (word & 0x1fff) * 8, more: (word & (isIpv6 ? 1 : 0x2000)) !== 0, headerBytes, data };
}

function whole(all: Uint8Array[]): PacketText | undefined {
  const pieces = all.map(pieceOf).sort((a, b) => a.offset - b.offset);
  let end = 0;
  for (const piece of pieces) {
    if (piece.offset !== end) return undefined;
    end += piece.data.length;
  }
  const first = all.find((ip) => pieceOf(ip).offset === 0);
  if (!first || pieces.at(-1)?.more) return undefined;
  const header = Buffer.from(first.subarray(0, pieces[0]?.headerBytes ?? 20));
  if (header.length === 40) {
    header.writeUInt8(first[40] ?? 0, 6);
    header.writeUInt16BE(end, 4);
  } else {
    header.writeUInt16BE(header.length + end, 2);
    header.writeUInt16BE(header.readUInt16BE(6) & 0x4000, 6);
    header.writeUInt16BE(0, 10);
    header.writeUInt16BE(~sum(header) & 0xffff, 10);
  }
  return readIp(Buffer.concat([header, ...pieces.map((piece) => piece.data)]));
}
