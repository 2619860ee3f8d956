// Two workers against one: threads over one memory, each with flows of its own, engine only.

import { once } from "node:events";
import { Worker } from "node:worker_threads";
import type { Report, Timing } from "../lib/report.js";
import type { Settings } from "../lib/settings.js";
import { median } from "../lib/statistics.js";
import { TCP } from "../path/frames.js";
import { World, type WorldPlan } from "../path/world.js";
import type { MemberStart, MemberTask } from "./member.js";

const WORKERS = 2;
const FLOWS = 10_000;

class Crowd {
  private constructor(private readonly threads: readonly Worker[], private readonly meeting: Int32Array) {}

  /** Starts the threads one after the other: each opens its flows alone. */
  static async start(module: WebAssembly.Module): Promise<Crowd> {
    const plan: WorldPlan = { family: 4, protocol: TCP, forward: "masq", connections: FLOWS * WORKERS, workers: WORKERS };
    const { memory } = (await World.create(module, plan)).engine;
    const meeting = new SharedArrayBuffer(4);
    const threads: Worker[] = [];
    for (let worker = 0; worker < WORKERS; worker++) {
      const start: MemberStart = { module, memory, plan, worker, flows: FLOWS, meeting };
      const thread = new Worker(new URL("./member.js", import.meta.url), { workerData: start });
      await once(thread, "message");
      threads.push(thread);
    }
    return new Crowd(threads, new Int32Array(meeting));
  }

  /** Lets the first `count` threads run at the same time; nanoseconds a packet of each. */
  async run(count: number, batches: number): Promise<number[]> {
    Atomics.store(this.meeting, 0, 0);
    const task: MemberTask = { batches, together: count };
    return Promise.all(this.threads.slice(0, count).map(async (thread) => {
      thread.postMessage(task);
      const [nanoseconds] = (await once(thread, "message")) as [number];
      return nanoseconds;
    }));
  }

  async stop(): Promise<void> {
    await Promise.all(this.threads.map((thread) => thread.terminate()));
  }
}

const timing = (values: readonly number[]): Timing => ({ medianNs: median(values), bestNs: Math.min(...values) });

/** One thread, and both at once, in turns. */
export async function benchWorkers(module: WebAssembly.Module, settings: Settings): Promise<Report> {
  settings.progress("workers: two threads over one memory");
  const crowd = await Crowd.start(module);
  const alone: number[] = [];
  const together: number[] = [];
  const gains: number[] = [];
  try {
    await crowd.run(WORKERS, settings.batches);
    for (let round = 0; round < settings.rounds; round++) {
      const [one = 0] = await crowd.run(1, settings.batches);
      const both = await crowd.run(WORKERS, settings.batches);
      alone.push(one);
      together.push(...both);
      gains.push(both.reduce((sum, nanoseconds) => sum + one / nanoseconds, 0));
    }
  } finally {
    await crowd.stop();
  }
  return {
    title: "Two workers against one",
    notes: [
      `NAT in, ${FLOWS} flows for each worker in random order, engine only, in turns: nanoseconds a packet of each thread, median of the rounds [best round].`,
      `Together they did ${median(gains).toFixed(2)} times [best round ${Math.max(...gains).toFixed(2)}] the work of one. Another program on either processor shows here.`,
    ],
    tables: [{ head: ["threads", "each thread"], rows: [["one", timing(alone)], ["two at once", timing(together)]] }],
  };
}
