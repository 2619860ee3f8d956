// Since when the sockets of ports with both ways hold nothing older: told to the ports' programs, which let a flow come by
// AF_XDP again when what it had in its socket has been read and sent (shortcut.ts).

import { REST_MS } from "./shortcut.js";

/** It is told so often at most. */
const TOLD_EVERY_MS = 5;
const NANOS = 1e6;

export class Emptied {
  /** What the kernel's monotonic clock shows when `performance.now()` is 0. */
  private readonly originNs = process.hrtime.bigint() - BigInt(Math.round(performance.now() * NANOS));
  private beganMs = 0;
  private isEmptied = false;
  private toldMs = 0;
  private notBeforeMs = 0;

  /** `tell` gets a time of the kernel's monotonic clock, in nanoseconds. */
  constructor(private readonly tell: (sinceNs: bigint) => void) {
    this.opened();
  }

  /** A program has just come: what went to the sockets without it, nobody has noted. */
  opened(): void {
    this.isEmptied = false;
    this.notBeforeMs = performance.now() + REST_MS;
  }

  /** Reading begins. Everything that was read before has been sent. */
  begin(): void {
    if (this.isEmptied && this.beganMs >= this.notBeforeMs && this.beganMs - this.toldMs >= TOLD_EVERY_MS) {
      this.tell(this.originNs + BigInt(Math.round(this.beganMs * NANOS)));
      this.toldMs = this.beganMs;
    }
    this.beganMs = performance.now();
  }

  /** Reading has ended; whether nothing was left. */
  end(isEmptied: boolean): void {
    this.isEmptied = isEmptied;
  }
}
