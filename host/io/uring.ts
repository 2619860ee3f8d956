// The io_uring driver: the same TAPs, but one call a turn for all frames of all ports.
//
// A slot goes back to its port when the engine is done with it and no write from it is under way.

import { FrameFlag } from "../../assembly/abi/enums.js";
import type { SentFrame } from "../engine/engine.js";
import { Ring } from "./sys/uring.js";
import { VNET_HEADER_BYTES } from "./sys/tun.js";
import { Arrivals } from "./arrivals.js";
import { WAIT_MS, type Driver, type Place } from "./driver.js";
import { Patience } from "./patience.js";
import { Presence } from "./presence.js";
import { SlotPool } from "./slotpool.js";
import { nextRing, SLOTS, SLOT_BYTES } from "./slots.js";

const EAGAIN = 11;
const TAG_READ = 1;
const TAG_WRITE = 2;
const TAG_WAKE = 3;
const TAG_CANCEL = 4;
/** The tag's upper part names the port. */
const TAG_BITS = 8;
/** Detail of a write that is not from a slot: the frame lies in the engine's own memory. */
const NO_SLOT = 0xffffffff;
/** Waits for what should be immediate; more is a kernel that does not finish. */
const SETTLE_TURNS_MAX = 100;

export class UringDriver implements Driver {
  private readonly ring: Ring;
  private readonly slots: SlotPool;
  private readonly arrivals: Arrivals;
  /** Writes under way, and those of them that come from the engine's own memory. */
  private writes = 0;
  private ownWrites = 0;
  private isWakeRead = false;
  private isWoken = false; // since the turn began: it must look at its words before it sleeps
  private isClosing = false;
  private readonly patience = new Patience();
  private readonly presence: Presence;
  private readonly asksNews = (): boolean => this.ring.hasNews;
  private readonly onCompletion = (tag: number, detail: number, result: number, buffer: number, more: boolean): void =>
    this.complete(tag, detail, result, buffer, more);

  /** Throws a SystemError when this machine has no io_uring that can do it. */
  constructor(private readonly place: Place) {
    const { engine, devices } = place;
    this.ring = new Ring(engine.bytes, nextRing(engine.bytes, engine.arenaBase));
    this.slots = new SlotPool(devices.length);
    this.presence = new Presence(devices);
    this.arrivals = new Arrivals(place, this.ring, this.slots, TAG_READ, TAG_BITS);
    try {
      this.arrivals.makeGroups();
      this.read();
      this.submit(0);
      if (this.arrivals.areRefused) throw new Error("the kernel cannot read a TAP by io_uring (before 6.7)");
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** Frames that the next fill enters. */
  get waiting(): number {
    return this.arrivals.collected;
  }

  /** What has come by now is for the next fill, unless something is already. */
  collect(): void {
    this.isWoken = false;
    this.arrivals.collect();
  }

  /** True when all that is in the devices' own queues has been collected. */
  get isEmptied(): boolean {
    return !this.ring.hasNews && this.ring.waiting === 0 && this.arrivals.areAllReading;
  }

  /** What ends a wait. */
  get descriptors(): number[] {
    return this.arrivals.descriptors;
  }

  fill(from = 0): number {
    this.collect();
    return this.arrivals.fill(from);
  }

  flush(count: number): void {
    for (let index = 0; index < count; index++) this.send(this.place.engine.sent(index));
    this.finish();
  }

  /** Prepares one frame's write. */
  send({ port, frame, bytes, flags }: SentFrame): void {
    const { engine } = this.place;
    const { arenaBase } = engine;
    const device = this.arrivals.deviceOf(port);
    if (!device) return;
    const at = frame - VNET_HEADER_BYTES;
    if ((flags & FrameFlag.Vnet) === 0) engine.bytes.fill(0, at, frame);
    const isSlot = frame >= arenaBase && frame < arenaBase + SLOTS * SLOT_BYTES;
    const slot = isSlot ? Math.floor((frame - arenaBase) / SLOT_BYTES) : NO_SLOT;
    if (this.ring.room === 0) this.submit(0);
    if (this.ring.room === 0) return this.place.refused(port, EAGAIN); // the kernel takes nothing just now
    if (isSlot) this.slots.hold(slot);
    else this.ownWrites++;
    this.writes++;
    this.ring.write(device.descriptor, at, bytes + VNET_HEADER_BYTES, TAG_WRITE | (port << TAG_BITS), slot);
  }

  /** All of a batch was sent: its slots are done with, but for writes. */
  finish(): void {
    this.arrivals.release();
  }

  settle(): void {
    for (let turn = 0; this.ownWrites > 0; turn++) {
      if (turn === SETTLE_TURNS_MAX) throw new Error(`devices did not take ${this.ownWrites} frames in ${SETTLE_TURNS_MAX * WAIT_MS} ms`);
      this.submit(1);
    }
  }

  wait(longestMs = WAIT_MS): void {
    this.presence.look();
    this.exchange();
    if (this.hasWork) return;
    if (this.patience.look(this.asksNews)) return this.submit(0);
    this.sleep(longestMs);
    this.patience.end();
  }

  /** Sleeps in the kernel. */
  sleep(longestMs: number): void {
    const { hasPause } = this.arrivals;
    const isReading = this.read();
    // Writes end inside the call that submits them, so one more completion is a frame, or the wake. But a
    // port whose slots all went on in writes cannot read before these are over: then any completion will do.
    this.submit(isReading ? this.writes + 1 : 1, hasPause ? Math.min(longestMs, WAIT_MS) : longestMs);
    if (!this.hasWork) this.presence.check();
  }

  /** True when `exchange` would find something. */
  get hasNews(): boolean {
    return this.ring.hasNews;
  }

  /** What a wait does, without the look and the sleep. */
  exchange(): void {
    this.arrivals.passTurn();
    this.read();
    this.submit(0);
  }

  /** Throws when a device will never be read again. */
  check(): void {
    this.presence.look();
  }

  /** True when frames have been read, or are still to be written, or somebody has woken it: then nobody may sleep. */
  get hasWork(): boolean {
    return this.isWoken || this.arrivals.count > 0 || this.ring.waiting > 0;
  }

  close(): void {
    this.isClosing = true;
    try {
      this.endReads();
    } finally {
      this.ring.close();
    }
  }

  /** Whatever is under way would go on into memory that the next driver uses. */
  private endReads(): void {
    if (this.ring.room === 0) this.submit(0);
    this.ring.cancelAll(TAG_CANCEL);
    const isBusy = (): boolean => this.isWakeRead || this.writes > 0 || this.arrivals.isReading;
    for (let turn = 0; turn < SETTLE_TURNS_MAX && isBusy(); turn++) this.submit(1);
  }

  private submit(completions: number, longestMs = WAIT_MS): void {
    this.ring.enter(completions, longestMs);
    this.ring.reap(this.onCompletion);
  }

  /** Starts what does not read: the wake descriptor and each port that has slots. False when a port has none. */
  private read(): boolean {
    // Writes may have filled the ring to its last place: what is begun here would take that of one the kernel has not seen.
    if (this.ring.room <= this.place.devices.length) this.submit(0);
    if (this.ring.room <= this.place.devices.length) return true;
    if (!this.isWakeRead) {
      this.isWakeRead = true;
      this.ring.readWake(this.place.wake, TAG_WAKE);
    }
    return this.arrivals.read();
  }

  private complete(tag: number, detail: number, result: number, buffer: number, more: boolean): void {
    const port = tag >>> TAG_BITS;
    switch (tag & ((1 << TAG_BITS) - 1)) {
      case TAG_READ: return this.arrivals.complete(port, result, buffer, more, this.isClosing);
      case TAG_WRITE: return this.completeWrite(port, detail, result);
      case TAG_WAKE: this.isWakeRead = false;
        this.isWoken = true;
    }
  }

  private completeWrite(port: number, slot: number, result: number): void {
    this.writes--;
    if (result < 0) this.place.refused(port, -result);
    if (slot === NO_SLOT) this.ownWrites--;
    else this.slots.release(slot);
  }
}
