// How many workers a director has, and how frames find the one they belong to.

import { availableParallelism } from "node:os";
import { BUCKET_BYTES, CONNECTION_BYTES } from "../../assembly/abi/layout.js";
import { CONNECTIONS_PER_BUCKET, WORKERS_MAX } from "../../assembly/abi/limits.js";
import { loadProgram, PROGRAM_SOCKET_FILTER } from "../io/sys/bpf.js";
import { close } from "../io/sys/libc.js";
import { setSteering } from "../io/sys/tun.js";
import { STEERED_ADDRESSES_MAX, steeringProgram } from "../io/queues.js";

/** What tables may take of the 4 GiB that a memory has at most. */
const TABLES_BYTES_MAX = 3.5 * 2 ** 30;

export type WorkersChoice = number | "auto";

/** As many as asked for; `auto`: one for each processor, as long as their tables fit. */
export function countWorkers(choice: WorkersChoice, tableBits: number): number {
  if (choice !== "auto") return choice;
  const shardBytes = (BUCKET_BYTES + CONNECTIONS_PER_BUCKET * CONNECTION_BYTES) * 2 ** tableBits;
  // Several workers have one more table in common.
  const fitting = Math.max(1, Math.floor(TABLES_BYTES_MAX / shardBytes) - 1);
  return Math.min(availableParallelism(), WORKERS_MAX, fitting);
}

/**
 * Lets the kernel put each frame of a device (one of its queues is enough) into the queue of the worker it belongs to; answers in words what came of it.
 * Where that may not be, the kernel's own choice is good enough: workers hand over what is another's.
 */
export function steer(descriptor: number, addresses: readonly string[], seed: number, workers: number): string {
  try {
    const program = loadProgram(PROGRAM_SOCKET_FILTER, steeringProgram({ addresses, seed, workers }));
    try {
      setSteering(descriptor, program);
    } finally {
      close(program); // the device holds it
    }
  } catch (error) {
    return `frames are spread by the kernel and handed over: ${(error as Error).message}`;
  }
  const some = addresses.length > STEERED_ADDRESSES_MAX ? ` (to the first ${STEERED_ADDRESSES_MAX} addresses)` : "";
  return `frames are steered to their worker by a BPF program${some}`;
}
