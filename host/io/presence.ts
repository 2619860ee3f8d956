// Whether TAPs are still there. A read that the kernel has taken over says so by its end, nearly always: it is woken just before
// its device goes, and one that looks again within that moment waits for good (about once in two thousand times).

import { addressOf, poll, POLL_ERROR } from "./sys/libc.js";
import { isLostTap } from "./sys/tun.js";
import { deviceGone, type Device } from "./driver.js";

const RECORD_BYTES = 8;
const EBADFD = 77;

export class Presence {
  private readonly records: Buffer;

  constructor(private readonly devices: readonly Device[]) {
    this.records = Buffer.alloc(devices.length * RECORD_BYTES);
    devices.forEach(({ descriptor }, index) => this.records.writeInt32LE(descriptor, index * RECORD_BYTES)); // an error is always told
  }

  /** Throws when a TAP was taken away: a system call, for all of them. */
  check(): void {
    if (poll(addressOf(this.records), this.devices.length, 0) <= 0) return;
    this.devices.forEach(({ name, descriptor }, index) => {
      // Only polling is free of the kernel's lock on its network's configuration.
      const answered = this.records.readUInt16LE(index * RECORD_BYTES + 6);
      if ((answered & POLL_ERROR) !== 0 && isLostTap(descriptor)) throw deviceGone(name, EBADFD);
    });
  }
}
