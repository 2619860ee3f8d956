// The few words that the pump's threads and their supervisor share besides the engine's memory.

import { PORTS_MAX, WORKERS_MAX } from "../../assembly/abi/limits.js";
import type { PortDriver } from "../io/choose.js";
import type { Device, DriverChoice } from "../io/driver.js";

export const WORD_STOP = 0;
/** Requests posted and not yet taken. */
export const WORD_PENDING = 1;
/** Rises with every turn of the first worker's loop. */
export const WORD_TURNS = 2;
/** 1 while a request keeps every worker but its own out of the engine. */
export const WORD_CLOSED = 3;
/** By port: frames its device would not take, and the error number of the last of them. */
export const WORD_REFUSED = 8;
export const WORD_ERRNOS = WORD_REFUSED + PORTS_MAX;
/** By worker: 1 while it is in the engine; 1 while it sleeps, or is about to, and has to be woken. */
export const WORD_INSIDE = WORD_ERRNOS + PORTS_MAX;
export const WORD_ASLEEP = WORD_INSIDE + WORKERS_MAX;
export const WORDS = WORD_ASLEEP + WORKERS_MAX;

/** What a thread is started with. */
export interface PumpStart {
  module: WebAssembly.Module;
  memory: WebAssembly.Memory;
  words: SharedArrayBuffer;
  worker: number;
  /** Where this worker's part of the engine's arena begins. */
  arenaOffset: number;
  /** Devices, or this worker's queues of them. */
  ports: Device[];
  driver: DriverChoice;
  /** By worker: an eventfd that ends its wait. */
  wakes: number[];
}

export interface PumpRequest { id: number; operation: number; record: Uint8Array }

export type PumpReport =
  | { kind: "ready"; ports: PortDriver[] }
  /** A DriverError: starting again would not help. */
  | { kind: "unable"; reason: string }
  | { kind: "done"; id: number; code: number }
  /** A request that could not be tried. */
  | { kind: "refused"; id: number; reason: string }
  /** A port has to do without AF_XDP, or has it again (""). */
  | { kind: "lacks"; port: number; problem: string }
  | { kind: "trap"; stack: string };

/** The engine's clock: the machine's monotonic one in milliseconds, the same for every thread. */
export function monotonicMs(): number {
  const [seconds, nanos] = process.hrtime();
  return (seconds * 1000 + Math.floor(nanos / 1e6)) >>> 0;
}
