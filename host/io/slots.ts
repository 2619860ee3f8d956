// Where frames lie while the engine has them, and where a ring's own pages are: the arena of one pump.
//
//   arenaBase | slot 0 | slot 1 | ... | slot 127 | rings made so far, u32, a page | 4 rings' pages |

import { SLOT_HEADROOM } from "../../assembly/abi/layout.js";
import { RING_PAGES_BYTES } from "./sys/uring.js";
import { VNET_HEADER_BYTES } from "./sys/tun.js";

/** Room for a 64 KB segment with headroom; a multiple of 64 that is odd in cache lines, so that slots differ in their sets. */
export const SLOT_BYTES = 1057 * 64;
/** Slots of one pump: what one batch can hold. */
export const SLOTS = 128;
/** What a frame and the virtio header before it may fill. */
export const SLOT_ROOM_BYTES = SLOT_BYTES - SLOT_HEADROOM + VNET_HEADER_BYTES;

const PAGE_BYTES = 4096;
/** Where the rings' count lies, from the arena's beginning; their pages follow. */
const RINGS_AT = Math.ceil((SLOTS * SLOT_BYTES) / PAGE_BYTES) * PAGE_BYTES;
/** A closed ring's pages rest for so many lives: the kernel writes its last words there some time after. */
const RINGS = 4;
/** What a pump needs of the engine's memory. */
export const ARENA_BYTES = RINGS_AT + PAGE_BYTES + RINGS * RING_PAGES_BYTES;

/** Where a new ring goes. The count is in the memory: it outlives the thread that made the last one. */
export function nextRing(memory: Uint8Array, arenaBase: number): number {
  const made = Atomics.add(new Uint32Array(memory.buffer), (arenaBase + RINGS_AT) >>> 2, 1);
  return arenaBase + RINGS_AT + PAGE_BYTES + (made % RINGS) * RING_PAGES_BYTES;
}

/** The frame of a slot; its virtio header lies in the bytes before it. */
export function frameOf(arenaBase: number, slot: number): number {
  return arenaBase + slot * SLOT_BYTES + SLOT_HEADROOM;
}
