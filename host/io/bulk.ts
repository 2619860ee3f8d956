// Whether it is bulk that comes in: long TCP segments, which a sender or the kernel joins, forty to a frame. A packet
// socket takes them whole, and an XDP program is only in its way; for all that is small AF_XDP costs half.
//
// It does not matter by which of the two a frame has come: what is counted are segments as on the wire.

import type { SentFrame } from "../engine/engine.js";
import type { FrameLists } from "./driver.js";

const USUAL_MTU = 1500;
const WINDOW_MS = 20;
/** Long segments of a window that are bulk: 120 Mbit/s. Less is not worth a change. */
const BULK_SEGMENTS = 200;
/** So long there must have been no bulk until it is thought to be over. */
const CALM_MS = 1000;

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

  /** A frame has come by a port of this MTU. */
  note(memory: Uint8Array, frame: number, bytes: number, mtu: number): void {
    if (bytes * 4 < mtu * 3) {
      this.segments++;
      return;
    }
    const segments = Math.ceil(bytes / (mtu + VERSION_AT));
    this.segments += segments;
    const protocolAt = ((memory[frame + VERSION_AT] ?? 0) >>> 4) === 4 ? PROTOCOL4_AT : PROTOCOL6_AT;
    if (memory[frame + protocolAt] === TCP) this.bulkSegments += segments;
  }

  /** Looks at a window that is over; true when what was found has changed. */
  hasChanged(nowMs: number): boolean {
    if (nowMs - this.windowMs < WINDOW_MS) return false;
    const { isBulk } = this;
    if (this.bulkSegments >= BULK_SEGMENTS && this.bulkSegments * 2 >= this.segments) this.seenMs = nowMs;
    this.isBulk = this.seenMs > 0 && nowMs - this.seenMs < CALM_MS;
    this.windowMs = nowMs;
    this.segments = this.bulkSegments = 0;
    return this.isBulk !== isBulk;
  }
}

/** An engine's lists, and somebody who looks at what is entered. */
export class WatchedLists implements FrameLists {
  readonly arenaBase: number;
  readonly bytes: Uint8Array;

  /** MTUs by port. */
  constructor(private readonly lists: FrameLists, private readonly watch: BulkWatch, private readonly mtus: readonly number[]) {
    this.arenaBase = lists.arenaBase;
    this.bytes = lists.bytes;
  }

  enter(index: number, frame: number, bytes: number, port: number, flags: number): void {
    this.watch.note(this.bytes, frame, bytes, this.mtus[port] ?? USUAL_MTU);
    this.lists.enter(index, frame, bytes, port, flags);
  }

  sent(index: number): SentFrame {
    return this.lists.sent(index);
  }
}
