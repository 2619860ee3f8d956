// Connections that begin and end, and what cannot begin any more because the table is full.

import { DropReason } from "../../assembly/abi/enums.js";
import { BATCH_MAX } from "../../assembly/abi/limits.js";
import type { Contestant } from "../lib/interleave.js";
import { Random } from "../lib/random.js";
import { median } from "../lib/statistics.js";
import { Stopwatch } from "../lib/stopwatch.js";
import { Batch } from "./batch.js";
import { clientTemplate, replyTemplates } from "./established.js";
import { natIn } from "./expected.js";
import { RST, SYN } from "./frames.js";
import type { Template } from "./template.js";
import { INSIDE, OUTSIDE, type World } from "./world.js";

/** Connections of one round, beside those that exist. */
export const OPENED = 16384;
/** A connection rests so long after its SYN. */
const SYN_MS = 60_000;
const SWEEP_MS = 1000;
const DECOYS = 1 << 20;

/** Sends SYNs of one flow after the other, a batch at a time. */
class Opener {
  readonly stopwatch = new Stopwatch();
  private readonly batch: Batch;
  private readonly template;
  private readonly refusals;

  constructor(private readonly world: World, private readonly batchFrames: number) {
    this.batch = new Batch(world);
    this.template = clientTemplate(world, SYN);
    this.refusals = replyTemplates(world, RST);
  }

  /** Opens a batch of flows, beginning with `first`; answers the milliseconds. What comes out is compared if `whole`, or summed. */
  open(first: number, whole: boolean): number {
    const { batch, batchFrames, world, template } = this;
    for (let index = 0; index < batchFrames; index++) batch.write(index, first + index, template);
    batch.list(batchFrames, template.bytes, OUTSIDE);
    let sent = 0;
    const time = this.stopwatch.time(() => (sent = world.engine.receive(batchFrames, world.nowMs)));
    if (whole) {
      batch.verify(batchFrames, sent, INSIDE, (flow, index) => natIn(world, flow, world.serverOf(world.engine.sent(index).frame), 0, SYN));
    } else batch.check(batchFrames, sent);
    return time;
  }

  /** Of the batch just opened, beginning with `first`, the servers refuse those that are `chosen`. */
  refuse(first: number, chosen: () => boolean): void {
    const { batch, batchFrames, refusals, template, world } = this;
    const servers = Array.from({ length: batchFrames }, (_, index) => world.serverOf(world.engine.sent(index).frame));
    let count = 0;
    for (const [index, server] of servers.entries()) if (chosen()) batch.write(count++, first + index, refusals[server] as Template);
    batch.list(count, template.bytes, INSIDE);
    const sent = world.engine.receive(count, world.nowMs);
    batch.check(count, sent);
  }
}

/** Opens connections beside those that exist, lets them expire; either is what `timed` says. */
export class OpenPath implements Contestant {
  private readonly opener: Opener;
  private readonly ends = new Stopwatch();

  constructor(readonly name: string, private readonly world: World, private readonly existing: number, private readonly batchFrames: number,
    private readonly timed: "open" | "expire") {
    this.opener = new Opener(world, batchFrames);
  }

  round(): number {
    const { world, opener, existing, batchFrames } = this;
    const times: number[] = [];
    for (let done = 0; done < OPENED; done += batchFrames) times.push(opener.open(existing + done, done === 0));
    world.nowMs += SYN_MS;
    const expiryMs = this.ends.time(() => {
      // One tick when there is time for all of them, more when the engine spreads the work.
      for (let tick = 0; tick < SWEEP_MS && (tick === 0 || world.used !== existing); tick++) world.engine.tick((world.nowMs += SWEEP_MS));
    });
    if (world.used !== existing) throw new Error(`${world.used} connections are left instead of ${existing}`);
    return this.timed === "open" ? (median(times) * 1e6) / batchFrames : (expiryMs * 1e6) / OPENED;
  }

  begin(): void {
    this.opener.stopwatch.reset();
    this.ends.reset();
  }

  undisturbedNs(): number {
    if (this.timed === "open") return (this.opener.stopwatch.undisturbedMs() * 1e6) / this.batchFrames;
    return (this.ends.undisturbedMs() * 1e6) / OPENED;
  }
}

const TICK_MS = 100;
/** Batches in the time of a tick. */
const BATCHES_A_TICK = 6;
/** The sweep comes by every word once. */
const TICKS_A_SECOND = SWEEP_MS / TICK_MS;
const SECONDS_A_ROUND = 3;
const CONNECTIONS_A_SECOND = TICKS_A_SECOND * BATCHES_A_TICK * BATCH_MAX;
const LIFE_SECONDS = SYN_MS / SWEEP_MS;

/**
 * A table in which every connection is a SYN that rests for its minute: as many begin as end, a tick every 100 ms.
 * With these numbers 921,600 live at a time. Nanoseconds for a connection's begin and end, ticks included.
 *
 * Before that, for two minutes, half of the clients are refused and their connections end after ten seconds: records
 * that become free together do not lie side by side any more, as in a table that has been used.
 */
export class TurnoverPath implements Contestant {
  static readonly connections = (LIFE_SECONDS + 2) * CONNECTIONS_A_SECOND;
  private readonly opener: Opener;
  private readonly ticks = new Stopwatch();
  private readonly random = new Random(0x2345678);
  private next = 0;

  constructor(readonly name: string, private readonly world: World) {
    this.opener = new Opener(world, BATCH_MAX);
    for (let second = 0; second < 2 * LIFE_SECONDS; second++) this.second(true);
    for (let second = 0; second < LIFE_SECONDS + 2; second++) this.second();
  }

  round(): number {
    const times = Array.from({ length: SECONDS_A_ROUND }, () => this.second());
    return (median(times) * 1e6) / CONNECTIONS_A_SECOND;
  }

  begin(): void {
    this.opener.stopwatch.reset();
    this.ticks.reset();
  }

  undisturbedNs(): number {
    const tickMs = this.opener.stopwatch.undisturbedMs() * BATCHES_A_TICK + this.ticks.undisturbedMs();
    return (tickMs * TICKS_A_SECOND * 1e6) / CONNECTIONS_A_SECOND;
  }

  private second(mixing = false): number {
    const { world, opener } = this;
    let time = 0;
    for (let tick = 0; tick < TICKS_A_SECOND; tick++) {
      for (let batch = 0; batch < BATCHES_A_TICK; batch++, this.next += BATCH_MAX) {
        time += opener.open(this.next, tick === 0 && batch === 0);
        if (mixing) opener.refuse(this.next, () => this.random.below(2) === 0);
      }
      world.nowMs += TICK_MS;
      time += this.ticks.time(() => world.engine.tick(world.nowMs));
    }
    return time;
  }
}

/** SYNs of clients nobody knows while every place of the table is taken: each is counted and dropped. */
export class FloodPath implements Contestant {
  private readonly batch: Batch;
  private readonly stopwatch = new Stopwatch();
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
      times.push(this.stopwatch.time(() => (sent += world.engine.receive(batchFrames, world.nowMs))));
    }
    const dropped = world.drops(DropReason.ConnectionTableFull) - before;
    if (sent !== 0 || dropped !== this.batches * batchFrames) throw new Error(`a full table sent ${sent} frames and refused ${dropped}`);
    return (median(times) * 1e6) / batchFrames;
  }

  begin(): void {
    this.stopwatch.reset();
  }

  undisturbedNs(): number {
    return (this.stopwatch.undisturbedMs() * 1e6) / this.batchFrames;
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
