// The frames of all NICs of a pump: chunks of the engine's memory, each with somebody who needs it, or free.
//
//   arena of a pump (slots.ts) | page | sockets' ring pages | chunk 0 | chunk 1 | ...
//
// A chunk is in a fill ring, waits to be handled, is in the engine's batch, in transmit rings, or free.

import { ARENA_BYTES } from "./slots.js";
import { SOCKET_PAGES_BYTES, type Umem } from "./sys/xsk.js";

/** Queues of all NICs together: 8 MiB of chunks and half a MiB of rings each. */
export const SOCKETS_MAX = 16;
/** Chunks for each socket: half to fill, half on the way. */
const CHUNKS_PER_SOCKET = 4096;
/** What the kernel leaves free before a frame. */
export const CHUNK_HEADROOM_BYTES = 256;
/** Ethernet, and a tag or two. */
const LINK_BYTES = 14 + 8;
const PAGE_BYTES = 4096;

/** The largest MTU a port on a NIC can have: a chunk is a page at most. */
export const NIC_MTU_MAX = PAGE_BYTES - CHUNK_HEADROOM_BYTES - LINK_BYTES;

/** Bytes of a chunk that holds frames of an MTU. */
export function chunkBytesFor(mtu: number): number {
  return mtu + LINK_BYTES + CHUNK_HEADROOM_BYTES <= PAGE_BYTES / 2 ? PAGE_BYTES / 2 : PAGE_BYTES;
}

/** The longest frame a chunk has room for. */
export function roomOf(chunkBytes: number): number {
  return chunkBytes - CHUNK_HEADROOM_BYTES;
}

const SOCKETS_AT = Math.ceil(ARENA_BYTES / PAGE_BYTES) * PAGE_BYTES;

/** What a pump needs of the engine's memory when it serves so many queues. */
export function arenaBytesFor(sockets: number, chunkBytes: number): number {
  return sockets === 0 ? ARENA_BYTES : SOCKETS_AT + sockets * (SOCKET_PAGES_BYTES + CHUNKS_PER_SOCKET * chunkBytes);
}

/** Where the ring pages of a socket lie. */
export function ringPagesOf(arenaBase: number, socket: number): number {
  return arenaBase + SOCKETS_AT + socket * SOCKET_PAGES_BYTES;
}

/** The chunks, and who needs each. */
export class Chunks {
  readonly umem: Umem;
  private readonly users: Uint16Array;
  private readonly free: Uint32Array;
  private freeCount = 0;
  private readonly shift: number;
  private readonly end: number;

  constructor(arenaBase: number, sockets: number, chunkBytes: number) {
    const chunks = sockets * CHUNKS_PER_SOCKET;
    this.umem = { base: ringPagesOf(arenaBase, sockets), chunks, chunkBytes };
    this.shift = Math.log2(chunkBytes);
    this.end = this.umem.base + chunks * chunkBytes;
    this.users = new Uint16Array(chunks);
    this.free = new Uint32Array(chunks);
    for (let chunk = chunks - 1; chunk >= 0; chunk--) this.free[this.freeCount++] = chunk;
  }

  get available(): number {
    return this.freeCount;
  }

  /** True when a frame lies in a chunk, wherever encapsulation has moved its beginning. */
  has(frame: number): boolean {
    return frame >= this.umem.base && frame < this.end;
  }

  /** The chunk a frame lies in. */
  of(frame: number): number {
    return (frame - this.umem.base) >>> this.shift;
  }

  /** Takes a free chunk, with one user; where it begins. Ask `available` before. */
  take(): number {
    const chunk = this.free[--this.freeCount] ?? 0;
    this.users[chunk] = 1;
    return this.umem.base + chunk * this.umem.chunkBytes;
  }

  /** One user more. */
  hold(chunk: number): void {
    this.users[chunk] = (this.users[chunk] ?? 0) + 1;
  }

  /** One user less; after the last one the chunk is free. */
  release(chunk: number): void {
    const users = (this.users[chunk] ?? 0) - 1;
    this.users[chunk] = users;
    if (users === 0) this.free[this.freeCount++] = chunk;
  }
}
