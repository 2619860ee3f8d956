// Packets of connections that exist: the road nearly every packet takes.

import type { Contestant } from "../lib/interleave.js";
import { Random } from "../lib/random.js";
import { median } from "../lib/statistics.js";
import { Stopwatch } from "../lib/stopwatch.js";
import { Batch } from "./batch.js";
import type { Expected } from "./expected.js";
import type { Template } from "./template.js";
import { INSIDE, OUTSIDE, type World } from "./world.js";

/** Frames of one size: a template for each server, or one for all. */
export interface Shape {
  payloadBytes: number;
  templates: readonly Template[];
}

export interface HitPlan {
  name: string;
  world: World;
  /** The server of each flow. */
  servers: Uint8Array;
  /** By server, or one for all: of the smallest frames. */
  templates: readonly Template[];
  /** Frames of several sizes instead, taken in turn. */
  mix?: readonly Shape[] | undefined;
  from: typeof OUTSIDE | typeof INSIDE;
  batchFrames: number;
  batches: number;
  expected: Expected;
  /** What does the work instead of the engine: a rival over the same lists. */
  receive?: (count: number, nowMs: number) => number;
}

export class HitPath implements Contestant {
  readonly name: string;
  private readonly batch: Batch;
  private readonly stopwatch = new Stopwatch();
  private readonly random = new Random(0x1234567);
  private readonly receive: (count: number, nowMs: number) => number;

  constructor(private readonly plan: HitPlan) {
    this.name = plan.name;
    this.batch = new Batch(plan.world);
    this.receive = plan.receive ?? ((count, nowMs) => plan.world.engine.receive(count, nowMs));
  }

  round(): number {
    const { batches, batchFrames, world } = this.plan;
    const times: number[] = [];
    for (let turn = 0; turn < batches; turn++) {
      this.fill();
      let sent = 0;
      times.push(this.stopwatch.time(() => (sent = this.receive(batchFrames, world.nowMs))));
      // The first and the last batch of a round are looked at byte by byte, of the others the checksums.
      if (turn === 0 || turn === batches - 1) this.verify(sent);
      else this.batch.check(batchFrames, sent);
    }
    return (median(times) * 1e6) / batchFrames;
  }

  begin(): void {
    this.stopwatch.reset();
  }

  undisturbedNs(): number {
    return (this.stopwatch.undisturbedMs() * 1e6) / this.plan.batchFrames;
  }

  private shapeOf(index: number): Shape | undefined {
    const { mix } = this.plan;
    return mix?.[index % mix.length];
  }

  private verify(sent: number): void {
    const { batchFrames, world, servers, expected, from } = this.plan;
    this.batch.verify(batchFrames, sent, from === OUTSIDE ? INSIDE : OUTSIDE,
      (flow, index) => expected(world, flow, servers[flow] ?? 0, this.shapeOf(index)?.payloadBytes));
  }

  /** Frames of flows in random order. The list is written anew too, as a driver would. */
  private fill(): void {
    const { batchFrames, servers, templates, from } = this.plan;
    for (let index = 0; index < batchFrames; index++) {
      const flow = this.random.below(servers.length);
      const fitting = this.shapeOf(index)?.templates ?? templates;
      const template = (fitting.length === 1 ? fitting[0] : fitting[servers[flow] ?? 0]) as Template;
      this.batch.write(index, flow, template);
      this.batch.enter(index, template.bytes, from);
    }
  }
}
