// The data plane's loop, in a thread of its own: read, receive, write, tick; requests between batches.

import { parentPort, receiveMessageOnPort, workerData } from "node:worker_threads";
import { BATCH_MAX } from "../../assembly/abi/limits.js";
import { SLOT_HEADROOM } from "../../assembly/abi/layout.js";
import { FrameFlag } from "../../assembly/abi/enums.js";
import { Engine } from "../engine/engine.js";
import type { Driver } from "../io/driver.js";
import { addressOf, poll, POLL_IN, read } from "../io/sys/libc.js";
import { TapDriver } from "../io/tap.js";
import { SLOT_BYTES } from "./slots.js";
import { monotonicMs, WORD_PENDING, WORD_REFUSED, WORD_STOP, WORD_TURNS, type PumpReport, type PumpRequest, type PumpStart } from "./words.js";

/** Longest wait: a stop or a timer is never later than this. */
const WAIT_MS = 50;
const TICK_MS = 20;
/** Frames of one port in one batch, so that no port waits for another's flood. */
const SHARE_FRAMES = 64;
const POLL_RECORD_BYTES = 8;

class Pump {
  private readonly words: Int32Array;
  private readonly drivers: { port: number; driver: Driver }[];
  private readonly driverOf: (Driver | undefined)[] = [];
  private readonly memoryAddress: number;
  private readonly waits: Buffer;
  private readonly waitsAddress: number;
  private readonly drained = Buffer.alloc(8);
  private tickedMs = monotonicMs();

  constructor(private readonly engine: Engine, private readonly start: PumpStart) {
    this.words = new Int32Array(start.words);
    this.drivers = start.ports.map((port) => ({ port: port.index, driver: new TapDriver(port.descriptor, port.name) }));
    for (const { port, driver } of this.drivers) this.driverOf[port] = driver;
    this.memoryAddress = addressOf(engine.bytes);
    this.waits = this.pollRecords();
    this.waitsAddress = addressOf(this.waits);
  }

  private pollRecords(): Buffer {
    const descriptors = [this.start.wake, ...this.drivers.map((one) => one.driver.descriptor)];
    const records = Buffer.alloc(descriptors.length * POLL_RECORD_BYTES);
    descriptors.forEach((descriptor, index) => {
      records.writeInt32LE(descriptor, index * POLL_RECORD_BYTES);
      records.writeInt16LE(POLL_IN, index * POLL_RECORD_BYTES + 4);
    });
    return records;
  }

  run(): void {
    while (Atomics.load(this.words, WORD_STOP) === 0) {
      Atomics.add(this.words, WORD_TURNS, 1);
      const nowMs = monotonicMs();
      const count = this.fill();
      if (count > 0) this.transmit(this.engine.receive(count, nowMs));
      if (((nowMs - this.tickedMs) >>> 0) >= TICK_MS) {
        this.tickedMs = nowMs;
        this.transmit(this.engine.tick(nowMs));
      }
      if (Atomics.load(this.words, WORD_PENDING) !== 0) this.takeRequests();
      if (count === 0) this.wait();
    }
  }

  /** Frames of all ports into the receive list, straight into their slots. */
  private fill(): number {
    let count = 0;
    for (const { port, driver } of this.drivers) {
      for (let share = 0; share < SHARE_FRAMES && count < this.start.slots && count < BATCH_MAX; share++) {
        const frame = this.engine.arenaBase + count * SLOT_BYTES + SLOT_HEADROOM;
        const room = SLOT_BYTES - SLOT_HEADROOM;
        const bytes = driver.receive(this.memoryAddress + frame - driver.headerBytes, room + driver.headerBytes);
        if (bytes === 0) break;
        this.engine.enter(count++, frame, bytes - driver.headerBytes, port, driver.headerBytes === 0 ? FrameFlag.None : FrameFlag.Vnet);
      }
    }
    return count;
  }

  /** Everything the engine wants sent. It must be out before the engine is called again. */
  private transmit(count: number): void {
    for (let index = 0; index < count; index++) {
      const { port, frame, bytes, flags } = this.engine.sent(index);
      const driver = this.driverOf[port];
      if (!driver) continue;
      const header = driver.headerBytes;
      if (header !== 0 && (flags & FrameFlag.Vnet) === 0) this.engine.bytes.fill(0, frame - header, frame);
      if (!driver.send(this.memoryAddress + frame - header, bytes + header)) Atomics.add(this.words, WORD_REFUSED, 1);
    }
  }

  private takeRequests(): void {
    for (;;) {
      const message = receiveMessageOnPort(parentPort as NonNullable<typeof parentPort>) as { message: PumpRequest } | undefined;
      if (!message) return;
      Atomics.sub(this.words, WORD_PENDING, 1);
      const { id, operation, record } = message.message;
      const code = this.engine.perform({ operation, record });
      this.transmit(this.engine.sentCount);
      report({ kind: "done", id, code });
    }
  }

  private wait(): void {
    poll(this.waitsAddress, this.drivers.length + 1, WAIT_MS);
    if (this.waits.readInt16LE(6) & POLL_IN) read(this.start.wake, addressOf(this.drained), this.drained.length);
  }
}

function report(message: PumpReport): void {
  parentPort?.postMessage(message);
}

const start = workerData as PumpStart;
try {
  const engine = await Engine.attach(start.module, start.memory, start.worker);
  report({ kind: "ready" });
  new Pump(engine, start).run();
} catch (error) {
  report({ kind: "trap", stack: error instanceof Error ? error.stack ?? error.message : String(error) });
}
