// What the pump asks of a network: frames into slots of the engine's memory, frames out of it.
//
// A turn of the pump is   fill -> engine -> flush   for what has come, and   wait   at its end.

import type { SentFrame } from "../engine/engine.js";
import type { NicPlace } from "./nic.js";

/** Moves the frames of all ports of one pump. Nothing is copied on the way but by the kernel. */
export interface Driver {
  /** Puts the frames that have come into the engine's receive list, behind the first `from`; how many it has then. */
  fill(from?: number): number;
  /** Takes over the first `count` entries of the engine's transmit list, and the slots of the last fill. */
  flush(count: number): void;
  /** Returns when nothing flushed lies in the engine's own memory any more: it may be called again. */
  settle(): void;
  /** Sleeps until frames have come, the wake descriptor was written, or the longest wait is over. */
  wait(longestMs?: number): void;
  /** Lets go of the devices, whose descriptors stay open. The memory may be used again. */
  close(): void;
}

/** The part of an engine that drivers see. */
export interface FrameLists {
  readonly arenaBase: number;
  readonly bytes: Uint8Array;
  enter(index: number, frame: number, bytes: number, port: number, flags: number): void;
  sent(index: number): SentFrame;
}

/**
 * A device that is open: a TAP or packet socket with virtio headers, not blocking; a NIC, without a descriptor (-1);
 * or both ways of one port. `why` there is only one, where both were wished for.
 */
export interface Device { index: number; name: string; descriptor: number; nic?: NicPlace; mtu?: number; why?: string }

/** What every driver works on. */
export interface Place {
  engine: FrameLists;
  devices: readonly Device[];
  /** An eventfd that ends a wait. */
  wake: number;
  /** A device would not take a frame. */
  refused(port: number, errno: number): void;
  /** A port with both ways has to do without AF_XDP, and why; "" when it has both again. */
  lacks?(port: number, problem: string): void;
}

/** No new start would help: a device is gone for good, or the driver asked for is not to be had. */
export class DriverError extends Error {}

const EBADF = 9;
const EFAULT = 14;
const EBADFD = 77;

/** True of an error with which no read succeeds again. Any other is a frame's, or the device's of the moment. */
export function isLasting(errno: number): boolean {
  return errno === EBADF || errno === EFAULT || errno === EBADFD;
}

/** What a read that can never succeed again means. */
export function deviceGone(name: string, errno: number): DriverError {
  return new DriverError(`${name}: the device was taken away (reading fails with errno ${errno})`);
}

/** Longest wait while frames come. */
export const WAIT_MS = 50;
/**
 * Longest wait when none have come for a while: the wake descriptor ends it, and a tick makes good what was due.
 * What a sleeper costs is its wakes, up to half a millisecond each on a busy machine.
 */
export const QUIET_WAIT_MS = 200;
/** While something always comes, from any device, it is asked so often whether the others are still there. */
export const LOOK_MS = 1000;

/** The ways frames of TAPs can go; `auto` takes the fastest that this machine allows. */
export const DRIVER_CHOICES = ["auto", "tap", "uring"] as const;
export type DriverChoice = (typeof DRIVER_CHOICES)[number];
