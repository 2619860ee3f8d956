// How many workers a director has, and how frames find the one they belong to.

import { availableParallelism } from "node:os";
import { SHARD_BYTES } from "../../assembly/abi/layout.js";
import { WORKERS_MAX } from "../../assembly/abi/limits.js";
import type { WorkersChoice } from "../config/schema.js";
import { memoryPages } from "../engine/engine.js";
import { loadProgram, PROGRAM_SOCKET_FILTER } from "../io/sys/bpf.js";
import { close } from "../io/sys/libc.js";
import { setFanoutProgram, shareFrames } from "../io/sys/packetsocket.js";
import { setSteering } from "../io/sys/tun.js";
import { STEERED_ADDRESSES_MAX, steeringProgram } from "../io/queues.js";

/** What tables may take of the 4 GiB that a memory has at most. */
const TABLES_BYTES_MAX = 3.5 * 2 ** 30;

/**
 * As many as asked for; `auto`: one for each processor, as long as their tables fit and there are no more than `most`.
 * Throws a RangeError when their tables never could.
 */
export function countWorkers(choice: WorkersChoice, tableBits: number, most = WORKERS_MAX): number {
  if (choice !== "auto") {
    memoryPages({ workers: choice, bucketBits: tableBits });
    return choice;
  }
  const shardBytes = SHARD_BYTES * 2 ** tableBits;
  // Several workers have one more table in common.
  const fitting = Math.max(1, Math.floor(TABLES_BYTES_MAX / shardBytes) - 1);
  return Math.min(availableParallelism(), most, fitting);
}

/** Whose a frame is. */
export interface Ownership { addresses: readonly string[]; seed: number; workers: number }

/**
 * Lets the kernel put each frame of a device (one of its queues is enough) into the queue of the worker it belongs to; answers in words what came of it.
 * Where that may not be, the kernel's own choice is good enough: workers hand over what is another's.
 */
export function steer(descriptor: number, ownership: Ownership): string {
  return byProgram(ownership, false, (program) => setSteering(descriptor, program));
}

/**
 * Lets the sockets of a NIC, one for each worker, share its frames: as a program will say (steerSockets), or by their
 * flow where programs may not be loaded.
 */
export function share(sockets: readonly number[], ownership: Ownership): void {
  let isSteered = true;
  try {
    close(loadProgram(PROGRAM_SOCKET_FILTER, steeringProgram({ ...ownership, isBehindHeader: true })));
  } catch {
    isSteered = false; // steerSockets tells why
  }
  shareFrames(sockets, isSteered);
}

/** The same as steer() for sockets that share a NIC's frames; one of them is enough. */
export function steerSockets(socket: number, ownership: Ownership): string {
  return byProgram(ownership, true, (program) => setFanoutProgram(socket, program));
}

/** Loads the program and gives it to who takes it; answers in words what came of it. */
function byProgram(ownership: Ownership, isBehindHeader: boolean, take: (program: number) => void): string {
  try {
    const program = loadProgram(PROGRAM_SOCKET_FILTER, steeringProgram({ ...ownership, isBehindHeader }));
    try {
      take(program);
    } finally {
      close(program); // the device holds it
    }
  } catch (error) {
    return `frames are spread by the kernel and handed over: ${(error as Error).message}`;
  }
  const some = ownership.addresses.length > STEERED_ADDRESSES_MAX ? ` (to the first ${STEERED_ADDRESSES_MAX} addresses)` : "";
  return `frames are steered to their worker by a BPF program${some}`;
}
