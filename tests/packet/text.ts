// A packet as a line of text: `10.0.1.50:40000 > 10.0.1.100:80 tcp SYN ttl 64`. README.md beside this file has the words.

import { formatAddress, parseAddress } from "../../host/engine/address.js";

/** What is said about a packet, word by word; what it carries stands in `inner`. */
export interface PacketText {
  fields: Map<string, string>;
  inner: PacketText | undefined;
}

/** A word or a number nobody can act on. */
export class TextError extends Error {}

export const KINDS = ["tcp", "udp", "sctp", "ipip", "gre", "gue", "icmp", "icmp6", "other"] as const;
export type Kind = (typeof KINDS)[number];

/** Names of ICMP messages by type and code. */
export const ICMP_NAMES: Readonly<Record<string, readonly [number, number]>> = {
  "echo-reply": [0, 0], echo: [8, 0], "net-unreachable": [3, 0], "host-unreachable": [3, 1], "protocol-unreachable": [3, 2],
  "port-unreachable": [3, 3], "frag-needed": [3, 4], "source-quench": [4, 0], "time-exceeded": [11, 0], "reassembly-time-exceeded": [11, 1],
};
export const ICMP6_NAMES: Readonly<Record<string, readonly [number, number]>> = {
  "echo-reply": [129, 0], echo: [128, 0], "no-route": [1, 0], "address-unreachable": [1, 3], "port-unreachable": [1, 4], "too-big": [2, 0],
  "time-exceeded": [3, 0], "reassembly-time-exceeded": [3, 1], "parameter-problem": [4, 0], "unknown-next-header": [4, 1],
};

const NUMBERS = new Set(["ttl", "tos", "id", "seq", "ack", "window", "mss", "mtu", "bytes", "tag", "cut", "number", "key", "pointer"]);
const TEXTS = new Set(["data", "checksum", "via", "sack", "hex"]);
const SWITCHES = new Set(["df", "mf"]);
const HEADERS = new Set(["hop-by-hop", "destination-options", "routing", "record-route"]);

const TOKEN = /"(?:[^"\\]|\\.)*"|\S+/g;

/** Reads a packet. Throws a TextError that says what is not understood. */
export function parsePacket(text: string): PacketText {
  const tokens = text.match(TOKEN) ?? [];
  const packet = parseTokens(tokens);
  if (tokens.length > 0) throw new TextError(`"${tokens[0]}" stands after the packet's end`);
  return packet;
}

/** Takes one packet off the front of the tokens, up to its closing bracket. */
function parseTokens(tokens: string[]): PacketText {
  const packet: PacketText = { fields: new Map(), inner: undefined };
  const first = tokens.shift();
  if (first === "hex") {
    packet.fields.set("hex", hexText(tokens.shift()));
    if (tokens.length > 0 && tokens[0] !== "]") throw new TextError(`"${tokens[0]}" stands after hex, which is a whole packet`);
    return packet;
  }
  endpoint(packet, "source", first);
  if (tokens.shift() !== ">") throw new TextError('a packet begins with SOURCE > TARGET, or "hex"');
  endpoint(packet, "target", tokens.shift());
  while (tokens.length > 0 && tokens[0] !== "]") word(packet, tokens);
  const flags = packet.fields.get("flags");
  if (packet.fields.get("kind") === "tcp" && flags !== undefined) packet.fields.set("flags", flags.split(" ").sort().join(" "));
  if (!packet.fields.has("kind")) throw new TextError(`what is it? One of ${KINDS.join(", ")} is missing`);
  return packet;
}

function hexText(text: string | undefined): string {
  if (text === undefined || !/^([0-9a-f]{2})+$/.test(text)) throw new TextError("hex needs bytes in hexadecimal, in small letters");
  return text;
}

function endpoint(packet: PacketText, side: "source" | "target", text: string | undefined): void {
  const found = /^(?:\[([^\]]+)\]:(\d+)|([\d.]+):(\d+)|([^\s[\]]+))$/.exec(text ?? "");
  const address = parseAddress(found?.[1] ?? found?.[3] ?? found?.[5] ?? "");
  if (!found || !address) throw new TextError(`"${text ?? ""}" is no address, 10.0.0.1:80 or [fd00::1]:80 or without a port`);
  packet.fields.set(side, formatAddress(address.family, address.bytes));
  const port = found[2] ?? found[4];
  if (port === undefined) return;
  if (Number(port) > 65535) throw new TextError(`there is no port ${port}`);
  packet.fields.set(`${side}Port`, String(Number(port)));
}

/** One word with its value. */
function word(packet: PacketText, tokens: string[]): void {
  const token = tokens.shift() ?? "";
  const { fields } = packet;
  const set = (name: string, value: string): void => {
    if (fields.has(name)) throw new TextError(`"${token}" says ${name} a second time`);
    fields.set(name, value);
  };
  if ((KINDS as readonly string[]).includes(token)) set("kind", token);
  else if (token === "frag") fragment(set, tokens.shift());
  else if (NUMBERS.has(token)) set(token, number(token, tokens.shift()));
  else if (TEXTS.has(token)) set(token, tokens.shift() ?? "");
  else if (SWITCHES.has(token)) set(token, "yes");
  else if (token === "no") set(tokens.shift() ?? "", "no");
  else if (HEADERS.has(token)) fields.set("headers", [fields.get("headers"), token].filter(Boolean).join(" "));
  else if (/^[A-Z][A-Z-]+$/.test(token)) fields.set("flags", [fields.get("flags"), token].filter(Boolean).join(" "));
  else if (token in ICMP_NAMES || token in ICMP6_NAMES || /^type\d+\/\d+$/.test(token)) set("message", token);
  else if (token === "[") inner(packet, tokens);
  else throw new TextError(`the word "${token}" is not known`);
}

function inner(packet: PacketText, tokens: string[]): void {
  if (packet.inner) throw new TextError("a packet carries one packet");
  packet.inner = parseTokens(tokens);
  if (tokens.shift() !== "]") throw new TextError("a bracket is not closed");
}

function number(name: string, text: string | undefined): string {
  const value = Number(text);
  if (text === undefined || !Number.isInteger(value) || value < 0 || value > 0xffffffff) throw new TextError(`${name} needs a number, not "${text ?? ""}"`);
  return String(value);
}

function fragment(set: (name: string, value: string) => void, text: string | undefined): void {
  const found = /^(\d+)\+(\d+)$/.exec(text ?? "");
  if (!found) throw new TextError(`frag needs OFFSET+BYTES, as 1480+520, not "${text ?? ""}"`);
  set("frag", `${Number(found[1])}+${Number(found[2])}`);
}

const ORDER = ["hex", "kind", "headers", "message", "flags", "mtu", "pointer", "frag", "mf", "ttl", "tos", "id", "df", "seq", "ack", "window", "mss",
  "sack", "key", "tag", "number", "checksum", "bytes", "data", "via"];
const BARE = new Set(["kind", "headers", "message", "flags"]);

/** Writes a packet in the language it is read from. */
export function formatPacket(packet: PacketText): string {
  const { fields } = packet;
  const side = (name: string): string => {
    const [address = "", port] = [fields.get(name), fields.get(`${name}Port`)];
    return port === undefined ? address : `${address.includes(":") ? `[${address}]` : address}:${port}`;
  };
  const parts = fields.has("source") ? [side("source"), ">", side("target")] : [];
  for (const name of ORDER) {
    const value = fields.get(name);
    if (value === undefined || (SWITCHES.has(name) && value === "no")) continue;
    if (name === "checksum" && value === "right") continue;
    parts.push(BARE.has(name) ? value : SWITCHES.has(name) ? name : `${name} ${value}`);
  }
  if (packet.inner) parts.push("[", formatPacket(packet.inner), "]");
  return parts.join(" ");
}
