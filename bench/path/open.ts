// Connections that begin and end, and what cannot begin any more because the table is full.

import { performance } from "node:perf_hooks";
import { DropReason } from "../../assembly/abi/enums.js";
import { BATCH_MAX } from "../../assembly/abi/limits.js";
import type { Contestant } from "../lib/interleave.js";
import { Random } from "../lib/random.js";
import { median } from "../lib/statistics.js";
import { Batch } from "./batch.js";
import { clientTemplate } from "./established.js";
import { natIn } from "./expected.js";
import { SYN } from "./frames.js";
import { INSIDE, OUTSIDE, type World } from "./world.js";

/** Connections of one round, beside those that exist. */
export const OPENED = 16384;
/** A connection rests so long after its SYN. */
const SYN_MS = 60_000;
const SWEEP_MS = 1000;
const DECOYS = 1 << 20;

/** Sends SYNs of one flow after the other, a batch at a time. */
class Opener {
  private readonly batch: Batch;
  private readonly template;

  constructor(private readonly world: World, private readonly batchFrames: number) {
    this.batch = new Batch(world);
    this.template = clientTemplate(world, SYN);
  }

  /** Opens a batch of flows, beginning with `first`; answers the milliseconds. What comes out is looked at, or counted. */
  open(first: number, check: boolean): number {
    const { batch, batchFrames, world, template } = this;
    for (let index = 0; index < batchFrames; index++) batch.write(index, first + index, template);
    batch.list(batchFrames, template.bytes, OUTSIDE);
    const begin = performance.now();
    const sent = world.engine.receive(batchFrames, world.nowMs);
    const time = performance.now() - begin;
    if (check || sent !== batchFrames) {
      batch.verify(batchFrames, sent, INSIDE, (flow, index) => natIn(world, flow, world.serverOf(world.engine.sent(index).frame), 0, SYN));
    }
    return time;
  }
}

/** Opens connections beside those that exist, lets them expire; either is what `timed` says. */
export class OpenPath implements Contestant {
  private readonly opener: Opener;

  constructor(readonly name: string, private readonly world: World, private readonly existing: number, private readonly batchFrames: number,
    private readonly timed: "open" | "expire") {
    this.opener = new Opener(world, batchFrames);
  }

  round(): number {
    const { world, opener, existing, batchFrames } = this;
    const times: number[] = [];
    for (let done = 0; done < OPENED; done += batchFrames) times.push(opener.open(existing + done, done === 0));
    world.nowMs += SYN_MS;
    const begin = performance.now();
    // One tick when there is time for all of them, more when the engine spreads the work.
    for (let tick = 0; tick < SWEEP_MS && (tick === 0 || world.used !== existing); tick++) world.engine.tick((world.nowMs += SWEEP_MS));
    const expiryMs = performance.now() - begin;
    if (world.used !== existing) throw new Error(`${world.used} connections are left instead of ${existing}`);
    return this.timed === "open" ? (median(times) * 1e6) / batchFrames : (expiryMs * 1e6) / OPENED;
  }
}

const TICK_MS = 100;
/** Batches in the time of a tick. */
const BATCHES_A_TICK = 6;
const TICKS_A_ROUND = 30;

/**
 * A table in which every connection is a SYN that rests for its minute: as many begin as end, a tick every 100 ms.
 * With these numbers 921,600 live at a time. Nanoseconds for a connection's begin and end, ticks included.
 */
export class TurnoverPath implements Contestant {
  static readonly connections = (SYN_MS / TICK_MS + SWEEP_MS / TICK_MS + 4) * BATCHES_A_TICK * BATCH_MAX;
  private readonly opener: Opener;
  private next = 0;

  constructor(readonly name: string, private readonly world: World) {
    this.opener = new Opener(world, BATCH_MAX);
    for (let tick = 0; tick < SYN_MS / TICK_MS + 2 * (SWEEP_MS / TICK_MS); tick++) this.turn(false);
  }

  round(): number {
    const times = Array.from({ length: TICKS_A_ROUND }, (_, tick) => this.turn(tick === 0));
    return (median(times) * 1e6) / (BATCHES_A_TICK * BATCH_MAX);
  }

  private turn(check: boolean): number {
    const { world, opener } = this;
    let time = 0;
    for (let batch = 0; batch < BATCHES_A_TICK; batch++, this.next += BATCH_MAX) time += opener.open(this.next, check && batch === 0);
    world.nowMs += TICK_MS;
    const begin = performance.now();
    world.engine.tick(world.nowMs);
    return time + performance.now() - begin;
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

/** Fills every place of a table, so that nobody can begin any more. */
export function fill(world: World): void {
  const opener = new Opener(world, 1);
  const whole = new Opener(world, BATCH_MAX);
  let done = 0;
  for (; done + BATCH_MAX <= world.capacity; done += BATCH_MAX) whole.open(done, false);
  for (; done < world.capacity; done++) opener.open(done, false);
}
