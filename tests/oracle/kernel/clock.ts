// The guest's clock in our hands. See clock.c for the word that both sides share.

import { closeSync, openSync, unlinkSync, writeSync } from "node:fs";

const NS_PER_SECOND = 1_000_000_000;

/** Time for one guest: it runs while a command needs it, and otherwise stands still. */
export class GuestClock {
  private readonly file: number;
  private offsetNs = 0n;
  private frozenNs: bigint | undefined;
  private readonly startNs = process.hrtime.bigint();

  constructor(readonly path: string) {
    this.file = openSync(path, "w+");
    this.store(0n);
  }

  private store(word: bigint): void {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64LE(word);
    writeSync(this.file, bytes, 0, 8, 0);
  }

  private get nowNs(): bigint {
    return this.frozenNs ?? process.hrtime.bigint() + this.offsetNs;
  }

  /** Seconds since the clock was made, as the guest sees them. */
  get nowSeconds(): number {
    return Number(this.nowNs - this.startNs) / NS_PER_SECOND;
  }

  get stands(): boolean {
    return this.frozenNs !== undefined;
  }

  freeze(): void {
    this.frozenNs = this.nowNs | 1n;
    this.store(this.frozenNs);
  }

  thaw(): void {
    if (this.frozenNs === undefined) return;
    this.offsetNs = (this.frozenNs - process.hrtime.bigint()) & ~1n;
    this.frozenNs = undefined;
    this.store(this.offsetNs);
  }

  /** Moves a clock that stands still. */
  advance(seconds: number): void {
    if (this.frozenNs === undefined) throw new Error("only a frozen clock is moved");
    this.frozenNs += BigInt(Math.round(seconds * NS_PER_SECOND)) & ~1n;
    this.store(this.frozenNs);
  }

  close(): void {
    closeSync(this.file);
    unlinkSync(this.path);
  }
}
