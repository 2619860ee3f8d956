// Whether devices are still there. Reads do not always tell:
//
// - A TAP's read that the kernel has taken over is woken just before its device goes, and one that looks again within that moment
//   waits for good (about once in two thousand times).
// - A packet socket tells once that its device went down, which may come up again, and not that it is gone for good.

import { addressOf, poll, POLL_ERROR } from "./sys/libc.js";
import { hasLostDevice, isPacketSocket } from "./sys/packetsocket.js";
import { isLostTap } from "./sys/tun.js";
import { deviceGone, LOOK_MS, type Device } from "./driver.js";

const RECORD_BYTES = 8;
const EBADFD = 77;
const ENETDOWN = 100;

export class Presence {
  private readonly records: Buffer;
  private readonly sockets: readonly Device[];
  private lookedMs = 0;

  /** Devices without a descriptor are nobody's concern here. */
  constructor(private readonly devices: readonly Device[]) {
    this.records = Buffer.alloc(devices.length * RECORD_BYTES);
    devices.forEach(({ descriptor }, index) => this.records.writeInt32LE(descriptor, index * RECORD_BYTES)); // an error is always told
    this.sockets = devices.filter(({ descriptor }) => descriptor >= 0 && isPacketSocket(descriptor));
  }

  /** Throws when a device was taken away; for who is busy: it asks seldom, whenever it is called. */
  look(): void {
    if (performance.now() - this.lookedMs >= LOOK_MS) this.check();
  }

  /** Throws when a device was taken away: a system call for all TAPs, and one for each socket. */
  check(): void {
    this.lookedMs = performance.now();
    this.checkTaps();
    for (const { name, descriptor } of this.sockets) if (hasLostDevice(descriptor)) throw deviceGone(name, ENETDOWN);
  }

  private checkTaps(): void {
    if (this.sockets.length === this.devices.length || poll(addressOf(this.records), this.devices.length, 0) <= 0) return;
    this.devices.forEach(({ name, descriptor }, index) => {
      // Only polling is free of the kernel's lock on its network's configuration.
      const answered = this.records.readUInt16LE(index * RECORD_BYTES + 6);
      if ((answered & POLL_ERROR) !== 0 && isLostTap(descriptor)) throw deviceGone(name, EBADFD);
    });
  }
}
