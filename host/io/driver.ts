// What the pump asks of a network: frames into slots of the engine's memory, frames out of it.

import type { PortFlag } from "../../assembly/abi/enums.js";

/** One port's device. Addresses are the process's own; nothing is copied on the way. */
export interface Driver {
  /** To wait on until frames have come. */
  readonly descriptor: number;
  /** Bytes of virtio header before each frame, 0 or 10. */
  readonly headerBytes: number;
  /** What the engine may do with frames for this device. */
  readonly flags: PortFlag;
  /** Reads one frame, its header first; answers the bytes of both, or 0 when none is waiting. */
  receive(address: number, roomBytes: number): number;
  /** Writes one frame, its header first; false when the device would not take it. */
  send(address: number, bytes: number): boolean;
  close(): void;
}
