// The data plane's loop, in a thread of its own: read, receive, write, tick; requests between batches.

import { parentPort, receiveMessageOnPort, workerData } from "node:worker_threads";
import { Engine } from "../engine/engine.js";
import { chooseDriver, type Chosen } from "../io/choose.js";
import { DriverError, QUIET_WAIT_MS, WAIT_MS, type Driver } from "../io/driver.js";
import {
  monotonicMs, WORD_ERRNOS, WORD_PENDING, WORD_REFUSED, WORD_STOP, WORD_TURNS, type PumpReport, type PumpRequest, type PumpStart,
} from "./words.js";

const TICK_MS = 20;
/** Without a frame for so long, nobody waits for us. */
const QUIET_AFTER_MS = 1000;

class Pump {
  private tickedMs = monotonicMs();
  private heardMs = monotonicMs();

  constructor(private readonly engine: Engine, private readonly driver: Driver, private readonly words: Int32Array) {}

  run(): void {
    while (Atomics.load(this.words, WORD_STOP) === 0) {
      Atomics.add(this.words, WORD_TURNS, 1);
      const nowMs = monotonicMs();
      const count = this.driver.fill();
      if (count > 0) {
        this.heardMs = nowMs;
        this.exchange(() => this.engine.receive(count, nowMs));
      }
      if (((nowMs - this.tickedMs) >>> 0) >= TICK_MS) {
        this.tickedMs = nowMs;
        this.exchange(() => this.engine.tick(nowMs));
      }
      if (Atomics.load(this.words, WORD_PENDING) !== 0) this.takeRequests();
      this.driver.wait(((nowMs - this.heardMs) >>> 0) < QUIET_AFTER_MS ? WAIT_MS : QUIET_WAIT_MS);
    }
  }

  /** Calls the engine, whose own slots are free for it, and sends what it wants sent. */
  private exchange(call: () => number): void {
    this.driver.settle();
    this.driver.flush(call());
  }

  private takeRequests(): void {
    for (;;) {
      const message = receiveMessageOnPort(parentPort as NonNullable<typeof parentPort>) as { message: PumpRequest } | undefined;
      if (!message) return;
      Atomics.sub(this.words, WORD_PENDING, 1);
      const { id, operation, record } = message.message;
      this.exchange(() => {
        const code = this.engine.perform({ operation, record });
        report({ kind: "done", id, code });
        return this.engine.sentCount;
      });
    }
  }
}

function report(message: PumpReport): void {
  parentPort?.postMessage(message);
}

function openDriver(engine: Engine, start: PumpStart, words: Int32Array): Chosen {
  const refused = (port: number, errno: number): void => {
    Atomics.add(words, WORD_REFUSED + port, 1);
    Atomics.store(words, WORD_ERRNOS + port, errno);
  };
  return chooseDriver(start.driver, { engine, devices: start.ports, wake: start.wake, refused });
}

async function main(start: PumpStart): Promise<void> {
  const engine = await Engine.attach(start.module, start.memory, start.worker);
  const words = new Int32Array(start.words);
  const { driver, ports } = openDriver(engine, start, words);
  try {
    report({ kind: "ready", ports });
    new Pump(engine, driver, words).run();
  } finally {
    driver.close();
  }
}

main(workerData as PumpStart).catch((error: unknown) => {
  if (error instanceof DriverError) return report({ kind: "unable", reason: error.message });
  report({ kind: "trap", stack: error instanceof Error ? error.stack ?? error.message : String(error) });
});
