// How long to look before sleeping. A sleep and its end cost the sleeper and whoever wakes him a few microseconds each,
// more on a virtual machine; so who is used to be called soon looks at his rings for a while first, without a system call.
//
// He gives way to others who want the processor, and then sleeps: looking must never cost anybody else anything.

import { schedYield } from "./sys/libc.js";

/** The longest look. Whoever waits longer than that, usually, does not look at all. */
const LONGEST_MS = 0.12;
/** A yield that took so long has let somebody else run. */
const CROWDED_MS = 0.015;
/** So long nobody looks after that. */
const CROWDED_REST_MS = 1;
/** Looks between two yields. */
const LOOKS = 32;
/** A new wait's part in what is usual. */
const SHARE = 1 / 8;
/** What a long sleep counts for: the first waits after it are soon usual again. */
const COUNTED_MS_MAX = 4 * LONGEST_MS;

export class Patience {
  /** How long waits usually are. */
  private usualMs = COUNTED_MS_MAX;
  private restUntilMs = 0;
  private beganMs = 0;

  /** Looks until there is work; false when that would take too long, and a sleep is better. Say `end()` after that sleep. */
  look(hasWork: () => boolean): boolean {
    const beganMs = performance.now();
    this.beganMs = beganMs;
    if (this.usualMs > LONGEST_MS || beganMs < this.restUntilMs) return false;
    for (let nowMs = beganMs; nowMs - beganMs < LONGEST_MS;) {
      for (let looks = 0; looks < LOOKS; looks++) {
        if (hasWork()) {
          this.learn(nowMs);
          return true;
        }
      }
      schedYield();
      const thenMs = performance.now();
      if (thenMs - nowMs > CROWDED_MS) {
        this.restUntilMs = thenMs + CROWDED_REST_MS;
        return hasWork();
      }
      nowMs = thenMs;
    }
    return false;
  }

  /** The sleep after a look is over. */
  end(): void {
    this.learn(performance.now());
  }

  private learn(nowMs: number): void {
    this.usualMs += (Math.min(nowMs - this.beganMs, COUNTED_MS_MAX) - this.usualMs) * SHARE;
  }
}
