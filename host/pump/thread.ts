// The data plane's loop, in a thread of its own for each worker: read, receive, write, tick; requests between
// batches, taken by the first worker while the others stay out of the engine.

import { parentPort, receiveMessageOnPort, workerData } from "node:worker_threads";
import { Engine } from "../engine/engine.js";
import { chooseDriver, type Chosen } from "../io/choose.js";
import { DriverError, QUIET_WAIT_MS, WAIT_MS, type Driver } from "../io/driver.js";
import { addressOf, write } from "../io/sys/libc.js";
import { Gate, GateError } from "./gate.js";
import {
  monotonicMs, WORD_ASLEEP, WORD_ERRNOS, WORD_PENDING, WORD_REFUSED, WORD_STOP, WORD_TURNS, type PumpReport, type PumpRequest, type PumpStart,
} from "./words.js";

const TICK_MS = 20;
/** Without a frame for so long, nobody waits for us. */
const QUIET_AFTER_MS = 1000;

class Pump {
  private tickedMs = monotonicMs();
  private heardMs = monotonicMs();
  private readonly gate: Gate;
  private readonly one = Buffer.from([1, 0, 0, 0, 0, 0, 0, 0]);

  constructor(
    private readonly engine: Engine, private readonly driver: Driver, private readonly words: Int32Array, private readonly wakes: readonly number[],
  ) {
    this.gate = new Gate(words, engine.workers);
  }

  run(): void {
    const { engine } = this;
    const takesRequests = engine.worker === 0;
    while (Atomics.load(this.words, WORD_STOP) === 0) {
      if (takesRequests) Atomics.add(this.words, WORD_TURNS, 1);
      const nowMs = monotonicMs();
      const count = this.driver.fill();
      if (count > 0 || engine.hasHanded) {
        this.heardMs = nowMs;
        this.exchange(() => engine.receive(count, nowMs));
      }
      if (((nowMs - this.tickedMs) >>> 0) >= TICK_MS) {
        this.tickedMs = nowMs;
        this.exchange(() => engine.tick(nowMs));
      }
      if (takesRequests && Atomics.load(this.words, WORD_PENDING) !== 0) this.takeRequests();
      this.rest(((nowMs - this.heardMs) >>> 0) < QUIET_AFTER_MS ? WAIT_MS : QUIET_WAIT_MS);
    }
  }

  /** Calls the engine, whose own slots are free for it, and sends what it wants sent. */
  private exchange(call: () => number): void {
    this.driver.settle();
    this.gate.enter(this.engine.worker);
    let count: number;
    try {
      count = call();
    } finally {
      this.gate.leave(this.engine.worker);
    }
    this.driver.flush(count);
    this.wakeOwners(this.engine.handedTo);
  }

  /** Frames were handed to these workers, a bit each: who sleeps is woken. */
  private wakeOwners(workers: number): void {
    for (let worker = 0; workers >>> worker !== 0; worker++) {
      if ((workers >>> worker) & 1 && Atomics.exchange(this.words, WORD_ASLEEP + worker, 0) === 1) this.wake(worker);
    }
  }

  private wake(worker: number): void {
    write(this.wakes[worker] ?? -1, addressOf(this.one), this.one.length);
  }

  /** Sleeps at the devices. Frames handed over before this worker was seen asleep end its sleep at once. */
  private rest(longestMs: number): void {
    const { worker, workers } = this.engine;
    if (workers > 1) {
      Atomics.store(this.words, WORD_ASLEEP + worker, 1);
      if (this.engine.hasHanded) this.wake(worker);
    }
    this.driver.wait(longestMs);
    if (workers > 1) Atomics.store(this.words, WORD_ASLEEP + worker, 0);
  }

  private takeRequests(): void {
    for (;;) {
      const message = receiveMessageOnPort(parentPort as NonNullable<typeof parentPort>) as { message: PumpRequest } | undefined;
      if (!message) return;
      Atomics.sub(this.words, WORD_PENDING, 1);
      this.perform(message.message);
    }
  }

  private perform({ id, operation, record }: PumpRequest): void {
    const { engine, gate } = this;
    this.driver.settle();
    try {
      gate.close(engine.worker);
    } catch (error) {
      if (error instanceof GateError) return report({ kind: "refused", id, reason: error.message });
      throw error;
    }
    try {
      report({ kind: "done", id, code: engine.perform({ operation, record }) });
    } finally {
      gate.open();
    }
    this.driver.flush(engine.sentCount);
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
  const lacks = (port: number, problem: string): void => report({ kind: "lacks", port, problem });
  return chooseDriver(start.driver, { engine, devices: start.ports, wake: start.wakes[start.worker] ?? -1, refused, lacks });
}

async function main(start: PumpStart): Promise<void> {
  const engine = await Engine.attach(start.module, start.memory, start.worker, start.arenaOffset);
  const words = new Int32Array(start.words);
  const { driver, ports } = openDriver(engine, start, words);
  try {
    report({ kind: "ready", ports });
    new Pump(engine, driver, words, start.wakes).run();
  } finally {
    driver.close();
  }
}

main(workerData as PumpStart).catch((error: unknown) => {
  if (error instanceof DriverError) return report({ kind: "unable", reason: error.message });
  report({ kind: "trap", stack: error instanceof Error ? error.stack ?? error.message : String(error) });
});
