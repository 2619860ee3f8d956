// The slots of a ring's ports: each is idle, the kernel's to read into, or has users: the engine's batch, and each write
// from it. Of the idle ones those used last are taken first: they still lie in the processor's cache.

import { SLOTS } from "./slots.js";

/** Slots of one port: no port waits for another's flood. */
const SHARE_SLOTS = 64;

export class SlotPool {
  /** Slots of each port. */
  readonly share: number;
  private readonly users = new Uint16Array(SLOTS);
  /** By port, a stack. */
  private readonly idle: number[][];

  constructor(ports: number) {
    this.share = Math.min(SHARE_SLOTS, Math.floor(SLOTS / ports));
    this.idle = Array.from({ length: ports }, (_, port) => Array.from({ length: this.share }, (_, slot) => port * this.share + slot));
  }

  /** Whose a slot is. */
  portOf(slot: number): number {
    return Math.floor(slot / this.share);
  }

  /** A slot of a port's for the kernel; undefined when none is idle. */
  take(port: number): number | undefined {
    return this.idle[port]?.pop();
  }

  /** One user more. */
  hold(slot: number): void {
    this.users[slot] = (this.users[slot] ?? 0) + 1;
  }

  /** One user less; after the last one the slot is idle. */
  release(slot: number): void {
    const users = (this.users[slot] ?? 0) - 1;
    this.users[slot] = users;
    if (users === 0) this.idle[this.portOf(slot)]?.push(slot);
  }
}
