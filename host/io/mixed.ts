// NICs by AF_XDP and devices by descriptors in one director: two drivers take turns in the same lists, one sleep waits
// for both. A port may have both ways: frames then leave by the one that they came by.

import { BATCH_MAX } from "../../assembly/abi/limits.js";
import type { AfxdpDriver } from "./afxdp.js";
import type { BulkWatch } from "./bulk.js";
import { WAIT_MS, type Driver, type Place } from "./driver.js";
import { Sleep } from "./sleep.js";
import { TapDriver } from "./tap.js";
import type { UringDriver } from "./uring.js";

/** While NICs keep a director busy, whatever else comes is looked at so often. */
const EXCHANGE_MS = 1;

export class MixedDriver implements Driver {
  private readonly sleeping: Sleep;
  /** By port. */
  private readonly hasDescriptor: boolean[] = [];
  private isIdle = false;
  private exchangedMs = 0;

  /** `watch` is for ports with both ways. */
  constructor(
    private readonly place: Place, private readonly nics: AfxdpDriver, private readonly others: TapDriver | UringDriver, private readonly watch?: BulkWatch,
  ) {
    for (const { index, descriptor } of place.devices) this.hasDescriptor[index] = descriptor >= 0;
    this.sleeping = new Sleep(place.wake, [...nics.descriptors, ...others.descriptors]);
  }

  fill(from = 0): number {
    // Of one connection a short frame usually comes before a long one: a request's head, then its body.
    const count = this.others.fill(this.nics.fill(from, BATCH_MAX - this.others.waiting));
    this.isIdle = count === from;
    return count;
  }

  flush(count: number): void {
    const { engine } = this.place;
    let strangers = 0;
    for (let index = 0; index < count; index++) {
      const sent = engine.sent(index);
      if (this.nics.suits(sent) || this.hasDescriptor[sent.port] !== true) {
        this.nics.send(sent);
        continue;
      }
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
    if (this.isIdle) this.nics.check();
    const { nics, others, sleeping } = this;
    if (others instanceof TapDriver) {
      others.check();
      if (!nics.hasWork() && !others.hasWork()) sleeping.sleep(longestMs);
      return;
    }
    // A sleep costs less outside of the ring as long as little comes by it. With bulk nothing else comes.
    if (this.watch?.isBulk === true && !nics.hasWork()) return others.wait(longestMs);
    if (others.hasWork || (nics.hasWork() && nowMs - this.exchangedMs >= EXCHANGE_MS)) {
      others.exchange();
      this.exchangedMs = nowMs;
    }
    if (others.hasWork || nics.hasWork()) return;
    sleeping.sleep(longestMs);
    if (sleeping.wasEndedBy(nics.descriptors.length)) others.exchange();
  }

  /** Bulk comes by sockets alone, all else by AF_XDP, where ports have both. */
  private look(nowMs: number): void {
    if (this.watch?.hasChanged(nowMs) === true) this.nics.setShortcuts(!this.watch.isBulk);
  }

  close(): void {
    this.others.close();
    this.nics.close();
  }
}
