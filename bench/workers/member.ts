// One worker of the bench: a thread with an engine of its own over the memory of all, and flows that are its own.

import { parentPort, workerData } from "node:worker_threads";
import { BATCH_MAX } from "../../assembly/abi/limits.js";
import { Random } from "../lib/random.js";
import { Stopwatch } from "../lib/stopwatch.js";
import { Batch } from "../path/batch.js";
import { clientTemplate, replyTemplates } from "../path/established.js";
import { ACK, SYN } from "../path/frames.js";
import type { Template } from "../path/template.js";
import { INSIDE, OUTSIDE, World, type WorldPlan } from "../path/world.js";

export interface MemberStart {
  module: WebAssembly.Module;
  memory: WebAssembly.Memory;
  plan: WorldPlan;
  worker: number;
  flows: number;
  meeting: SharedArrayBuffer;
}
/** Batches to receive when so many have come, oneself among them; the first word of the meeting counts them. */
export interface MemberTask { batches: number; together: number; isWarm: boolean }
/** Nanoseconds a packet: of this task, and of all like it what nobody disturbed. */
export interface MemberTimes { ns: number; undisturbedNs: number }

const NANOSECONDS = 1e6;

class Member {
  private readonly batch: Batch;
  private readonly own: number[] = [];
  /** By how many were together. */
  private readonly stopwatches = new Map<number, Stopwatch>();
  private readonly opening: Template;
  private readonly going: Template;
  private readonly answers: Template[];

  constructor(private readonly world: World, private readonly start: MemberStart) {
    this.batch = new Batch(world);
    this.opening = clientTemplate(world, SYN);
    this.going = clientTemplate(world, ACK);
    this.answers = replyTemplates(world, SYN | ACK);
  }

  /** Opens flows until it has enough; those of others go to their owner. */
  establish(): void {
    const { engine } = this.world;
    for (let flow = 0; this.own.length < this.start.flows; flow++) {
      // What is another's goes to its ring, or is dropped when that is full: only our own comes out where it lay.
      if (this.send(flow, this.opening, OUTSIDE) === 0 || engine.sent(0).frame !== this.batch.frameAt(0)) continue;
      this.send(flow, this.answers[this.world.serverOf(engine.sent(0).frame)] as Template, INSIDE);
      this.send(flow, this.going, OUTSIDE);
      this.own.push(flow);
    }
  }

  private send(flow: number, template: Template, port: number): number {
    this.batch.write(0, flow, template);
    this.batch.list(1, template.bytes, port);
    return this.world.engine.receive(1, this.world.nowMs);
  }

  private stopwatchFor(together: number): Stopwatch {
    const stopwatch = this.stopwatches.get(together) ?? new Stopwatch();
    this.stopwatches.set(together, stopwatch);
    return stopwatch;
  }

  /** Engine only. */
  run({ batches, together, isWarm }: MemberTask): MemberTimes {
    const { engine, nowMs } = this.world;
    const random = new Random(5 + this.start.worker);
    const stopwatch = this.stopwatchFor(together);
    const meeting = new Int32Array(this.start.meeting);
    Atomics.add(meeting, 0, 1);
    while (Atomics.load(meeting, 0) < together);
    let spentMs = 0;
    for (let count = 0; count < batches; count++) {
      for (let index = 0; index < BATCH_MAX; index++) this.batch.write(index, this.own[random.below(this.own.length)] ?? 0, this.going);
      this.batch.list(BATCH_MAX, this.going.bytes, OUTSIDE);
      let sent = 0;
      spentMs += stopwatch.time(() => (sent = engine.receive(BATCH_MAX, nowMs)));
      // What others handed over while flows were opened may come out with the first.
      this.batch.check(Math.max(sent, BATCH_MAX), sent);
    }
    const undisturbedNs = (stopwatch.undisturbedMs() * NANOSECONDS) / BATCH_MAX;
    if (!isWarm) stopwatch.reset();
    return { ns: (spentMs * NANOSECONDS) / (batches * BATCH_MAX), undisturbedNs };
  }
}

const start = workerData as MemberStart;
const member = new Member(await World.attach(start.module, start.memory, start.plan, start.worker), start);
member.establish();
parentPort?.on("message", (task: MemberTask) => parentPort?.postMessage(member.run(task)));
parentPort?.postMessage(0);
