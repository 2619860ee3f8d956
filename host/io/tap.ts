// The TAP driver: read and write by addresses into the engine's memory, one frame a call.
//
// With its virtio header the kernel hands over segments of up to 64 KB with checksums left to do, and takes
// them back the same way: one rewrite then stands for forty frames.

import { PortFlag } from "../../assembly/abi/enums.js";
import { close, errno, read, write } from "./sys/libc.js";
import { VNET_HEADER_BYTES } from "./sys/tun.js";
import type { Driver } from "./driver.js";

const EAGAIN = 11;
const EINTR = 4;
/** The interface is down: nothing comes, nothing goes, and it may come up again. */
const EIO = 5;
const EBADFD = 77;

/** A TAP device whose descriptor is open already. */
export class TapDriver implements Driver {
  readonly headerBytes = VNET_HEADER_BYTES;
  readonly flags: PortFlag = PortFlag.Up | PortFlag.Vnet | PortFlag.Segments;

  constructor(readonly descriptor: number, private readonly name: string) {}

  receive(address: number, roomBytes: number): number {
    const bytes = read(this.descriptor, address, roomBytes);
    if (bytes >= 0) return bytes;
    const failure = errno();
    if (failure === EAGAIN || failure === EINTR || failure === EIO) return 0;
    throw new Error(`reading from ${this.name} failed with errno ${failure}${failure === EBADFD ? ": the device was taken away" : ""}`);
  }

  send(address: number, bytes: number): boolean {
    return write(this.descriptor, address, bytes) === bytes;
  }

  close(): void {
    close(this.descriptor);
  }
}
