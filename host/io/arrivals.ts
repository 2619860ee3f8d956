// What comes by a ring: each port has slots of its own in a group of buffers, and the kernel reads frame after frame into
// them by itself. What has come waits here until it is entered, and keeps its slot until the engine is done with it.

import { FrameFlag } from "../../assembly/abi/enums.js";
import { VNET_HEADER_BYTES } from "./sys/tun.js";
import type { Ring } from "./sys/uring.js";
import { deviceGone, isLasting, type Device, type Place } from "./driver.js";
import type { SlotPool } from "./slotpool.js";
import { frameOf, SLOTS, SLOT_ROOM_BYTES } from "./slots.js";

const EINVAL = 22;
const ENOBUFS = 105;
const ECANCELED = 125;
/** Slots that a port's group has while its frames are long: few, so that the same ones are used again and again. */
const LONG_SLOTS = 16;
/** Bytes of a frame, on average over a turn, that make it long. */
const LONG_BYTES = 8192;
/** A device that cannot be read is asked again after so many waits of its loop. */
const PAUSE_TURNS = 20;

/**
 * A port, its place among them, and what the kernel does for it. It has `given` slots to read into, of `most` that it shall
 * have. `frames` and `bytes` have come since the last wait.
 */
interface Port extends Device {
  place: number;
  given: number;
  most: number;
  isReading: boolean;
  pauseTurns: number;
  errno: number;
  frames: number;
  bytes: number;
}

export class Arrivals {
  private readonly ports: Port[];
  private readonly portOf: (Port | undefined)[] = [];
  private readonly slotsArrived = new Uint16Array(SLOTS);
  private readonly bytesArrived = new Uint32Array(SLOTS);
  private readonly batch = new Uint16Array(SLOTS);
  private batchCount = 0;
  /** Frames that have come. */
  count = 0;
  /** How many of them the next fill enters. */
  collected = 0;

  /** `tag` is of the completions of reads; above it, by so many bits, they name their port. */
  constructor(
    private readonly place: Place, private readonly ring: Ring, private readonly slots: SlotPool,
    private readonly tag: number, private readonly tagBits: number,
  ) {
    this.ports = place.devices.map((device, index) => ({
      ...device, place: index, given: 0, most: slots.share, isReading: false, pauseTurns: 0, errno: 0, frames: 0, bytes: 0,
    }));
    for (const port of this.ports) this.portOf[port.index] = port;
  }

  makeGroups(): void {
    for (const port of this.ports) this.ring.makeGroup(port.index);
  }

  /** What ends a wait. */
  get descriptors(): number[] {
    return this.ports.map((port) => port.descriptor);
  }

  deviceOf(port: number): Device | undefined {
    return this.portOf[port];
  }

  /** Rings are older than reads that repeat themselves: such a kernel ends them at once. */
  get areRefused(): boolean {
    return this.ports.some((port) => port.errno === EINVAL);
  }

  /** True while the kernel reads from any of them; from all of them. */
  get isReading(): boolean {
    return this.ports.some((port) => port.isReading);
  }

  get areAllReading(): boolean {
    return this.ports.every((port) => port.isReading);
  }

  /** A port is left alone for some turns. */
  get hasPause(): boolean {
    return this.ports.some((port) => port.pauseTurns > 0);
  }

  /** What has come by now is for the next fill, unless something is already. */
  collect(): void {
    if (this.collected === 0) this.collected = this.count;
  }

  fill(from: number): number {
    const { engine } = this.place;
    const { slotsArrived, bytesArrived, count, collected } = this;
    for (let index = 0; index < collected; index++) {
      const slot = slotsArrived[index] ?? 0;
      this.batch[index] = slot;
      engine.enter(from + index, frameOf(engine.arenaBase, slot), (bytesArrived[index] ?? 0) - VNET_HEADER_BYTES, this.owner(slot).index, FrameFlag.Vnet);
    }
    if (collected < count) {
      slotsArrived.copyWithin(0, collected, count);
      bytesArrived.copyWithin(0, collected, count);
    }
    this.batchCount = collected;
    this.count = count - collected;
    this.collected = 0;
    return from + this.batchCount;
  }

  /** The engine is done with the slots of the last fill, but for writes from them. */
  release(): void {
    for (let index = 0; index < this.batchCount; index++) this.slots.release(this.batch[index] ?? 0);
    this.batchCount = 0;
  }

  /** A turn of the loop is over. */
  passTurn(): void {
    for (const port of this.ports) if (port.pauseTurns > 0) port.pauseTurns--;
  }

  /** Starts to read what is not being read: each port that has slots. False when a port has none. */
  read(): boolean {
    let hasSlots = true;
    for (const port of this.ports) {
      this.give(port);
      if (port.isReading || port.pauseTurns > 0) continue;
      if (port.given === 0) {
        hasSlots = false;
        continue;
      }
      port.isReading = true;
      this.ring.readAll(port.descriptor, port.index, this.tag | (port.index << this.tagBits));
    }
    return hasSlots;
  }

  /** A read has ended, into a slot or with an error (result below 0). A ring that `isClosing` takes no more. */
  complete(index: number, result: number, slot: number, more: boolean, isClosing: boolean): void {
    const port = this.portOf[index];
    if (!port) return;
    if (!more) port.isReading = false;
    if (slot >= 0) {
      port.given--;
      this.slots.hold(slot);
      if (result > VNET_HEADER_BYTES) {
        port.frames++;
        port.bytes += result;
        port.errno = 0;
        this.slotsArrived[this.count] = slot;
        this.bytesArrived[this.count++] = result;
        return;
      }
      this.slots.release(slot);
    }
    if (result >= 0 || result === -ENOBUFS || result === -ECANCELED || isClosing) return;
    if (isLasting(-result)) throw deviceGone(port.name, -result);
    port.errno = -result;
    port.pauseTurns = PAUSE_TURNS;
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
