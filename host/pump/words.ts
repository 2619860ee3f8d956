// The few words that the pump's thread and its supervisor share besides the engine's memory.

export const WORD_STOP = 0;
/** Requests posted and not yet taken. */
export const WORD_PENDING = 1;
/** Rises with every turn of the loop. */
export const WORD_TURNS = 2;
/** Frames a device would not take. */
export const WORD_REFUSED = 3;
export const WORDS = 8;

/** What the thread is started with. */
export interface PumpStart {
  module: WebAssembly.Module;
  memory: WebAssembly.Memory;
  words: SharedArrayBuffer;
  worker: number;
  ports: { index: number; name: string; descriptor: number }[];
  /** An eventfd that ends a wait. */
  wake: number;
  slots: number;
}

export interface PumpRequest { id: number; operation: number; record: Uint8Array }

export type PumpReport =
  | { kind: "ready" }
  | { kind: "done"; id: number; code: number }
  | { kind: "trap"; stack: string };

/** The engine's clock: the machine's monotonic one in milliseconds, the same for every thread. */
export function monotonicMs(): number {
  const [seconds, nanos] = process.hrtime();
  return (seconds * 1000 + Math.floor(nanos / 1e6)) >>> 0;
}
