// Two workers against one: threads over one memory, each with flows of its own, engine only.

import { once } from "node:events";
import { Worker } from "node:worker_threads";
import type { Report, Timing } from "../lib/report.js";
import type { Settings } from "../lib/settings.js";
import { median } from "../lib/statistics.js";
import { TCP } from "../path/frames.js";
import { World, type WorldPlan } from "../path/world.js";
import type { MemberStart, MemberTask, MemberTimes } from "./member.js";

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

  /** Lets the first `count` threads run at the same time. */
  async run(count: number, batches: number, isWarm = true): Promise<MemberTimes[]> {
    Atomics.store(this.meeting, 0, 0);
    const task: MemberTask = { batches, together: count, isWarm };
    return Promise.all(this.threads.slice(0, count).map(async (thread) => {
      thread.postMessage(task);
      const [times] = (await once(thread, "message")) as [MemberTimes];
      return times;
    }));
  }

  async stop(): Promise<void> {
    await Promise.all(this.threads.map((thread) => thread.terminate()));
  }
}

/** What a task's threads did by what one does alone. */
const gainOf = (oneNs: number, togetherNs: readonly number[]): number => togetherNs.reduce((sum, ns) => sum + oneNs / ns, 0);
const timing = (values: readonly number[], undisturbedNs: number): Timing => ({ medianNs: median(values), bestNs: Math.min(...values), undisturbedNs });

/** One thread, and both at once, in turns. */
export async function benchWorkers(module: WebAssembly.Module, settings: Settings): Promise<Report> {
  settings.progress("workers: two threads over one memory");
  const crowd = await Crowd.start(module);
  const alone: number[] = [];
  const together: number[] = [];
  const gains: number[] = [];
  /** Of all rounds, of one alone and of both at once. */
  let undisturbed: [number, number[]] = [NaN, []];
  try {
    for (const count of [1, WORKERS]) await crowd.run(count, settings.batches, false);
    for (let round = 0; round < settings.rounds; round++) {
      const [one] = (await crowd.run(1, settings.batches)) as [MemberTimes];
      const both = await crowd.run(WORKERS, settings.batches);
      alone.push(one.ns);
      together.push(...both.map(({ ns }) => ns));
      gains.push(gainOf(one.ns, both.map(({ ns }) => ns)));
      undisturbed = [one.undisturbedNs, both.map(({ undisturbedNs }) => undisturbedNs)];
    }
  } finally {
    await crowd.stop();
  }
  return {
    title: "Two workers against one",
    notes: [
      `NAT in, ${FLOWS} flows for each worker in random order, engine only, in turns: nanoseconds a packet of each thread, median of the rounds [undisturbed].`,
      `Together they did ${median(gains).toFixed(2)} times [undisturbed: ${gainOf(...undisturbed).toFixed(2)} times] the work of one. `
        + "Another program on either processor shows here.",
    ],
    tables: [{ head: ["threads", "each thread"], rows: [["one", timing(alone, undisturbed[0])], ["two at once", timing(together, median(undisturbed[1]))]] }],
  };
}
