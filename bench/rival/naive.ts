// The same road as one writes it first in JavaScript: a Map by text, Buffers, byte order by accessor.

import { ENTRY_BYTES, ENTRY_CAUSE, ENTRY_FLAGS, ENTRY_FRAME, ENTRY_PORT } from "../../assembly/abi/layout.js";
import { LIST_ENTRY_BYTES, RECEIVE_LIST, TRANSMIT_LIST } from "../path/batch.js";
import { clientBytes, clientPort } from "../path/flows.js";
import { TCP, wireAddress } from "../path/frames.js";
import { INSIDE, INSIDE_MAC, OUTSIDE_MAC, SERVER_PORT, serverMac, SERVERS, VIRTUAL_PORT, type World } from "../path/world.js";

const MTU_BYTES = 1500;
const TIMEOUT_MS = 900_000;
const RESET = 4, SYN = 2, FIN = 1, ACK = 16;

interface Counter { packets: number; bytes: number }
interface Server { address: Buffer; macs: Buffer; counter: Counter; available: boolean }
interface Connection { server: Server; state: string; lastMs: number; timeoutMs: number; packets: number }

/** The next state of an established connection, by what its client sends. */
const NEXT: Record<string, string> = { [ACK]: "ESTABLISHED", [FIN]: "CLOSE_WAIT", [RESET]: "CLOSE", [SYN]: "ESTABLISHED" };

const macOf = (text: string): Buffer => Buffer.from(text.replaceAll(":", ""), "hex");

function sum(bytes: Buffer): number {
  let total = 0;
  for (let at = 0; at < bytes.length; at += 2) total += bytes.readUInt16BE(at);
  while (total > 0xffff) total = (total & 0xffff) + (total >>> 16);
  return total;
}

/** Replaces a 16-bit word and amends the checksums that cover it (RFC 1624). */
function replace(bytes: Buffer, at: number, value: number, ...fields: [Buffer, number][]): void {
  const before = bytes.readUInt16BE(at);
  for (const [header, field] of fields) {
    let total = (~header.readUInt16BE(field) & 0xffff) + (~before & 0xffff) + value;
    while (total > 0xffff) total = (total & 0xffff) + (total >>> 16);
    header.writeUInt16BE(~total & 0xffff, field);
  }
  bytes.writeUInt16BE(value, at);
}

export class NaiveRival {
  private readonly connections = new Map<string, Connection>();
  private readonly local = new Set<string>();
  private readonly total: Counter = { packets: 0, bytes: 0 };
  private readonly service: Counter = { packets: 0, bytes: 0 };
  private readonly memory: Buffer;
  private readonly mac = macOf(OUTSIDE_MAC);

  constructor(world: World, servers: Uint8Array) {
    this.memory = Buffer.from(world.engine.bytes.buffer);
    this.local.add(world.addresses.virtual);
    const records = Array.from({ length: SERVERS }, (_, server): Server => ({
      address: Buffer.from(wireAddress(world.addresses.server(server))), macs: Buffer.concat([macOf(serverMac(server)), macOf(INSIDE_MAC)]),
      counter: { packets: 0, bytes: 0 }, available: true,
    }));
    servers.forEach((server, flow) => {
      const key = `${TCP}:${clientBytes(flow, 4).join(".")}:${clientPort(flow)}:${world.addresses.virtual}:${VIRTUAL_PORT}`;
      this.connections.set(key, { server: records[server] as Server, state: "ESTABLISHED", lastMs: 0, timeoutMs: 0, packets: 0 });
    });
  }

  receive = (count: number, nowMs: number): number => {
    let sent = 0;
    for (let index = 0; index < count; index++) {
      const entry = RECEIVE_LIST + index * LIST_ENTRY_BYTES;
      const at = this.memory.readUInt32LE(entry + ENTRY_FRAME);
      const frame = this.memory.subarray(at, at + this.memory.readUInt32LE(entry + ENTRY_BYTES));
      const bytes = this.forward(frame, nowMs);
      if (bytes === 0) continue;
      const out = TRANSMIT_LIST + sent++ * LIST_ENTRY_BYTES;
      this.memory.writeUInt32LE(at, out + ENTRY_FRAME);
      this.memory.writeUInt32LE(bytes, out + ENTRY_BYTES);
      this.memory.writeUInt16LE(INSIDE, out + ENTRY_PORT);
      this.memory.writeUInt16LE(0, out + ENTRY_FLAGS);
      this.memory.writeUInt32LE(index, out + ENTRY_CAUSE);
    }
    return sent;
  };

  /** Rewrites one frame; answers its bytes, 0 when it is not for us. */
  private forward(frame: Buffer, nowMs: number): number {
    if (frame.length < 54 || !frame.subarray(0, 6).equals(this.mac) || frame.readUInt16BE(12) !== 0x0800) return 0;
    const ip = frame.subarray(14);
    const totalBytes = ip.readUInt16BE(2);
    if (ip[0] !== 0x45 || totalBytes > ip.length || totalBytes < 40 || (ip.readUInt16BE(6) & 0xbfff) !== 0) return 0;
    if (ip[9] !== TCP || sum(ip.subarray(0, 20)) !== 0xffff) return 0;
    const first = ip[12] ?? 0;
    if (first === 0 || first === 127 || first >= 224) return 0;
    const target = ip.subarray(16, 20).join(".");
    if (!this.local.has(target)) return 0;
    const tcp = ip.subarray(20, totalBytes);
    const found = this.connections.get(`${TCP}:${ip.subarray(12, 16).join(".")}:${tcp.readUInt16BE(0)}:${target}:${tcp.readUInt16BE(2)}`);
    if (!found || !found.server.available || (ip[8] ?? 0) <= 1 || totalBytes > MTU_BYTES) return 0;
    this.advance(found, tcp[13] ?? 0, totalBytes, nowMs);
    this.rewrite(ip, tcp, found.server);
    found.server.macs.copy(frame, 0);
    return 14 + totalBytes;
  }

  private advance(found: Connection, flags: number, bytes: number, nowMs: number): void {
    found.state = NEXT[[RESET, SYN, FIN, ACK].find((flag) => flags & flag) ?? ACK] ?? found.state;
    found.lastMs = nowMs;
    found.timeoutMs = TIMEOUT_MS;
    found.packets++;
    for (const counter of [found.server.counter, this.service, this.total]) {
      counter.packets++;
      counter.bytes += bytes;
    }
  }

  private rewrite(ip: Buffer, tcp: Buffer, server: Server): void {
    // The pseudo-header's address changes the segment's sum too.
    replace(ip, 16, server.address.readUInt16BE(0), [ip, 10], [tcp, 16]);
    replace(ip, 18, server.address.readUInt16BE(2), [ip, 10], [tcp, 16]);
    replace(ip, 8, ip.readUInt16BE(8) - 256, [ip, 10]);
    replace(tcp, 2, SERVER_PORT, [tcp, 16]);
  }
}
