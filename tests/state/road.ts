// One SCTP association through the engine, step by step, and the packets it is made of.

import { readFileSync } from "node:fs";
import { Operation } from "../../assembly/abi/enums.js";
import { SERVERS_BASE, SERVER_ACTIVE, SERVER_BYTES, SERVER_INACTIVE, SLOT_HEADROOM } from "../../assembly/abi/layout.js";
import { parseAddress } from "../../host/engine/address.js";
import { Engine } from "../../host/engine/engine.js";
import { Records } from "../../host/engine/records.js";
import { addService, setServer } from "../../host/engine/requests.js";
import type { ForwardName, ServiceSpec } from "../../host/protocol.js";
import { applyRecordedNetwork, IN, OUT } from "../oracle/recording.js";

export const module = await WebAssembly.compile(readFileSync(new URL("../../engine.wasm", import.meta.url)));

// Chunk types (RFC 9260 section 3.2).
export const DATA = 0, INIT = 1, INIT_ACK = 2, HEARTBEAT = 4, ABORT = 6, SHUTDOWN = 7, SHUTDOWN_ACK = 8, ERROR = 9;
export const COOKIE_ECHO = 10, COOKIE_ACK = 11, SHUTDOWN_COMPLETE = 14, UNKNOWN = 0xc1;

/** Hands the engine one frame. */
function receive(engine: Engine, port: number, bytes: Uint8Array, nowMs: number): number {
  const frame = engine.arenaBase + SLOT_HEADROOM;
  engine.bytes.set(bytes, frame);
  engine.enter(0, frame, bytes.length, port);
  return engine.receive(1, nowMs);
}

interface Chunk { type: number; bytes?: number }

/** An SCTP packet between client 10.0.1.50:40000 and the other side. */
export function packet(fromClient: boolean, chunks: Chunk[], serverAddress: string): Uint8Array {
  const body = chunks.flatMap(({ type, bytes = 8 }) => [type, 0, bytes >> 8, bytes & 255, ...Array<number>(Math.max(0, ((bytes + 3) & ~3) - 4)).fill(1)]);
  const frame = Buffer.alloc(14 + 20 + 12 + body.length);
  frame.set(fromClient ? [2, 0, 0, 0, 1, 1, 2, 0, 0, 0, 1, 0xc1, 8, 0] : [2, 0, 0, 0, 2, 1, 2, 0, 0, 0, 2, 0x0b, 8, 0]);
  frame.set([0x45, 0, 0, 32 + body.length, 0, 1, 0x40, 0, 64, 132], 14);
  const word = (text: string): Uint8Array => parseAddress(text)?.bytes.slice(12) ?? new Uint8Array(4);
  frame.set(word(fromClient ? "10.0.1.50" : serverAddress), 26);
  frame.set(word(fromClient ? "10.0.1.100" : "10.0.1.50"), 30);
  let sum = 0;
  for (let at = 14; at < 34; at += 2) sum += frame.readUInt16BE(at);
  frame.writeUInt16BE(~((sum & 0xffff) + (sum >> 16)) & 0xffff, 24);
  frame.writeUInt16BE(fromClient ? 40000 : 8080, 34);
  frame.writeUInt16BE(fromClient ? 80 : 40000, 36);
  frame.set(body, 46);
  return frame;
}

const SERVICE: ServiceSpec = {
  protocol: "sctp", family: 4, address: "10.0.1.100", port: 80, fwmark: 0, scheduler: "rr", schedulerFlags: 0,
  persistent: false, timeoutSeconds: 0, netmask: "255.255.255.255", persistenceEngine: "", onePacket: false,
};

/** One association, step by step. */
export class Road {
  private nowMs = 1000;
  private constructor(readonly engine: Engine) {}

  static async begin(forward: ForwardName = "masq"): Promise<Road> {
    const engine = await Engine.create({ module, arenaBytes: 65536 });
    await applyRecordedNetwork(engine);
    addService(engine, SERVICE);
    for (const n of [1, 2]) {
      setServer(engine, Operation.ServerAdd, SERVICE, {
        family: 4, address: `10.0.2.${10 + n}`, port: forward === "masq" ? 8080 : 80, forward, weight: 1,
        upperThreshold: 0, lowerThreshold: 0, tunnel: "ipip", tunnelPort: 0, tunnelFlags: 0,
      });
    }
    return new Road(engine);
  }

  /** The connection. One that it took the place of is listed at 00:00 until the next tick, as the kernel's. */
  private get row(): { state: string; expiresSeconds: number; serverAddress: string } | undefined {
    return new Records(this.engine.memory).connections().find((one) => one.expiresSeconds > 0);
  }

  get server(): string {
    return this.row?.serverAddress ?? "";
  }

  /** A packet of the client's; answers the state and its timeout. */
  client(...chunks: (number | Chunk)[]): string {
    return this.step(true, chunks);
  }

  reply(...chunks: (number | Chunk)[]): string {
    return this.step(false, chunks);
  }

  raw(bytes: Uint8Array): string {
    this.nowMs += 10;
    this.engine.tick(this.nowMs);
    receive(this.engine, OUT, bytes, this.nowMs);
    return this.said;
  }

  private get said(): string {
    return this.row ? `${this.row.state} ${this.row.expiresSeconds}` : "none";
  }

  private step(fromClient: boolean, chunks: (number | Chunk)[]): string {
    const whole = chunks.map((chunk) => (typeof chunk === "number" ? { type: chunk } : chunk));
    this.nowMs += 10;
    this.engine.tick(this.nowMs);
    receive(this.engine, fromClient ? OUT : IN, packet(fromClient, whole, this.server || "10.0.2.12"), this.nowMs);
    return this.said;
  }

  /** Active and inactive connections of the server met first. */
  counts(): number[] {
    const record = SERVERS_BASE + 2 * SERVER_BYTES;
    return [SERVER_ACTIVE, SERVER_INACTIVE].map((offset) => this.engine.view.getUint32(record + offset, true));
  }

  establish(): void {
    this.client(INIT);
    this.reply(INIT_ACK);
    this.client(COOKIE_ECHO);
    this.reply(COOKIE_ACK);
  }
}
