// One worker of a crowd: a thread with an engine of its own over the memory of all. Frames reach it at random.

import { parentPort, workerData } from "node:worker_threads";
import { SLOT_HEADROOM, STATE_HANDED_IN, STATE_HANDED_OVER, WORKERS_BASE, WORKER_BYTES, WORKER_STATE } from "../../assembly/abi/layout.js";
import { Random } from "../../bench/lib/random.js";
import { Engine } from "../../host/engine/engine.js";
import { ARENA_BYTES, randomArrivals, SLOT_BYTES } from "./site.js";

export interface MemberStart { module: WebAssembly.Module; memory: WebAssembly.Memory; worker: number; seed: number; batches: number; done: SharedArrayBuffer }
export interface MemberReport { arrived: number; sent: number }

const BATCH = 24;
const TICK_BATCHES = 8;
/** Frames on their way between workers that do not fill a ring: a full one is another test's. */
const UNDERWAY_MAX = 300n;

class Member {
  private readonly random: Random;
  private readonly beganMs = performance.now();
  private arrived = 0;
  private sent = 0;

  constructor(private readonly engine: Engine, private readonly start: MemberStart) {
    this.random = new Random(start.seed * 1000 + start.worker + 1);
  }

  run(): MemberReport {
    const done = new Int32Array(this.start.done);
    for (let batch = 0; batch < this.start.batches; batch++) {
      this.receive(this.enter(batch));
      if (batch % TICK_BATCHES === 0) this.sent += this.engine.tick(this.nowMs);
      while (this.underway > UNDERWAY_MAX) this.rest(done);
    }
    Atomics.add(done, 0, 1);
    while (Atomics.load(done, 0) < this.engine.workers || this.engine.hasHanded) this.rest(done);
    return { arrived: this.arrived, sent: this.sent };
  }

  private get nowMs(): number {
    return 1000 + Math.floor(performance.now() - this.beganMs);
  }

  private receive(count: number): void {
    this.sent += this.engine.receive(count, this.nowMs);
  }

  private rest(done: Int32Array): void {
    if (this.engine.hasHanded) this.receive(0);
    else Atomics.wait(done, 1, 0, 1);
  }

  /** Frames given by any worker and taken by none yet. */
  private get underway(): bigint {
    let count = 0n;
    for (let worker = 0; worker < this.engine.workers; worker++) {
      const state = WORKERS_BASE + worker * WORKER_BYTES + WORKER_STATE;
      count += this.engine.view.getBigUint64(state + STATE_HANDED_OVER, true) - this.engine.view.getBigUint64(state + STATE_HANDED_IN, true);
    }
    return count;
  }

  private enter(batch: number): number {
    const { engine, start } = this;
    let count = 0;
    while (count < BATCH) {
      for (const { port, bytes } of randomArrivals(this.random, batch * BATCH + count + start.worker * 20_000)) {
        const frame = engine.arenaBase + count * SLOT_BYTES + SLOT_HEADROOM;
        engine.bytes.set(bytes, frame);
        engine.enter(count++, frame, bytes.length, port);
      }
    }
    this.arrived += count;
    return count;
  }
}

const start = workerData as MemberStart;
const engine = await Engine.attach(start.module, start.memory, start.worker, start.worker * ARENA_BYTES);
parentPort?.postMessage(new Member(engine, start).run());
