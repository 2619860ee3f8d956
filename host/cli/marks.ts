// Firewall marks in iptables' own words: `iptables -t mangle -A PREROUTING ... -j MARK --set-mark N`, as an
// operator has them in scripts, or `-A PREROUTING ...` as iptables-save writes them.

import { parseAddress } from "../engine/address.js";
import type { MarkRule } from "../protocol.js";
import { splitWords } from "./words.js";

/** A line that says something which the director's marks cannot. */
export class MarkError extends Error {}

const PORT_MAX = 65535;
const MARK_MAX = 0xffffffff;
const PROTOCOLS = ["tcp", "udp", "sctp", "icmp"] as const;
const PROGRAMS = /^(iptables|ip6tables)(-legacy|-nft)?$/;
/** Matches that bring options of ports or nothing that changes which packets are meant. */
const MODULES = new Set(["multiport", "tcp", "udp", "sctp", "comment"]);

/** Every way to write an option, and the shortest of them. */
const OPTIONS: ReadonlyMap<string, string> = new Map(Object.entries({
  "-t": "-t", "--table": "-t", "-A": "-A", "--append": "-A", "-j": "-j", "--jump": "-j", "-m": "-m", "--match": "-m",
  "-i": "-i", "--in-interface": "-i", "-s": "-s", "--source": "-s", "--src": "-s", "-d": "-d", "--destination": "-d", "--dst": "-d",
  "-p": "-p", "--protocol": "-p", "--proto": "-p", "--dport": "--dports", "--destination-port": "--dports", "--dports": "--dports",
  "--destination-ports": "--dports", "--set-mark": "--set-mark", "--set-xmark": "--set-mark", "--comment": "--comment",
}));

interface Meaning {
  family: 4 | 6;
  interface: string;
  sources: string[];
  destinations: string[];
  protocol: MarkRule["protocol"];
  ranges: [number, number][];
  mark: number;
}

/** The rules one line stands for: one for each of its sources, destinations and port ranges. Throws a MarkError. */
export function readMarkLine(line: string): MarkRule[] {
  return readMarkWords(splitWords(line));
}

export function readMarkWords(words: readonly string[]): MarkRule[] {
  const meaning = readMeaning(words);
  const { family, interface: inbound, protocol, mark } = meaning;
  return meaning.sources.flatMap((source) => meaning.destinations.flatMap((destination) => meaning.ranges.map(([portLow, portHigh]) => (
    { family, interface: inbound, source, destination, protocol, portLow, portHigh, mark }
  ))));
}

function readMeaning(words: readonly string[]): Meaning {
  const program = words[0] ?? "";
  const isNamed = PROGRAMS.test(program);
  // A line of ip6tables-save does not say so: its addresses do.
  const isSix = isNamed ? program.startsWith("ip6") : words.some((word) => parseAddress(word.split("/")[0] ?? "")?.family === 6);
  const meaning: Meaning = {
    family: isSix ? 6 : 4, interface: "", sources: [""], destinations: [""], protocol: "", ranges: [[0, PORT_MAX]], mark: 0,
  };
  let chain = "";
  for (let at = isNamed ? 1 : 0; at < words.length; at += 2) {
    const word = words[at] ?? "";
    const value = words[at + 1];
    const option = OPTIONS.get(word);
    if (option === undefined) throw new MarkError(word === "!" ? "\"!\" cannot be said of the director's marks" : `"${word}" is not known of a MARK rule`);
    if (value === undefined) throw new MarkError(`"${word}" wants a value`);
    if (option === "-A") chain = value;
    else take(meaning, option, word, value);
  }
  if (chain !== "PREROUTING") throw new MarkError("only rules of PREROUTING mark what a director receives: say -A PREROUTING");
  if (meaning.mark === 0) throw new MarkError("there is no mark: say -j MARK --set-mark N");
  return meaning;
}

function take(meaning: Meaning, option: string, word: string, value: string): void {
  switch (option) {
    case "-t": return only(word, value, ["mangle"]);
    case "-j": return only(word, value, ["MARK"]);
    case "-m": return only(word, value, [...MODULES]);
    case "-i": meaning.interface = value; return;
    case "-s": meaning.sources = value.split(",").map((net) => readNet(net, meaning.family)); return;
    case "-d": meaning.destinations = value.split(",").map((net) => readNet(net, meaning.family)); return;
    case "-p": only(word, value, PROTOCOLS); meaning.protocol = value as MarkRule["protocol"]; return;
    case "--dports": meaning.ranges = value.split(",").map(readRange); return;
    case "--set-mark": meaning.mark = readMark(value); return;
    default: // a comment
  }
}

function only(word: string, value: string, accepted: readonly string[]): void {
  if (!accepted.includes(value)) throw new MarkError(`"${word} ${value}" cannot be said of the director's marks, only ${accepted.join(", ")}`);
}

/** "10.0.1.0/24", "10.0.1.0/255.255.255.0", "10.0.1.1", as an address with a prefix length. */
function readNet(text: string, family: 4 | 6): string {
  const [name = "", mask, ...more] = text.split("/");
  const address = parseAddress(name);
  const bits = mask === undefined || mask.includes(".") ? maskBits(mask, family) : Number(mask);
  const isRight = address?.family === family && more.length === 0 && Number.isInteger(bits) && bits >= 0 && bits <= (family === 4 ? 32 : 128);
  if (!isRight) throw new MarkError(`"${text}" is no IPv${family} address or net as ${family === 4 ? "10.0.1.0/24" : "fd00:1::/64"}`);
  return `${name}/${bits}`;
}

/** How many bits a dotted mask has, all of them without one; NaN when they are not the first ones. */
function maskBits(mask: string | undefined, family: 4 | 6): number {
  if (mask === undefined) return family === 4 ? 32 : 128;
  const bytes = parseAddress(mask)?.bytes.slice(12) ?? [];
  const digits = Array.from(bytes, (byte) => byte.toString(2).padStart(8, "0")).join("");
  return /^1*0*$/.test(digits) && digits.length === 32 ? digits.indexOf("0") < 0 ? 32 : digits.indexOf("0") : Number.NaN;
}

/** "80", "80:90", ":90", "80:". */
function readRange(text: string): [number, number] {
  const [low = "", high = low, ...more] = text.split(":");
  const range: [number, number] = [low === "" ? 0 : Number(low), high === "" ? PORT_MAX : Number(high)];
  const isPort = (port: number): boolean => Number.isInteger(port) && port >= 0 && port <= PORT_MAX;
  if (text === "" || more.length > 0 || !range.every(isPort) || range[0] > range[1]) throw new MarkError(`"${text}" is neither a port nor a range as 80:443`);
  return range;
}

/** A mark in decimal or hexadecimal, perhaps with the mask of all bits; part of a mark cannot be set. */
function readMark(text: string): number {
  const [value = "", mask = "0xffffffff", ...more] = text.split("/");
  const mark = value === "" ? Number.NaN : Number(value);
  if (more.length > 0 || Number(mask) !== MARK_MAX) throw new MarkError(`"${text}" sets a part of a mark: only whole marks can be set`);
  if (!Number.isInteger(mark) || mark < 1 || mark > MARK_MAX) throw new MarkError(`"${text}" is no mark from 1 to ${MARK_MAX}`);
  return mark;
}
