// A sleep that ends with the first of several descriptors.

import { addressOf, poll, POLL_IN, read } from "./sys/libc.js";

const RECORD_BYTES = 8;
const WAKE_BYTES = 8;

/** Waits for the wake descriptor and others; the wake is read, the others are left as they are. */
export class Sleep {
  private readonly records: Buffer;
  private readonly address: number;
  private readonly drained = Buffer.alloc(WAKE_BYTES);

  constructor(private readonly wake: number, descriptors: readonly number[]) {
    const all = [wake, ...descriptors];
    this.records = Buffer.alloc(all.length * RECORD_BYTES);
    all.forEach((descriptor, index) => {
      this.records.writeInt32LE(descriptor, index * RECORD_BYTES);
      this.records.writeInt16LE(POLL_IN, index * RECORD_BYTES + 4);
    });
    this.address = addressOf(this.records);
  }

  /** True when the last sleep was ended by one of the descriptors from this one on, too. */
  wasEndedBy(first: number): boolean {
    for (let at = (first + 1) * RECORD_BYTES; at < this.records.length; at += RECORD_BYTES) if (this.records.readInt16LE(at + 6) !== 0) return true;
    return false;
  }

  /** True when something happened, false when the time was over. */
  sleep(longestMs: number): boolean {
    const happened = poll(this.address, this.records.length / RECORD_BYTES, longestMs) !== 0;
    if (this.records.readInt16LE(6) & POLL_IN) read(this.wake, addressOf(this.drained), WAKE_BYTES);
    return happened;
  }
}
