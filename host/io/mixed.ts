// NICs and TAPs in one director: two drivers take turns in the same lists, and one sleep waits for both.

import type { AfxdpDriver } from "./afxdp.js";
import { WAIT_MS, type Driver } from "./driver.js";
import { Sleep } from "./sleep.js";
import type { TapDriver } from "./tap.js";

export class MixedDriver implements Driver {
  private readonly sleeping: Sleep;

  constructor(private readonly nics: AfxdpDriver, private readonly taps: TapDriver, wake: number) {
    this.sleeping = new Sleep(wake, [...nics.descriptors, ...taps.descriptors]);
  }

  fill(from = 0): number {
    return this.nics.fill(this.taps.fill(from));
  }

  flush(count: number): void {
    // Each takes what is its ports'. A TAP's write is over when it returns; then NICs' chunks may go on.
    this.taps.flush(count);
    this.nics.flush(count);
  }

  settle(): void {}

  wait(longestMs = WAIT_MS): void {
    this.taps.check();
    if (this.nics.hasWork() || this.taps.hasWork()) return;
    if (!this.sleeping.sleep(longestMs)) this.nics.check();
  }

  close(): void {
    this.taps.close();
    this.nics.close();
  }
}
