// From the text of a packet to its bytes.

import { parseAddress } from "../../host/engine/address.js";
import { sum } from "../../host/lab/sum.js";
import { crc32c, withPseudo } from "./sums.js";
import { ICMP6_NAMES, ICMP_NAMES, TextError, type PacketText } from "./text.js";

export const PROTOCOLS: Readonly<Record<string, number>> = { tcp: 6, udp: 17, sctp: 132, gre: 47, gue: 17, icmp: 1, icmp6: 58 };
export const TCP_FLAGS = ["FIN", "SYN", "RST", "PSH", "ACK", "URG"] as const;
export const CHUNKS: Readonly<Record<string, number>> = {
  DATA: 0, INIT: 1, "INIT-ACK": 2, SACK: 3, HEARTBEAT: 4, "HEARTBEAT-ACK": 5, ABORT: 6, SHUTDOWN: 7, "SHUTDOWN-ACK": 8, ERROR: 9,
  "COOKIE-ECHO": 10, "COOKIE-ACK": 11, "SHUTDOWN-COMPLETE": 14,
};
export const HEADER_NUMBERS: Readonly<Record<string, number>> = { "hop-by-hop": 0, routing: 43, "destination-options": 60 };
const FRAGMENT = 44;
const RECORD_ROUTE = [7, 11, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0];

/** The address as it stands in a header: 4 or 16 bytes. */
export function wireAddress(text: string): Uint8Array {
  const address = parseAddress(text);
  if (!address) throw new TextError(`"${text}" is no address`);
  return address.family === 4 ? address.bytes.slice(12) : address.bytes;
}

class Words {
  constructor(readonly packet: PacketText) {}
  text(name: string): string | undefined { return this.packet.fields.get(name); }
  number(name: string, otherwise: number): number {
    const value = this.packet.fields.get(name);
    return value === undefined ? otherwise : Number(value);
  }
  get isIpv6(): boolean { return this.text("source")?.includes(":") === true; }
  get source(): Uint8Array { return wireAddress(this.text("source") ?? ""); }
  get target(): Uint8Array { return wireAddress(this.text("target") ?? ""); }
  get ports(): number[] {
    const [from, to] = [this.text("sourcePort"), this.text("targetPort")];
    if (from === undefined || to === undefined) throw new TextError("a packet that is sent in needs both ports");
    return [...word16(Number(from)), ...word16(Number(to))];
  }
  get payload(): Uint8Array {
    const data = this.text("data");
    if (data !== undefined) return Buffer.from(JSON.parse(data) as string, "latin1");
    return Uint8Array.from({ length: this.number("bytes", 0) }, (_, at) => at & 255);
  }
}

function word16(value: number): number[] { return [(value >> 8) & 255, value & 255]; }
function word32(value: number): number[] { return [...word16(Math.floor(value / 65536)), ...word16(value & 0xffff)]; }

/** An IP packet's bytes. */
export function buildIp(packet: PacketText): Uint8Array {
  const hex = packet.fields.get("hex");
  if (hex !== undefined) return Buffer.from(hex, "hex");
  const words = new Words(packet);
  const { protocol, bytes } = transport(words);
  const whole = words.isIpv6 ? ipv6(words, protocol, bytes) : ipv4(words, protocol, bytes);
  const cut = words.text("cut");
  return cut === undefined ? whole : whole.slice(0, whole.length - bytes.length + Number(cut));
}

function piece(words: Words, bytes: Uint8Array): { bytes: Uint8Array; offset: number; more: boolean } {
  const [offset = 0, length = bytes.length] = (words.text("frag") ?? "").split("+").filter(Boolean).map(Number);
  if (offset % 8 !== 0) throw new TextError("a fragment's offset is a multiple of 8");
  return { bytes: bytes.slice(offset, offset + length), offset, more: words.text("mf") === "yes" };
}

function ipv4(words: Words, protocol: number, transportBytes: Uint8Array): Uint8Array {
  const part = piece(words, transportBytes);
  const options = words.text("headers") === "record-route" ? RECORD_ROUTE : [];
  const flags = (words.text("df") === "yes" ? 0x4000 : 0) | (part.more ? 0x2000 : 0);
  const header = Uint8Array.from([
    0x45 + options.length / 4, words.number("tos", 0), ...word16(20 + options.length + part.bytes.length), ...word16(words.number("id", 1)),
    ...word16(flags | (part.offset >> 3)), words.number("ttl", 64), protocol, 0, 0, ...words.source, ...words.target, ...options,
  ]);
  header.set(word16(~sum(header) & 0xffff), 10);
  return Buffer.concat([header, part.bytes]);
}

function ipv6(words: Words, protocol: number, transportBytes: Uint8Array): Uint8Array {
  const part = piece(words, transportBytes);
  const headers = (words.text("headers") ?? "").split(" ").filter(Boolean).map((name) => HEADER_NUMBERS[name] ?? 0);
  const chain = [...headers, ...(words.text("frag") === undefined ? [] : [FRAGMENT]), protocol];
  // Extension headers of eight bytes each: padding in options, nothing left in routing.
  const extensions = chain.slice(0, -1).flatMap((number, at) => {
    const next = chain[at + 1] ?? 0;
    if (number === FRAGMENT) return [next, 0, ...word16(part.offset | (part.more ? 1 : 0)), ...word32(words.number("id", 1))];
    return number === 43 ? [next, 0, 253, 0, 0, 0, 0, 0] : [next, 0, 1, 4, 0, 0, 0, 0];
  });
  const header = [
    ...word32(0x60000000 + words.number("tos", 0) * 0x100000), ...word16(extensions.length + part.bytes.length), chain[0] ?? protocol,
    words.number("ttl", 64), ...words.source, ...words.target,
  ];
  return Buffer.concat([Uint8Array.from([...header, ...extensions]), part.bytes]);
}

function transport(words: Words): { protocol: number; bytes: Uint8Array } {
  const kind = words.text("kind") ?? "";
  const protocol = kind === "ipip" ? (isIpv6(words.packet.inner) ? 41 : 4) : kind === "other" ? words.number("number", 59) : PROTOCOLS[kind] ?? 59;
  switch (kind) {
    case "tcp": return { protocol, bytes: checked(words, protocol, 16, tcp(words)) };
    case "udp": return { protocol, bytes: checked(words, protocol, 6, udp(words, words.payload)) };
    case "gue": {
      const header = isIpv6(words.packet.inner) ? [0, 41, 0, 0] : [0, 4, 0, 0];
      return { protocol, bytes: udp(words, Buffer.concat([Uint8Array.from(header), carried(words)])) };
    }
    case "sctp": return { protocol, bytes: sctp(words) };
    case "icmp": case "icmp6": return { protocol, bytes: icmp(words, kind) };
    case "ipip": return { protocol, bytes: carried(words) };
    case "gre": return { protocol, bytes: Buffer.concat([Uint8Array.from([0, 0, ...word16(isIpv6(words.packet.inner) ? 0x86dd : 0x0800)]), carried(words)]) };
    default: return { protocol, bytes: words.payload };
  }
}

function isIpv6(packet: PacketText | undefined): boolean { return packet?.fields.get("source")?.includes(":") === true; }

function carried(words: Words): Uint8Array {
  return words.packet.inner ? buildIp(words.packet.inner) : words.payload;
}

/** Fills a checksum field, rightly unless the text says otherwise. */
function checked(words: Words, protocol: number, field: number, bytes: Uint8Array): Uint8Array {
  const wanted = words.text("checksum") ?? "right";
  if (wanted === "zero") return bytes;
  let value = ~sum(withPseudo(words.source, words.target, protocol, bytes)) & 0xffff;
  if (value === 0 && protocol === 17) value = 0xffff;
  bytes.set(word16(wanted === "wrong" ? value ^ 0x0101 : value), field);
  return bytes;
}

function tcp(words: Words): Uint8Array {
  const flags = (words.text("flags") ?? "").split(" ").filter(Boolean).reduce((all, name) => {
    const bit = (TCP_FLAGS as readonly string[]).indexOf(name);
    if (bit < 0) throw new TextError(`TCP has no flag ${name}`);
    return all | (1 << bit);
  }, 0);
  const mss = words.text("mss");
  const sack = words.text("sack")?.split("-").map(Number);
  const options = [...(mss === undefined ? [] : [2, 4, ...word16(Number(mss))]), ...(sack ? [1, 1, 5, 10, ...sack.flatMap(word32)] : [])];
  const header = [
    ...words.ports, ...word32(words.number("seq", 1000)), ...word32(words.number("ack", 0)), 0x50 + options.length * 4, flags,
    ...word16(words.number("window", 64000)), 0, 0, 0, 0, ...options,
  ];
  return Buffer.concat([Uint8Array.from(header), words.payload]);
}

function udp(words: Words, payload: Uint8Array): Uint8Array {
  return Buffer.concat([Uint8Array.from([...words.ports, ...word16(8 + payload.length), 0, 0]), payload]);
}

function sctp(words: Words): Uint8Array {
  const chunks = (words.text("flags") ?? "").split(" ").filter(Boolean).flatMap((name) => {
    const type = CHUNKS[name];
    if (type === undefined) throw new TextError(`SCTP has no chunk ${name}`);
    const length = type === 1 || type === 2 ? 20 : 8;
    return [type, 0, ...word16(length), ...Array<number>(length - 4).fill(1)];
  });
  const bytes = Buffer.from([...words.ports, ...word32(words.number("tag", 7)), 0, 0, 0, 0, ...chunks]);
  const crc = crc32c(bytes);
  bytes.writeUInt32LE(words.text("checksum") === "wrong" ? (crc ^ 1) >>> 0 : crc, 8);
  return bytes;
}

function icmp(words: Words, kind: "icmp" | "icmp6"): Uint8Array {
  const message = words.text("message") ?? "";
  const numbers = /^type(\d+)\/(\d+)$/.exec(message)?.slice(1).map(Number);
  const [type, code] = numbers ?? (kind === "icmp" ? ICMP_NAMES : ICMP6_NAMES)[message] ?? [];
  if (type === undefined || code === undefined) throw new TextError(`${kind} has no message "${message}"`);
  const rest = message.startsWith("echo") ? [...word16(words.number("key", 1)), ...word16(words.number("seq", 1))] : word32(words.number("mtu", 0));
  const bytes = Buffer.concat([Uint8Array.from([type, code, 0, 0, ...rest]), carried(words)]);
  if (kind === "icmp6") return checked(words, 58, 2, bytes);
  const value = ~sum(bytes) & 0xffff;
  bytes.set(word16(words.text("checksum") === "wrong" ? value ^ 0x0101 : value), 2);
  return bytes;
}
