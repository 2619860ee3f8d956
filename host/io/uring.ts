// The io_uring driver: the same TAPs, but one call a turn for all frames of all ports.
//
// Each port has slots of its own in a group of buffers; the kernel reads frame after frame into them by
// itself. A slot goes back to its group when the engine is done with it and no write from it is under way.

import { FrameFlag } from "../../assembly/abi/enums.js";
import type { SentFrame } from "../engine/engine.js";
import { Ring } from "./sys/uring.js";
import { hasLostDevice } from "./sys/packetsocket.js";
import { VNET_HEADER_BYTES } from "./sys/tun.js";
import { deviceGone, WAIT_MS, type Device, type Driver, type Place } from "./driver.js";
import { Patience } from "./patience.js";
import { SlotPool } from "./slotpool.js";
import { frameOf, nextRing, SLOTS, SLOT_BYTES, SLOT_ROOM_BYTES } from "./slots.js";

const TAG_READ = 1;
const TAG_WRITE = 2;
const TAG_WAKE = 3;
const TAG_CANCEL = 4;
/** The tag's upper part names the port. */
const TAG_BITS = 8;
/** Detail of a write that is not from a slot: the frame lies in the engine's own memory. */
const NO_SLOT = 0xffffffff;

const EBADF = 9;
const EFAULT = 14;
const EINVAL = 22;
const EBADFD = 77;
const ENETDOWN = 100;
const ENOBUFS = 105;
const ECANCELED = 125;
/** Slots that a port's group has while its frames are long: few, so that the same ones are used again and again. */
const LONG_SLOTS = 8;
/** Bytes of a frame, on average over a turn, that make it long. */
const LONG_BYTES = 8192;
/** A device that cannot be read is asked again after so many waits of its loop. */
const PAUSE_TURNS = 20;
/** Waits for what should be immediate; more is a kernel that does not finish. */
const SETTLE_TURNS_MAX = 100;

/**
 * A port, its place among them, and what the kernel does for it. It has `given` slots to read into, of `most` that it shall
 * have. `frames` and `bytes` have come since the last wait.
 */
interface Port extends Device { place: number; given: number; most: number; isReading: boolean; pauseTurns: number; errno: number; frames: number; bytes: number }

export class UringDriver implements Driver {
  private readonly ring: Ring;
  private readonly ports: Port[];
  private readonly portOf: (Port | undefined)[] = [];
  private readonly slots: SlotPool;
  private readonly arrivedSlots = new Uint16Array(SLOTS);
  private readonly arrivedBytes = new Uint32Array(SLOTS);
  private readonly batch = new Uint16Array(SLOTS);
  private arrivedCount = 0;
  /** How many of them the next fill enters. */
  private collected = 0;
  private batchCount = 0;
  /** Writes under way, and those of them that come from the engine's own memory. */
  private writes = 0;
  private ownWrites = 0;
  private isWakeRead = false;
  private isWoken = false; // since the turn began: it must look at its words before it sleeps
  private isClosing = false;
  private readonly patience = new Patience();
  private readonly asksNews = (): boolean => this.ring.hasNews;
  private readonly onCompletion = (tag: number, detail: number, result: number, buffer: number, more: boolean): void =>
    this.complete(tag, detail, result, buffer, more);

  /** Throws a SystemError when this machine has no io_uring that can do it. */
  constructor(private readonly place: Place) {
    const { engine, devices } = place;
    this.ring = new Ring(engine.bytes, nextRing(engine.bytes, engine.arenaBase));
    this.slots = new SlotPool(devices.length);
    this.ports = devices.map((device, index) => ({
      ...device, place: index, given: 0, most: this.slots.share, isReading: false, pauseTurns: 0, errno: 0, frames: 0, bytes: 0,
    }));
    try {
      for (const port of this.ports) {
        this.portOf[port.index] = port;
        this.ring.makeGroup(port.index);
      }
      this.read();
      this.submit(0);
      this.refuseOldKernel();
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** Rings are older than reads that repeat themselves: such a kernel ends them at once. */
  private refuseOldKernel(): void {
    if (this.ports.some((port) => port.errno === EINVAL)) throw new Error("the kernel cannot read a TAP by io_uring (before 6.7)");
  }

  /** Frames that the next fill enters. */
  get waiting(): number {
    return this.collected;
  }

  /** What has come by now is for the next fill, unless something is already. */
  collect(): void {
    this.isWoken = false;
    if (this.collected === 0) this.collected = this.arrivedCount;
  }

  /** What ends a wait. */
  get descriptors(): number[] {
    return this.ports.map((port) => port.descriptor);
  }

  fill(from = 0): number {
    this.collect();
    const { engine } = this.place;
    const { arrivedSlots, arrivedBytes, arrivedCount, collected } = this;
    for (let index = 0; index < collected; index++) {
      const slot = arrivedSlots[index] ?? 0;
      this.batch[index] = slot;
      engine.enter(from + index, frameOf(engine.arenaBase, slot), (arrivedBytes[index] ?? 0) - VNET_HEADER_BYTES, this.owner(slot).index, FrameFlag.Vnet);
    }
    if (collected < arrivedCount) {
      arrivedSlots.copyWithin(0, collected, arrivedCount);
      arrivedBytes.copyWithin(0, collected, arrivedCount);
    }
    this.batchCount = collected;
    this.arrivedCount = arrivedCount - collected;
    this.collected = 0;
    return from + this.batchCount;
  }

  flush(count: number): void {
    for (let index = 0; index < count; index++) this.send(this.place.engine.sent(index));
    this.finish();
  }

  /** Prepares one frame's write. */
  send({ port, frame, bytes, flags }: SentFrame): void {
    const { engine } = this.place;
    const { arenaBase } = engine;
    const device = this.portOf[port];
    if (!device) return;
    const at = frame - VNET_HEADER_BYTES;
    if ((flags & FrameFlag.Vnet) === 0) engine.bytes.fill(0, at, frame);
    const isSlot = frame >= arenaBase && frame < arenaBase + SLOTS * SLOT_BYTES;
    const slot = isSlot ? Math.floor((frame - arenaBase) / SLOT_BYTES) : NO_SLOT;
    if (isSlot) this.slots.hold(slot);
    else this.ownWrites++;
    this.writes++;
    if (this.ring.full) this.submit(0);
    this.ring.write(device.descriptor, at, bytes + VNET_HEADER_BYTES, TAG_WRITE | (port << TAG_BITS), slot);
  }

  /** All of a batch was sent: its slots are done with, but for writes. */
  finish(): void {
    for (let index = 0; index < this.batchCount; index++) this.slots.release(this.batch[index] ?? 0);
    this.batchCount = 0;
  }

  settle(): void {
    for (let turn = 0; this.ownWrites > 0; turn++) {
      if (turn === SETTLE_TURNS_MAX) throw new Error(`devices did not take ${this.ownWrites} frames in ${SETTLE_TURNS_MAX * WAIT_MS} ms`);
      this.submit(1);
    }
  }

  wait(longestMs = WAIT_MS): void {
    this.exchange();
    if (this.hasWork) return;
    if (this.patience.look(this.asksNews)) return this.submit(0);
    this.sleep(longestMs);
    this.patience.end();
  }

  /** Sleeps in the kernel. */
  sleep(longestMs: number): void {
    const isPaused = this.ports.some((port) => port.pauseTurns > 0);
    const isReading = this.read();
    // Writes end inside the call that submits them, so one more completion is a frame, or the wake. But a
    // port whose slots all went on in writes cannot read before these are over: then any completion will do.
    this.submit(isReading ? this.writes + 1 : 1, isPaused ? Math.min(longestMs, WAIT_MS) : longestMs);
  }

  /** True when `exchange` would find something. */
  get hasNews(): boolean {
    return this.ring.hasNews;
  }

  /** Throws when a port will never be read again. */
  private check(): void {
    for (const port of this.ports) {
      // A socket's device goes down before it goes for good, and only the first of the two is told.
      if (port.errno === ENETDOWN && hasLostDevice(port.descriptor)) throw deviceGone(port.name, ENETDOWN);
      if (port.pauseTurns > 0) port.pauseTurns--;
    }
  }

  /** What a wait does, without the look and the sleep. */
  exchange(): void {
    this.check();
    this.read();
    this.submit(0);
  }

  /** True when frames have been read, or are still to be written, or somebody has woken it: then nobody may sleep. */
  get hasWork(): boolean {
    return this.isWoken || this.arrivedCount > 0 || this.ring.waiting > 0;
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
    if (this.ring.full) this.submit(0);
    this.ring.cancelAll(TAG_CANCEL);
    const isBusy = (): boolean => this.isWakeRead || this.writes > 0 || this.ports.some((port) => port.isReading);
    for (let turn = 0; turn < SETTLE_TURNS_MAX && isBusy(); turn++) this.submit(1);
  }

  private submit(completions: number, longestMs = WAIT_MS): void {
    this.ring.enter(completions, longestMs);
    this.ring.reap(this.onCompletion);
  }

  /** Starts what does not read: the wake descriptor and each port that has slots. False when a port has none. */
  private read(): boolean {
    if (!this.isWakeRead) {
      this.isWakeRead = true;
      this.ring.readWake(this.place.wake, TAG_WAKE);
    }
    let hasSlots = true;
    for (const port of this.ports) {
      this.give(port);
      if (port.isReading || port.pauseTurns > 0) continue;
      if (port.given === 0) {
        hasSlots = false;
        continue;
      }
      port.isReading = true;
      this.ring.readAll(port.descriptor, port.index, TAG_READ | (port.index << TAG_BITS));
    }
    return hasSlots;
  }

  private complete(tag: number, detail: number, result: number, buffer: number, more: boolean): void {
    const port = this.portOf[tag >>> TAG_BITS];
    switch (tag & ((1 << TAG_BITS) - 1)) {
      case TAG_READ: return port && this.completeRead(port, result, buffer, more);
      case TAG_WRITE: return this.completeWrite(tag >>> TAG_BITS, detail, result);
      case TAG_WAKE: this.isWakeRead = false;
        this.isWoken = true;
    }
  }

  private completeRead(port: Port, result: number, slot: number, more: boolean): void {
    if (!more) port.isReading = false;
    if (slot >= 0) {
      port.given--;
      this.slots.hold(slot);
      if (result > VNET_HEADER_BYTES) {
        port.frames++;
        port.bytes += result;
        port.errno = 0;
        this.arrivedSlots[this.arrivedCount] = slot;
        this.arrivedBytes[this.arrivedCount++] = result;
        return;
      }
      this.slots.release(slot);
    }
    if (result >= 0 || result === -ENOBUFS || result === -ECANCELED || this.isClosing) return;
    if ([EBADF, EBADFD, EFAULT].includes(-result)) throw deviceGone(port.name, -result);
    port.errno = -result;
    port.pauseTurns = PAUSE_TURNS;
  }

  private completeWrite(port: number, slot: number, result: number): void {
    this.writes--;
    if (result < 0) this.place.refused(port, -result);
    if (slot === NO_SLOT) this.ownWrites--;
    else this.slots.release(slot);
  }

  /** Gives the kernel a port's slots to read into, those used last first. */
  private give(port: Port): void {
    if (port.frames > 0) {
      port.most = port.bytes > port.frames * LONG_BYTES ? LONG_SLOTS : this.slots.share;
      port.frames = port.bytes = 0;
    }
    while (port.given < port.most) {
      const slot = this.slots.take(port.place);
      if (slot === undefined) return;
      this.ring.addBuffer(port.index, slot, frameOf(this.place.engine.arenaBase, slot) - VNET_HEADER_BYTES, SLOT_ROOM_BYTES);
      port.given++;
    }
  }

  private owner(slot: number): Port {
    const port = this.ports[this.slots.portOf(slot)];
    if (!port) throw new RangeError(`slot ${slot} is nobody's`);
    return port;
  }
}
