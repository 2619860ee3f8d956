// The TAP driver: read and write by addresses into the engine's memory, one frame a call.
//
// With its virtio header the kernel hands over segments of up to 64 KB with checksums left to do, and takes
// them back the same way: one rewrite then stands for forty frames.

import { FrameFlag } from "../../assembly/abi/enums.js";
import type { SentFrame } from "../engine/engine.js";
import { addressOf, errno, read, write } from "./sys/libc.js";
import { VNET_HEADER_BYTES } from "./sys/tun.js";
import { deviceGone, isLasting, WAIT_MS, type Device, type Driver, type Place } from "./driver.js";
import { Presence } from "./presence.js";
import { Sleep } from "./sleep.js";
import { frameOf, SLOTS, SLOT_ROOM_BYTES } from "./slots.js";

/** Frames of one port in one batch, so that no port waits for another's flood. */
const SHARE_FRAMES = 64;

/** All ports of a pump, by plain system calls. */
export class TapDriver implements Driver {
  private readonly memoryAddress: number;
  private readonly deviceOf: (Device | undefined)[] = [];
  private readonly sleeping: Sleep;
  /** Frames read and not yet entered: their ports and bytes, by slot. */
  private readonly readPorts = new Uint8Array(SLOTS);
  private readonly readBytes = new Uint32Array(SLOTS);
  private readCount = 0;
  private hasRead = false;
  /** True when the last reading found the end of all devices' queues. */
  isEmptied = false;
  private readonly presence: Presence;

  constructor(private readonly place: Place) {
    this.memoryAddress = addressOf(place.engine.bytes);
    for (const device of place.devices) this.deviceOf[device.index] = device;
    this.sleeping = new Sleep(place.wake, this.descriptors);
    this.presence = new Presence(place.devices);
  }

  /** What ends a sleep: a frame that comes to one of them. */
  get descriptors(): number[] {
    return this.place.devices.map((device) => device.descriptor);
  }

  /** Frames that the next fill enters. */
  get waiting(): number {
    return this.readCount;
  }

  /** Reads what has come, unless there is something already. The slots of the last fill are used again. */
  collect(): void {
    if (this.readCount > 0) return;
    this.isEmptied = true;
    for (const device of this.place.devices) {
      if (!this.readAll(device)) this.isEmptied = false;
    }
    this.hasRead = this.readCount > 0;
  }

  /** Reads a device's share; true when it has no more. */
  private readAll(device: Device): boolean {
    for (let share = 0; share < SHARE_FRAMES && this.readCount < SLOTS; share++) {
      const bytes = this.receive(device, frameOf(this.place.engine.arenaBase, this.readCount) - VNET_HEADER_BYTES);
      if (bytes === 0) return true;
      this.readPorts[this.readCount] = device.index;
      this.readBytes[this.readCount++] = bytes - VNET_HEADER_BYTES;
    }
    return false;
  }

  /** Enters what was collected; collects first where nobody has. */
  fill(from = 0): number {
    this.collect();
    const { engine } = this.place;
    const count = this.readCount;
    for (let slot = 0; slot < count; slot++) {
      engine.enter(from + slot, frameOf(engine.arenaBase, slot), this.readBytes[slot] ?? 0, this.readPorts[slot] ?? 0, FrameFlag.Vnet);
    }
    this.readCount = 0;
    return from + count;
  }

  /** Reads one frame, its header first; the bytes of both, or 0 when none is waiting. */
  private receive(device: Device, at: number): number {
    const bytes = read(device.descriptor, this.memoryAddress + at, SLOT_ROOM_BYTES);
    if (bytes >= 0) return bytes;
    const failure = errno();
    // Nothing has come, the interface is down and may come up again, or a packet has segments that nobody can be told of.
    if (!isLasting(failure)) return 0;
    throw deviceGone(device.name, failure);
  }

  /** Throws when a device will never be read again. */
  check(): void {
    this.presence.look();
  }

  flush(count: number): void {
    for (let index = 0; index < count; index++) this.send(this.place.engine.sent(index));
  }

  /** Writes one frame. */
  send({ port, frame, bytes, flags }: SentFrame): void {
    const device = this.deviceOf[port];
    if (!device) return;
    const at = frame - VNET_HEADER_BYTES;
    if ((flags & FrameFlag.Vnet) === 0) this.place.engine.bytes.fill(0, at, frame);
    const whole = bytes + VNET_HEADER_BYTES;
    if (write(device.descriptor, this.memoryAddress + at, whole) !== whole) this.place.refused(port, errno());
  }

  /** Nothing lies with the kernel after a batch. */
  finish(): void {}

  /** A write is over when it returns. */
  settle(): void {}

  wait(longestMs = WAIT_MS): void {
    this.presence.look();
    if (!this.hasWork() && !this.sleeping.sleep(longestMs)) this.presence.check();
  }

  /** True when frames may have come meanwhile: they are found sooner by reading than by asking first. */
  hasWork(): boolean {
    return this.hasRead;
  }

  close(): void {}
}
