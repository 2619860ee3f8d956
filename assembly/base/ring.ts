// A ring of records of any size between two threads: one puts, the other takes. Neither waits for the other.
//
// Positions count bytes and never go back; the ring's size divides 2^32, so they may wrap. A record begins at a
// multiple of 64 and lies in one piece: where the end is too near, a record that says so fills what is left.

import {
  HANDED_BYTES, HANDED_KIND, RING_PUT, RING_READ, RING_RECORDS, RING_RECORDS_BYTES, RING_TAKEN,
} from "../abi/layout";
import { Handed } from "../abi/enums";

const MASK: u32 = RING_RECORDS_BYTES - 1;
if ((RING_RECORDS_BYTES & (RING_RECORDS_BYTES - 1)) != 0) ERROR("a ring's size must be a power of two");

function recordAt(ring: usize, position: u32): usize {
  return ring + RING_RECORDS + (position & MASK);
}

/** Room for a record of so many bytes (a multiple of 64); 0 when there is none. Nobody sees it before putRecord(). */
export function reserveRecord(ring: usize, bytes: u32): usize {
  let position = load<u32>(ring, RING_PUT);
  let left = RING_RECORDS_BYTES - (position & MASK);
  let skipped = left < bytes ? left : 0;
  let used = position - atomic.load<u32>(ring, RING_TAKEN);
  if (used + skipped + bytes > RING_RECORDS_BYTES) return 0;
  if (skipped != 0) {
    store<u32>(recordAt(ring, position), skipped, HANDED_BYTES);
    store<u32>(recordAt(ring, position), <u32>Handed.Skip, HANDED_KIND);
  }
  let record = recordAt(ring, position + skipped);
  store<u32>(record, bytes, HANDED_BYTES);
  return record;
}

/** Shows the other side the record last reserved. */
export function putRecord(ring: usize, record: usize): void {
  let position = load<u32>(ring, RING_PUT);
  if (record != recordAt(ring, position)) position += RING_RECORDS_BYTES - (position & MASK);
  atomic.store<u32>(ring, position + load<u32>(record, HANDED_BYTES), RING_PUT);
}

/** The next record, 0 when there is none. It stays as it is until giveBack(). */
export function nextRecord(ring: usize): usize {
  let position = load<u32>(ring, RING_READ);
  while (position != atomic.load<u32>(ring, RING_PUT)) {
    let record = recordAt(ring, position);
    position += load<u32>(record, HANDED_BYTES);
    store<u32>(ring, position, RING_READ);
    if (load<u32>(record, HANDED_KIND) != <u32>Handed.Skip) return record;
  }
  return 0;
}

/** What has been read may be written anew. */
export function giveBack(ring: usize): void {
  let read = load<u32>(ring, RING_READ);
  if (read != load<u32>(ring, RING_TAKEN)) atomic.store<u32>(ring, read, RING_TAKEN);
}
