// From a packet's bytes to its text. What is wrong in it is told as a word of the text, too.

import { formatAddress } from "../../host/engine/address.js";
import { CHUNKS, HEADER_NUMBERS, PROTOCOLS, TCP_FLAGS } from "./build.js";
import { sum } from "../../host/lab/sum.js";
import { crc32c, withPseudo } from "./sums.js";
import { ICMP6_NAMES, ICMP_NAMES, type PacketText } from "./text.js";

const GUE_PORTS = new Set([6080, 6081]);
const FRAGMENT = 44;

/** An IP packet taken apart down to its transport. */
interface Layers {
  fields: Map<string, string>;
  source: Uint8Array;
  target: Uint8Array;
  protocol: number;
  body: Uint8Array;
  /** Only part of the packet is here: quoted in an ICMP error, or a fragment. */
  isPart: boolean;
}

const word16 = (bytes: Uint8Array, at: number): number => ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
const word32 = (bytes: Uint8Array, at: number): number => word16(bytes, at) * 65536 + word16(bytes, at + 2);
const namesOf = (table: Readonly<Record<string, number>>): Map<number, string> => new Map(Object.entries(table).map(([name, value]) => [value, name]));
const CHUNK_NAMES = namesOf(CHUNKS);
const HEADER_NAMES = namesOf(HEADER_NUMBERS);

/** Reads an IP packet; `quoted` for one inside an ICMP error, which may be cut short. */
export function readIp(bytes: Uint8Array, quoted = false): PacketText {
  const layers = (bytes[0] ?? 0) >> 4 === 4 ? ipv4(bytes, quoted) : (bytes[0] ?? 0) >> 4 === 6 ? ipv6(bytes, quoted) : undefined;
  if (!layers) return { fields: new Map([["hex", Buffer.from(bytes).toString("hex")]]), inner: undefined };
  const packet: PacketText = { fields: layers.fields, inner: undefined };
  readTransport(packet, layers, quoted);
  return packet;
}

function addressText(bytes: Uint8Array): string {
  return bytes.length === 16 ? formatAddress(6, bytes) : bytes.join(".");
}

function startFields(source: Uint8Array, target: Uint8Array): Map<string, string> {
  return new Map([["source", addressText(source)], ["target", addressText(target)]]);
}

function ipv4(bytes: Uint8Array, quoted: boolean): Layers | undefined {
  const headerBytes = ((bytes[0] ?? 0) & 15) * 4;
  const totalBytes = word16(bytes, 2);
  if (headerBytes < 20 || bytes.length < headerBytes || (!quoted && bytes.length !== totalBytes)) return undefined;
  const [source, target] = [bytes.subarray(12, 16), bytes.subarray(16, 20)];
  const fields = startFields(source, target);
  const fragment = word16(bytes, 6);
  fields.set("ttl", String(bytes[8])).set("tos", String(bytes[1])).set("id", String(word16(bytes, 4))).set("df", fragment & 0x4000 ? "yes" : "no");
  if (headerBytes > 20) fields.set("headers", bytes[20] === 7 ? "record-route" : bytes[20] === 1 ? "no-operation" : "options");
  if (sum(bytes.subarray(0, headerBytes)) !== 0xffff) fields.set("header", "wrong");
  const offset = (fragment & 0x1fff) * 8;
  const isFragment = (fragment & 0x3fff) !== 0;
  const body = bytes.subarray(headerBytes, Math.min(bytes.length, totalBytes));
  if (isFragment) fields.set("frag", `${offset}+${totalBytes - headerBytes}`).set("mf", fragment & 0x2000 ? "yes" : "no");
  return { fields, source, target, protocol: bytes[9] ?? 0, body, isPart: isFragment || bytes.length < totalBytes };
}

function ipv6(bytes: Uint8Array, quoted: boolean): Layers | undefined {
  const totalBytes = 40 + word16(bytes, 4);
  if (bytes.length < 40 || (!quoted && bytes.length !== totalBytes)) return undefined;
  const [source, target] = [bytes.subarray(8, 24), bytes.subarray(24, 40)];
  const fields = startFields(source, target);
  fields.set("ttl", String(bytes[7])).set("tos", String((word16(bytes, 0) >> 4) & 255));
  const headers: string[] = [];
  let [protocol, at, isFragment] = [bytes[6] ?? 0, 40, false];
  while (HEADER_NAMES.has(protocol) || protocol === FRAGMENT) {
    if (protocol === FRAGMENT) {
      isFragment = true;
      const word = word16(bytes, at + 2);
      fields.set("frag", `${word & 0xfff8}+${totalBytes - at - 8}`).set("mf", word & 1 ? "yes" : "no").set("id", String(word32(bytes, at + 4)));
      [protocol, at] = [bytes[at] ?? 0, at + 8];
      break;
    }
    headers.push(HEADER_NAMES.get(protocol) ?? "");
    [protocol, at] = [bytes[at] ?? 0, at + 8 + (bytes[at + 1] ?? 0) * 8];
  }
  if (headers.length > 0) fields.set("headers", headers.join(" "));
  return { fields, source, target, protocol, body: bytes.subarray(at, totalBytes), isPart: isFragment || bytes.length < totalBytes };
}

function readTransport(packet: PacketText, layers: Layers, quoted: boolean): void {
  const { fields, body, protocol } = layers;
  const isLater = fields.has("frag") && !fields.get("frag")?.startsWith("0+");
  const hasPorts = !isLater && [6, 17, 132].includes(protocol) && body.length >= 4;
  if (hasPorts) fields.set("sourcePort", String(word16(body, 0))).set("targetPort", String(word16(body, 2)));
  const name = Object.entries(PROTOCOLS).find(([, number]) => number === protocol)?.[0];
  fields.set("kind", protocol === 4 || protocol === 41 ? "ipip" : name ?? "other");
  if (name === undefined && protocol !== 4 && protocol !== 41) fields.set("number", String(protocol));
  if (isLater) return;
  switch (fields.get("kind")) {
    case "tcp": return tcp(layers);
    case "udp": return udp(packet, layers, quoted);
    case "sctp": return sctp(layers);
    case "gre": if (!layers.isPart) gre(packet, layers); return;
    case "ipip": if (!layers.isPart || quoted) packet.inner = readIp(body, quoted); return;
    case "icmp": case "icmp6": return icmp(packet, layers);
    default: fields.set("bytes", String(body.length));
  }
}

/** What can be said of a transport's checksum: nothing of a part. */
function transportChecksum(layers: Layers, field: number): void {
  if (layers.isPart) return;
  const { source, target, protocol, body } = layers;
  const zero = protocol === 17 && word16(body, field) === 0;
  layers.fields.set("checksum", zero ? "zero" : sum(withPseudo(source, target, protocol, body)) === 0xffff ? "right" : "wrong");
}

function payload(fields: Map<string, string>, bytes: Uint8Array): void {
  fields.set("bytes", String(bytes.length));
  if (bytes.length > 0 && bytes.every((byte) => byte === 10 || byte === 13 || (byte > 31 && byte < 127))) {
    fields.set("data", JSON.stringify(Buffer.from(bytes).toString("latin1")));
  }
}

function tcp({ fields, body, ...layers }: Layers): void {
  if (body.length < 20) return;
  const headerBytes = ((body[12] ?? 0) >> 4) * 4;
  fields.set("flags", TCP_FLAGS.filter((_, bit) => (body[13] ?? 0) & (1 << bit)).sort().join(" "));
  fields.set("seq", String(word32(body, 4))).set("ack", String(word32(body, 8))).set("window", String(word16(body, 14)));
  const options = body.subarray(20, headerBytes);
  if (options[0] === 2) fields.set("mss", String(word16(options, 2)));
  if (options[2] === 5) fields.set("sack", `${word32(options, 4)}-${word32(options, 8)}`);
  payload(fields, body.subarray(headerBytes));
  transportChecksum({ fields, body, ...layers }, 16);
}

function udp(packet: PacketText, layers: Layers, quoted: boolean): void {
  const { fields, body } = layers;
  if (body.length < 8) return;
  transportChecksum(layers, 6);
  if (!quoted && !layers.isPart && word16(body, 4) !== body.length) fields.set("checksum", "length");
  if (GUE_PORTS.has(word16(body, 2)) && [4, 41].includes(body[9] ?? 0) && body.length >= 32 && !layers.isPart) {
    fields.set("kind", "gue");
    packet.inner = readIp(body.subarray(12));
    return;
  }
  payload(fields, body.subarray(8));
}

function sctp({ fields, body, isPart }: Layers): void {
  if (body.length < 12) return;
  const chunks: string[] = [];
  for (let at = 12; at + 4 <= body.length; at += Math.max(4, (word16(body, at + 2) + 3) & ~3)) {
    chunks.push(CHUNK_NAMES.get(body[at] ?? 0) ?? `CHUNK-${body[at]}`);
  }
  fields.set("flags", chunks.join(" ")).set("tag", String(word32(body, 4)));
  if (isPart) return;
  const bytes = Buffer.from(body);
  const stated = bytes.readUInt32LE(8);
  bytes.writeUInt32LE(0, 8);
  fields.set("checksum", stated === crc32c(bytes) ? "right" : "wrong");
}

function gre(packet: PacketText, { fields, body }: Layers): void {
  const hasChecksum = ((body[0] ?? 0) & 0x80) !== 0;
  fields.set("checksum", !hasChecksum ? "zero" : sum(body) === 0xffff ? "right" : "wrong");
  packet.inner = readIp(body.subarray(hasChecksum ? 8 : 4));
}

function icmp(packet: PacketText, layers: Layers): void {
  const { fields, body, protocol } = layers;
  if (body.length < 8) return;
  const type = body[0] ?? 0;
  const code = body[1] ?? 0;
  const known = Object.entries(protocol === 1 ? ICMP_NAMES : ICMP6_NAMES).find(([, numbers]) => numbers[0] === type && numbers[1] === code)?.[0];
  fields.set("message", known ?? `type${type}/${code}`);
  if (protocol === 58) transportChecksum(layers, 2);
  else if (!layers.isPart) fields.set("checksum", sum(body) === 0xffff ? "right" : "wrong");
  if (known?.startsWith("echo")) {
    fields.set("key", String(word16(body, 4))).set("seq", String(word16(body, 6)));
    return payload(fields, body.subarray(8));
  }
  if (known === "frag-needed") fields.set("mtu", String(word16(body, 6)));
  if (known === "too-big") fields.set("mtu", String(word32(body, 4)));
  if (type === 4 && protocol === 58) fields.set("pointer", String(word32(body, 4)));
  packet.inner = readIp(body.subarray(8), true);
}
