// Whether bulk comes in by a port: long TCP segments, whose sender or card would join forty of them into one frame,
// if only somebody takes them whole. A packet socket does, AF_XDP does not; for all that is small AF_XDP costs half.
//
// It does not matter by which of the two a frame has come: what is counted are segments as on the wire.

import type { SentFrame } from "../engine/engine.js";
import type { FrameLists } from "./driver.js";

const WINDOW_MS = 20;
/** Long segments of a window that are bulk: 120 Mbit/s. Less is not worth a change. */
const BULK_SEGMENTS = 200;
/** So long there must have been no bulk until the port is thought to be without; twice as long each time it comes again soon. */
const CALM_MS = 1000;
const CALM_MS_MAX = 64_000;
const SOON_MS = 5000;

const PROTOCOL4_AT = 14 + 9;
const PROTOCOL6_AT = 14 + 6;
const VERSION_AT = 14;
const TCP = 6;

export class BulkWatch {
  /** What was found last. */
  isBulk = false;
  private segments = 0;
  private bulkSegments = 0;
  private windowMs = 0;
  private seenMs = 0;
  private endedMs = -Infinity;
  private calmMs = CALM_MS;

  constructor(private readonly mtu: number) {}

  note(memory: Uint8Array, frame: number, bytes: number): void {
    if (bytes * 4 < this.mtu * 3) {
      this.segments++;
      return;
    }
    const segments = Math.ceil(bytes / (this.mtu + VERSION_AT));
    this.segments += segments;
    const protocolAt = ((memory[frame + VERSION_AT] ?? 0) >>> 4) === 4 ? PROTOCOL4_AT : PROTOCOL6_AT;
    if (memory[frame + protocolAt] === TCP) this.bulkSegments += segments;
  }

  /** Looks at a window that is over; true when what was found has changed. */
  hasChanged(nowMs: number): boolean {
    if (nowMs - this.windowMs < WINDOW_MS) return false;
    const { isBulk } = this;
    const isBulkWindow = this.bulkSegments >= BULK_SEGMENTS && this.bulkSegments * 2 >= this.segments;
    this.windowMs = nowMs;
    this.segments = this.bulkSegments = 0;
    if (isBulkWindow) this.begin(nowMs);
    else if (isBulk && nowMs - this.seenMs >= this.calmMs) this.end(nowMs);
    return this.isBulk !== isBulk;
  }

  private begin(nowMs: number): void {
    this.seenMs = nowMs;
    if (this.isBulk) return;
    this.isBulk = true;
    this.calmMs = nowMs - this.endedMs < SOON_MS ? Math.min(this.calmMs * 2, CALM_MS_MAX) : CALM_MS;
  }

  private end(nowMs: number): void {
    this.isBulk = false;
    this.endedMs = nowMs;
  }
}

/** An engine's lists, and somebody who looks at what is entered. */
export class WatchedLists implements FrameLists {
  readonly arenaBase: number;
  readonly bytes: Uint8Array;

  /** Watches by port. */
  constructor(private readonly lists: FrameLists, private readonly watches: readonly (BulkWatch | undefined)[]) {
    this.arenaBase = lists.arenaBase;
    this.bytes = lists.bytes;
  }

  enter(index: number, frame: number, bytes: number, port: number, flags: number): void {
    this.watches[port]?.note(this.bytes, frame, bytes);
    this.lists.enter(index, frame, bytes, port, flags);
  }

  sent(index: number): SentFrame {
    return this.lists.sent(index);
  }
}
