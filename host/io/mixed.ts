// NICs by AF_XDP and devices by descriptors in one director: two drivers take turns in the same lists, one sleep waits
// for both. A port may have both ways: frames then leave by the one that they came by.
//
// A flow comes by AF_XDP, or by its descriptor, and may change from the one to the other at any time; but back only when nothing
// of it is left there (shortcut.ts). So its order is kept where AF_XDP's frames go first, in both directions: see fill() and flush().

import { BATCH_MAX, TRANSMIT_MAX } from "../../assembly/abi/limits.js";
import type { AfxdpDriver } from "./afxdp.js";
import type { BulkWatch } from "./bulk.js";
import { WAIT_MS, type Driver, type Place } from "./driver.js";
import { Emptied } from "./emptied.js";
import { Patience } from "./patience.js";
import { Sleep } from "./sleep.js";
import { TapDriver } from "./tap.js";
import type { UringDriver } from "./uring.js";

/** So long after the shortcuts were shut nothing is on its way to AF_XDP any more. */
const LAST_MS = 40;

/** A shortcut that could not be opened is tried again so often. */
const RETRY_MS = 1000;

export class MixedDriver implements Driver {
  private readonly sleeping: Sleep;
  /** By port. */
  private readonly hasDescriptor: boolean[] = [];
  /** Entries of the transmit list that leave by descriptors. */
  private readonly later = new Uint16Array(TRANSMIT_MAX);
  private isIdle = false;
  private readonly patience = new Patience();
  private readonly hasNews: () => boolean;
  private triedMs = 0;
  private readonly emptied: Emptied | undefined;
  /** True while bulk has shut all ways but the descriptors': nothing comes or goes by AF_XDP, and nobody asks it. */
  private isAlone = false;
  private shutMs = Infinity;

  /** `watch` is for ports with both ways. */
  constructor(
    private readonly place: Place, private readonly nics: AfxdpDriver, private readonly others: TapDriver | UringDriver, private readonly watch?: BulkWatch,
  ) {
    for (const { index, descriptor } of place.devices) this.hasDescriptor[index] = descriptor >= 0;
    this.sleeping = new Sleep(place.wake, [...nics.descriptors, ...others.descriptors]);
    this.hasNews = () => nics.hasWork() || (others instanceof TapDriver ? others.hasWork() : others.hasNews);
    this.emptied = watch ? new Emptied((sinceNs) => nics.shortcuts.tellEmptied(sinceNs)) : undefined;
  }

  /** What came by descriptors is collected first, and entered when everything was that AF_XDP had by then. */
  fill(from = 0): number {
    const { nics, others } = this;
    if (this.isAlone) return others.fill(from);
    if (others.waiting === 0) this.collect();
    let count = nics.fill(from, BATCH_MAX - others.waiting);
    if (others.waiting > 0 && nics.isPastMark) count = others.fill(count);
    this.isIdle = count === from;
    return count;
  }

  private collect(): void {
    const { nics, others, emptied } = this;
    emptied?.begin();
    others.collect();
    emptied?.end(others.isEmptied);
    nics.mark();
  }

  flush(count: number): void {
    if (this.isAlone) return this.others.flush(count);
    const { engine } = this.place;
    let laterCount = 0;
    for (let index = 0; index < count; index++) {
      const sent = engine.sent(index);
      if (this.nics.suits(sent) || this.hasDescriptor[sent.port] !== true) this.nics.send(sent);
      else this.later[laterCount++] = index;
    }
    this.nics.dispatch();
    let strangers = 0;
    for (let index = 0; index < laterCount; index++) {
      const sent = engine.sent(this.later[index] ?? 0);
      this.others.send(sent);
      if (this.nics.holds(sent.frame)) strangers++;
    }
    this.others.finish();
    // A chunk that another device sends must have gone before it is given to the next frame.
    if (strangers > 0) this.others.settle();
    this.nics.finish();
  }

  settle(): void {
    this.others.settle();
  }

  wait(longestMs = WAIT_MS): void {
    const nowMs = performance.now();
    this.look(nowMs);
    if (this.isAlone) return this.others.wait(longestMs);
    const { nics, others, patience } = this;
    if (this.isIdle) nics.check();
    else nics.look();
    others.check();
    if (others instanceof TapDriver) {
      if (!this.hasNews()) this.sleeping.sleep(longestMs);
      return;
    }
    if (others.hasWork || others.hasNews) others.exchange();
    if (others.hasWork || nics.hasWork()) return;
    if (patience.look(this.hasNews)) {
      if (others.hasNews) others.exchange();
      return;
    }
    this.sleep(others, longestMs);
    patience.end();
  }

  /** A sleep costs less outside of the ring as long as little comes by it. With bulk nothing else comes. */
  private sleep(ring: UringDriver, longestMs: number): void {
    if (this.watch?.isBulk === true) return ring.sleep(longestMs);
    this.sleeping.sleep(longestMs);
    if (this.sleeping.wasEndedBy(this.nics.descriptors.length)) ring.exchange();
  }

  /** Bulk comes by sockets alone, all else by AF_XDP, where ports have both. */
  private look(nowMs: number): void {
    const { watch, nics } = this;
    if (!watch) return;
    if (watch.hasChanged(nowMs) || nowMs - this.triedMs >= RETRY_MS) {
      this.triedMs = nowMs;
      this.isAlone &&= watch.isBulk;
      if (!watch.isBulk) this.shutMs = Infinity;
      else if (this.shutMs === Infinity) this.shutMs = nowMs;
      if (nics.shortcuts.set(!watch.isBulk)) this.emptied?.opened();
    }
    if (!this.isAlone && nowMs - this.shutMs >= LAST_MS) this.isAlone = this.mayBeAlone && nics.shortcuts.areShut && !nics.hasWork();
  }

  /** Every port has a descriptor. */
  private get mayBeAlone(): boolean {
    return this.place.devices.every(({ descriptor }) => descriptor >= 0);
  }

  close(): void {
    this.others.close();
    this.nics.close();
  }
}
