// The TAP driver: read and write by addresses into the engine's memory, one frame a call.
//
// With its virtio header the kernel hands over segments of up to 64 KB with checksums left to do, and takes
// them back the same way: one rewrite then stands for forty frames.

import { FrameFlag } from "../../assembly/abi/enums.js";
import { BATCH_MAX } from "../../assembly/abi/limits.js";
import { addressOf, errno, poll, POLL_IN, read, write } from "./sys/libc.js";
import { hasLostDevice } from "./sys/packetsocket.js";
import { VNET_HEADER_BYTES } from "./sys/tun.js";
import { deviceGone, WAIT_MS, type Device, type Driver, type Place } from "./driver.js";
import { frameOf, SLOTS, SLOT_ROOM_BYTES } from "./slots.js";

const EAGAIN = 11;
const EINTR = 4;
/** The interface is down: nothing comes, nothing goes, and it may come up again. */
const EIO = 5;
/** The same of a packet socket; perhaps its device is gone for good. */
const ENETDOWN = 100;

/** Frames of one port in one batch, so that no port waits for another's flood. */
const SHARE_FRAMES = 64;
const POLL_RECORD_BYTES = 8;
const WAKE_BYTES = 8;

/** All ports of a pump, by plain system calls. */
export class TapDriver implements Driver {
  private readonly memoryAddress: number;
  private readonly deviceOf: (Device | undefined)[] = [];
  private readonly waits: Buffer;
  private readonly waitsAddress: number;
  private readonly drained = Buffer.alloc(WAKE_BYTES);
  private filled = 0;
  private readonly down = new Set<Device>();

  constructor(private readonly place: Place) {
    this.memoryAddress = addressOf(place.engine.bytes);
    for (const device of place.devices) this.deviceOf[device.index] = device;
    this.waits = pollRecords([place.wake, ...place.devices.map((device) => device.descriptor)]);
    this.waitsAddress = addressOf(this.waits);
  }

  fill(): number {
    const { engine, devices } = this.place;
    let count = 0;
    for (const device of devices) {
      for (let share = 0; share < SHARE_FRAMES && count < SLOTS && count < BATCH_MAX; share++) {
        const frame = frameOf(engine.arenaBase, count);
        const bytes = this.receive(device, frame - VNET_HEADER_BYTES);
        if (bytes === 0) break;
        engine.enter(count++, frame, bytes - VNET_HEADER_BYTES, device.index, FrameFlag.Vnet);
      }
    }
    this.filled = count;
    return count;
  }

  /** Reads one frame, its header first; the bytes of both, or 0 when none is waiting. */
  private receive(device: Device, at: number): number {
    const bytes = read(device.descriptor, this.memoryAddress + at, SLOT_ROOM_BYTES);
    if (bytes >= 0) {
      if (this.down.size > 0) this.down.delete(device);
      return bytes;
    }
    const failure = errno();
    if (failure === EAGAIN || failure === EINTR || failure === EIO) return 0;
    if (failure !== ENETDOWN) throw deviceGone(device.name, failure);
    this.down.add(device);
    return 0;
  }

  /** A socket's device goes down before it goes for good, and only the first of the two is told. */
  private missDevices(): void {
    for (const device of this.down) {
      if (hasLostDevice(device.descriptor)) throw deviceGone(device.name, ENETDOWN);
    }
  }

  flush(count: number): void {
    const { engine } = this.place;
    for (let index = 0; index < count; index++) {
      const { port, frame, bytes, flags } = engine.sent(index);
      const device = this.deviceOf[port];
      if (!device) continue;
      const at = frame - VNET_HEADER_BYTES;
      if ((flags & FrameFlag.Vnet) === 0) engine.bytes.fill(0, at, frame);
      const whole = bytes + VNET_HEADER_BYTES;
      if (write(device.descriptor, this.memoryAddress + at, whole) !== whole) this.place.refused(port, errno());
    }
  }

  /** A write is over when it returns. */
  settle(): void {}

  wait(longestMs = WAIT_MS): void {
    if (this.down.size > 0) this.missDevices();
    // Frames that came meanwhile are found sooner by reading than by asking first.
    if (this.filled !== 0) return;
    poll(this.waitsAddress, this.place.devices.length + 1, longestMs);
    if (this.waits.readInt16LE(6) & POLL_IN) read(this.place.wake, addressOf(this.drained), WAKE_BYTES);
  }

  close(): void {}
}

function pollRecords(descriptors: readonly number[]): Buffer {
  const records = Buffer.alloc(descriptors.length * POLL_RECORD_BYTES);
  descriptors.forEach((descriptor, index) => {
    records.writeInt32LE(descriptor, index * POLL_RECORD_BYTES);
    records.writeInt16LE(POLL_IN, index * POLL_RECORD_BYTES + 4);
  });
  return records;
}
