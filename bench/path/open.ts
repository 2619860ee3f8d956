// Connections that begin and end, and what cannot begin any more because the table is full.

import { performance } from "node:perf_hooks";
import { DropReason } from "../../assembly/abi/enums.js";
import { BATCH_MAX } from "../../assembly/abi/limits.js";
import type { Contestant } from "../lib/interleave.js";
import { Random } from "../lib/random.js";
import { median } from "../lib/statistics.js";
import { Batch } from "./batch.js";
import { clientTemplate, establish } from "./established.js";
import { natIn } from "./expected.js";
import { SYN } from "./frames.js";
import { INSIDE, OUTSIDE, SERVERS, type World } from "./world.js";

/** Connections of one round, beside those that exist. */
export const OPENED = 16384;
/** Longer than a connection rests after its SYN. */
const PAST_SYN_MS = 61000;
const DECOYS = 1 << 20;

/** Opens connections beside those that exist, lets them expire; either is what `timed` says. */
export class OpenPath implements Contestant {
  private readonly batch: Batch;
  private readonly template;

  constructor(readonly name: string, private readonly world: World, private readonly existing: number, private readonly batchFrames: number,
    private readonly timed: "open" | "expire") {
    this.batch = new Batch(world);
    this.template = clientTemplate(world, SYN);
  }

  round(): number {
    const times: number[] = [];
    for (let first = 0; first < OPENED; first += this.batchFrames) times.push(this.open(this.existing + first));
    const begin = performance.now();
    this.world.nowMs += PAST_SYN_MS;
    this.world.engine.tick(this.world.nowMs);
    const expiryMs = performance.now() - begin;
    if (this.world.used !== this.existing) throw new Error(`${this.world.used} connections are left instead of ${this.existing}`);
    return this.timed === "open" ? (median(times) * 1e6) / this.batchFrames : (expiryMs * 1e6) / OPENED;
  }

  private open(first: number): number {
    const { batch, batchFrames, world, template } = this;
    for (let index = 0; index < batchFrames; index++) batch.write(index, first + index, template);
    batch.list(batchFrames, template.bytes, OUTSIDE);
    const begin = performance.now();
    const sent = world.engine.receive(batchFrames, world.nowMs);
    const time = performance.now() - begin;
    // Round robin: each next connection goes to the next server; which one began is read from the first frame.
    const started = (world.engine.bytes[world.engine.sent(0).frame + 5] ?? 0) & 15;
    const step = ((world.engine.bytes[world.engine.sent(1).frame + 5] ?? 0) - started) & 15;
    batch.verify(batchFrames, sent, INSIDE, (flow) => natIn(world, flow, (started + step * (flow - first)) & (SERVERS - 1), SYN));
    return time;
  }
}

/** SYNs of clients nobody knows while every place of the table is taken: each is counted and dropped. */
export class FloodPath implements Contestant {
  private readonly batch: Batch;
  private readonly template;
  private readonly random = new Random(0x7654321);

  constructor(readonly name: string, private readonly world: World, private readonly batchFrames: number, private readonly batches: number) {
    this.batch = new Batch(world);
    this.template = clientTemplate(world, SYN);
  }

  static fill(world: World): void {
    establish(world, world.capacity);
  }

  round(): number {
    const { world, batch, batchFrames } = this;
    const times: number[] = [];
    const before = world.drops(DropReason.ConnectionTableFull);
    let sent = 0;
    for (let turn = 0; turn < this.batches; turn++) {
      for (let index = 0; index < batchFrames; index++) batch.write(index, world.capacity + this.random.below(DECOYS), this.template);
      batch.list(batchFrames, this.template.bytes, OUTSIDE);
      const begin = performance.now();
      sent += world.engine.receive(batchFrames, world.nowMs);
      times.push(performance.now() - begin);
    }
    const dropped = world.drops(DropReason.ConnectionTableFull) - before;
    if (sent !== 0 || dropped !== this.batches * batchFrames) throw new Error(`a full table sent ${sent} frames and refused ${dropped}`);
    return (median(times) * 1e6) / batchFrames;
  }
}

export const BATCHES: readonly number[] = [64, BATCH_MAX];
