// The same road in plain JavaScript as a good engineer would write it: typed arrays, records of numbers, an integer
// hash with open addressing, checksums amended by differences that were computed once, nothing allocated.

import { ENTRY_BYTES, ENTRY_CAUSE, ENTRY_FRAME, ENTRY_PORT } from "../../assembly/abi/layout.js";
import { LIST_ENTRY_BYTES, RECEIVE_LIST, TRANSMIT_LIST } from "../path/batch.js";
import { clientPortWire, clientWord } from "../path/flows.js";
import { TCP, wireAddress } from "../path/frames.js";
import { INSIDE, INSIDE_MAC, OUTSIDE_MAC, SERVER_PORT, serverMac, SERVERS, VIRTUAL_PORT, type World } from "../path/world.js";
import { parseMac } from "../../host/engine/address.js";

const MTU_BYTES = 1500;
const TIMEOUT_MS = 900_000;
const ESTABLISHED = 1;
const FIN_SYN_RST = 0x07, ACK = 0x10;
/** The header's sum with one hop less. */
const HOP = 0xfffe;

// A connection, 16 words: client, ports, server address, server, differences (IP, TCP), state, last, timeout, packets.
const RECORD = 16;
const CLIENT = 0, PORTS = 1, ADDRESS = 2, SERVER = 3, DIFFERENCES = 4, STATE = 5, LAST = 6, TIMEOUT = 7, PACKETS = 8;
// A counter: packets and bytes, each exact as a double. Places: all, the service, then the servers.
const TOTAL = 0, SERVICE = 1, FIRST_SERVER = 2;

const swap16 = (value: number): number => ((value & 255) << 8) | (value >>> 8);
const word = (bytes: Uint8Array): number => new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
const halves = (mac: string): number[] => {
  const bytes = parseMac(mac) ?? new Uint8Array(6);
  return [0, 2, 4].map((at) => (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8));
};

function fold(sum: number): number {
  sum = (sum & 0xffff) + (sum >>> 16);
  return (sum & 0xffff) + (sum >>> 16);
}

/** What replacing a word changes in a sum (RFC 1624). */
function difference(before: number, after: number): number {
  return fold((~before & 0xffff) + (~before >>> 16) + (after & 0xffff) + (after >>> 16));
}

function hashOf(client: number, ports: number): number {
  let hash = Math.imul(client ^ Math.imul(ports, 0x85ebca6b), 0xc2b2ae35);
  hash ^= hash >>> 15;
  return Math.imul(hash, 0x27d4eb2f) ^ (hash >>> 13);
}

export class TypedRival {
  private readonly words: Uint32Array;
  private readonly halves: Uint16Array;
  private readonly records: Uint32Array;
  private readonly places: Uint32Array;
  private readonly counters = new Float64Array(2 * (FIRST_SERVER + SERVERS));
  /** Six halves each: the server's hardware address and ours. */
  private readonly macs: Uint16Array;
  private readonly available = new Uint8Array(SERVERS).fill(1);
  private readonly mac = Uint16Array.from(halves(OUTSIDE_MAC));
  private readonly virtual: number;

  constructor(world: World, servers: Uint8Array) {
    this.words = new Uint32Array(world.engine.memory.buffer);
    this.halves = new Uint16Array(world.engine.memory.buffer);
    this.virtual = word(wireAddress(world.addresses.virtual));
    this.macs = Uint16Array.from(Array.from({ length: SERVERS }, (_, server) => [...halves(serverMac(server)), ...halves(INSIDE_MAC)]).flat());
    this.records = new Uint32Array((servers.length + 1) * RECORD);
    this.places = new Uint32Array(2 ** Math.ceil(Math.log2(servers.length * 2 + 16)));
    const addresses = Array.from({ length: SERVERS }, (_, server) => word(wireAddress(world.addresses.server(server))));
    servers.forEach((server, flow) => this.connect(flow, server, addresses[server] ?? 0));
  }

  private connect(flow: number, server: number, address: number): void {
    const { records, places } = this;
    const client = clientWord(flow);
    const ports = (clientPortWire(flow) | (swap16(VIRTUAL_PORT) << 16)) >>> 0;
    const addresses = difference(this.virtual, address);
    const at = (flow + 1) * RECORD;
    records[at + CLIENT] = client;
    records[at + PORTS] = ports;
    records[at + ADDRESS] = address;
    records[at + SERVER] = server;
    records[at + DIFFERENCES] = fold(addresses + HOP) | (fold(addresses + difference(swap16(VIRTUAL_PORT), swap16(SERVER_PORT))) << 16);
    records[at + STATE] = ESTABLISHED;
    let place = hashOf(client, ports) & (places.length - 1);
    while (places[place] !== 0) place = (place + 1) & (places.length - 1);
    places[place] = at;
  }

  receive = (count: number, nowMs: number): number => {
    const { words } = this;
    let out = TRANSMIT_LIST >>> 2;
    for (let index = 0; index < count; index++) {
      const entry = (RECEIVE_LIST + index * LIST_ENTRY_BYTES) >>> 2;
      const frame = words[entry + ENTRY_FRAME / 4] as number;
      const bytes = this.forward(frame, words[entry + ENTRY_BYTES / 4] as number, nowMs);
      if (bytes === 0) continue;
      words[out + ENTRY_FRAME / 4] = frame;
      words[out + ENTRY_BYTES / 4] = bytes;
      words[out + ENTRY_PORT / 4] = INSIDE;
      words[out + ENTRY_CAUSE / 4] = index;
      out += LIST_ENTRY_BYTES / 4;
    }
    return (out - (TRANSMIT_LIST >>> 2)) / (LIST_ENTRY_BYTES / 4);
  };

  /** Rewrites one frame, whose IP header begins a word; answers its bytes, 0 when it is not for us. */
  private forward(frame: number, frameBytes: number, nowMs: number): number {
    const { words, records } = this;
    if (frameBytes < 54 || !this.isOurs(frame >>> 1)) return 0;
    const ip = (frame + 14) >>> 2;
    const first = words[ip] as number, middle = words[ip + 1] as number, hops = words[ip + 2] as number;
    const client = words[ip + 3] as number, target = words[ip + 4] as number;
    const totalBytes = ((first >>> 8) & 0xff00) | (first >>> 24);
    if ((first & 0xff) !== 0x45 || totalBytes > frameBytes - 14 || totalBytes < 40 || ((middle >>> 16) & 0xffbf) !== 0) return 0;
    if (((hops >>> 8) & 0xff) !== TCP) return 0;
    const sum = (first & 0xffff) + (first >>> 16) + (middle & 0xffff) + (middle >>> 16) + (hops & 0xffff) + (hops >>> 16) +
      (client & 0xffff) + (client >>> 16) + (target & 0xffff) + (target >>> 16);
    if (fold(sum) !== 0xffff) return 0;
    const octet = client & 0xff;
    if (octet === 0 || octet === 127 || octet >= 224 || target !== this.virtual) return 0;
    const ports = words[ip + 5] as number;
    const found = this.find(client, ports);
    const flags = ((words[ip + 8] as number) >>> 8) & 0xff;
    if (found === 0 || (flags & FIN_SYN_RST) !== 0 || (flags & ACK) === 0 || records[found + STATE] !== ESTABLISHED) return 0;
    const server = records[found + SERVER] as number;
    if (this.available[server] === 0 || (hops & 0xff) <= 1 || totalBytes > MTU_BYTES) return 0;
    this.touch(found, server, totalBytes, nowMs);
    this.rewrite(ip, found, hops, ports);
    this.address(frame >>> 1, server * 6);
    return 14 + totalBytes;
  }

  /** True when the frame, at this half, was sent to our hardware address and holds IPv4. */
  private isOurs(at: number): boolean {
    const { halves, mac } = this;
    return halves[at] === mac[0] && halves[at + 1] === mac[1] && halves[at + 2] === mac[2] && halves[at + 6] === 0x0008;
  }

  private find(client: number, ports: number): number {
    const { places, records } = this;
    const mask = places.length - 1;
    for (let place = hashOf(client, ports) & mask; ; place = (place + 1) & mask) {
      const at = places[place] as number;
      if (at === 0 || (records[at + CLIENT] === client && records[at + PORTS] === ports)) return at;
    }
  }

  private touch(at: number, server: number, bytes: number, nowMs: number): void {
    const { records } = this;
    records[at + LAST] = nowMs;
    records[at + TIMEOUT] = TIMEOUT_MS;
    records[at + PACKETS] = (records[at + PACKETS] as number) + 1;
    this.count(TOTAL, bytes);
    this.count(SERVICE, bytes);
    this.count(FIRST_SERVER + server, bytes);
  }

  private count(place: number, bytes: number): void {
    const { counters } = this;
    counters[place * 2] = (counters[place * 2] as number) + 1;
    counters[place * 2 + 1] = (counters[place * 2 + 1] as number) + bytes;
  }

  private rewrite(ip: number, found: number, hops: number, ports: number): void {
    const { words, records } = this;
    const differences = records[found + DIFFERENCES] as number;
    words[ip + 2] = ((hops & 0xffff) - 1) | (~fold((~hops >>> 16) + (differences & 0xffff)) << 16);
    words[ip + 4] = records[found + ADDRESS] as number;
    words[ip + 5] = (ports & 0xffff) | (swap16(SERVER_PORT) << 16);
    const tail = words[ip + 9] as number;
    words[ip + 9] = (tail & 0xffff0000) | (~fold((~tail & 0xffff) + (differences >>> 16)) & 0xffff);
  }

  private address(at: number, from: number): void {
    for (let half = 0; half < 6; half++) this.halves[at + half] = this.macs[from + half] as number;
  }
}
