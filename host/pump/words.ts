// The few words that the pump's thread and its supervisor share besides the engine's memory.

import { PORTS_MAX } from "../../assembly/abi/limits.js";
import type { PortDriver } from "../io/choose.js";
import type { Device, DriverChoice } from "../io/driver.js";

export const WORD_STOP = 0;
/** Requests posted and not yet taken. */
export const WORD_PENDING = 1;
/** Rises with every turn of the loop. */
export const WORD_TURNS = 2;
/** By port: frames its device would not take, and the error number of the last of them. */
export const WORD_REFUSED = 8;
export const WORD_ERRNOS = WORD_REFUSED + PORTS_MAX;
export const WORDS = WORD_ERRNOS + PORTS_MAX;

/** What the thread is started with. */
export interface PumpStart {
  module: WebAssembly.Module;
  memory: WebAssembly.Memory;
  words: SharedArrayBuffer;
  worker: number;
  ports: Device[];
  driver: DriverChoice;
  /** An eventfd that ends a wait. */
  wake: number;
}

export interface PumpRequest { id: number; operation: number; record: Uint8Array }

export type PumpReport =
  | { kind: "ready"; ports: PortDriver[] }
  /** A DriverError: starting again would not help. */
  | { kind: "unable"; reason: string }
  | { kind: "done"; id: number; code: number }
  | { kind: "trap"; stack: string };

/** The engine's clock: the machine's monotonic one in milliseconds, the same for every thread. */
export function monotonicMs(): number {
  const [seconds, nanos] = process.hrtime();
  return (seconds * 1000 + Math.floor(nanos / 1e6)) >>> 0;
}
