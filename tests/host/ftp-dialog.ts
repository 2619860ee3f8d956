// A client and a server of FTP talking through an engine, and a look at the engine's tables.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import {
  BUCKET_BYTES, CONNECTION_BYTES, CONNECTION_CLIENT_PORT, CONNECTION_STATE, CONNECTION_VIRTUAL_PORT,
  CONTROL_BASE, CONTROL_BUCKET_BITS, CONTROL_TABLE_BASE, SLOT_HEADROOM, STATE_AWAITED, STATE_FRESH, STATE_USED,
  WORKERS_BASE, WORKER_STATE,
} from "../../assembly/abi/layout.js";
import { ConnectionFlag, Operation } from "../../assembly/abi/enums.js";
import { ConnectionRecord } from "../../host/engine/connection.js";
import { Engine } from "../../host/engine/engine.js";
import { addService, setServer } from "../../host/engine/requests.js";
import type { ForwardName, ServiceSpec } from "../../host/protocol.js";
import { applyRecordedNetwork, IN, OUT } from "../oracle/recording.js";
import { ACK, buildSegment, PSH, readSegment, type Seen, SYN } from "./segments.js";

const module = await WebAssembly.compile(readFileSync(new URL("../../engine.wasm", import.meta.url)));
const MACS: Record<number, string> = { [OUT]: "02:00:00:00:01:01", [IN]: "02:00:00:00:02:01" };

export interface Sides { client: string; virtual: string; server: string }
export const FOUR: Sides = { client: "10.0.1.50", virtual: "10.0.1.100", server: "10.0.2.11" };
export const SIX: Sides = { client: "fd00:1:0:0:0:0:0:50", virtual: "fd00:1:0:0:0:0:0:100", server: "fd00:2:0:0:0:0:0:11" };
/** One record of the connection table that is in use. */
export interface Entry { clientPort: number; virtualPort: number; state: number; children: number; awaited: boolean }

export interface Speech { target?: string; text?: string; seq: number; ack: number; flags?: number; options?: number[]; port?: number; farPort?: number }

/** An FTP service with one server, and everything that is said through it. */
export class Dialog {
  nowMs = 1000;

  private constructor(readonly engine: Engine, readonly sides: Sides) {}

  static async open(sides = FOUR, forward: ForwardName = "masq", port = 21): Promise<Dialog> {
    const engine = await Engine.create({ module, arenaBytes: 65536, bucketBits: 8 });
    await applyRecordedNetwork(engine);
    const family = sides === FOUR ? 4 : 6;
    const key: ServiceSpec = {
      protocol: "tcp", family, address: sides.virtual, port, fwmark: 0, scheduler: "rr", schedulerFlags: 0, persistent: false,
      timeoutSeconds: 0, netmask: family === 4 ? "255.255.255.255" : "128", persistenceEngine: "", onePacket: false,
    };
    assert.ok(addService(engine, key) > 0);
    assert.ok(setServer(engine, Operation.ServerAdd, key, {
      family, address: sides.server, port, forward, weight: 1, upperThreshold: 0, lowerThreshold: 0, tunnel: "ipip",
      tunnelPort: 0, tunnelFlags: 0,
    }) > 0);
    return new Dialog(engine, sides);
  }

  /** Puts a frame in; everything that comes out, which must be intact. */
  send(side: number, frame: Buffer): Seen[] {
    const at = this.engine.arenaBase + SLOT_HEADROOM;
    this.engine.bytes.set(frame, at);
    this.engine.enter(0, at, frame.length, side);
    const count = this.engine.receive(1, ++this.nowMs);
    return Array.from({ length: count }, (_, i) => {
      const sent = this.engine.sent(i);
      assert.equal(sent.port, side === OUT ? IN : OUT, "out of the other side");
      return readSegment(this.engine.bytes.slice(sent.frame, sent.frame + sent.bytes));
    });
  }

  clientFrame(speech: Speech): Buffer {
    return buildSegment({
      macTo: MACS[OUT] ?? "", source: this.sides.client, sourcePort: speech.port ?? 40000, target: this.sides.virtual,
      targetPort: speech.farPort ?? 21, flags: speech.flags ?? ACK | PSH, ...speech,
    });
  }

  serverFrame(speech: Speech): Buffer {
    return buildSegment({
      macTo: MACS[IN] ?? "", source: this.sides.server, sourcePort: speech.port ?? 21, target: this.sides.client,
      targetPort: speech.farPort ?? 40000, flags: speech.flags ?? ACK | PSH, ...speech,
    });
  }

  /** The client says something; what the server hears. */
  client(speech: Speech): Seen {
    return only(this.send(OUT, this.clientFrame(speech)));
  }

  /** The server says something; what the client hears. */
  server(speech: Speech): Seen {
    return only(this.send(IN, this.serverFrame(speech)));
  }

  /** The command connection's handshake: the client's bytes begin at 1001, the server's at 5001. */
  login(farPort = 21): void {
    this.client({ seq: 1000, ack: 0, flags: SYN, farPort });
    this.server({ seq: 5000, ack: 1001, flags: SYN | ACK, port: farPort });
    this.client({ seq: 1001, ack: 5001, flags: ACK, farPort });
  }

  private word(offset: number): number {
    return this.engine.view.getUint32(WORKERS_BASE + WORKER_STATE + offset, true);
  }

  get used(): number {
    return this.word(STATE_USED);
  }

  get awaited(): number {
    return this.word(STATE_AWAITED);
  }

  /** The connection table's records in use, in the order they were taken. */
  entries(): Entry[] {
    const { view } = this.engine;
    const bits = view.getUint32(CONTROL_BASE + CONTROL_BUCKET_BITS, true);
    const base = view.getUint32(CONTROL_BASE + CONTROL_TABLE_BASE, true) + BUCKET_BYTES * 2 ** bits;
    const found: Entry[] = [];
    for (let index = 1; index < this.word(STATE_FRESH); index++) {
      const at = base + index * CONNECTION_BYTES;
      const record = new ConnectionRecord(view, at);
      if (!record.has(ConnectionFlag.Hashed)) continue;
      found.push({
        clientPort: view.getUint16(at + CONNECTION_CLIENT_PORT), virtualPort: view.getUint16(at + CONNECTION_VIRTUAL_PORT),
        state: view.getUint8(at + CONNECTION_STATE), children: record.children,
        awaited: record.has(ConnectionFlag.NoClientPort),
      });
    }
    return found;
  }

  /** Lets time pass, a tick every 100 ms of it. */
  pass(seconds: number): void {
    for (let i = 0; i < seconds * 10; i++) this.engine.tick((this.nowMs += 100));
  }
}

function only(seen: Seen[]): Seen {
  assert.equal(seen.length, 1, "one frame comes out");
  const [first] = seen;
  assert.ok(first?.intact, "lengths and checksums are right");
  return first;
}
