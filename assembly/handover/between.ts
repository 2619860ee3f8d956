// The rings between workers: room in the one to an owner, and the owner told.

import { RING_BYTES, STATE_HANDED_TO } from "../abi/layout";
import { giveBack, nextRecord, putRecord, reserveRecord } from "../base/ring";
import { rings, state, worker, workers } from "../memory";

function ringBetween(from: u32, to: u32): usize {
  return rings + (<usize>to * workers + from) * RING_BYTES;
}

/** Room for a record of so many bytes (a multiple of 64) to a worker; 0 when there is none. */
export function reserveFor(owner: u32, bytes: u32): usize {
  return reserveRecord(ringBetween(worker, owner), bytes);
}

/** Shows the owner the record last reserved for it; the host wakes it. */
export function giveTo(owner: u32, record: usize): void {
  putRecord(ringBetween(worker, owner), record);
  store<u32>(state, load<u32>(state, STATE_HANDED_TO) | (1 << owner), STATE_HANDED_TO);
}

/** The next record of a worker, 0 when there is none. */
export function nextHanded(from: u32): usize {
  return nextRecord(ringBetween(from, worker));
}

/** The host has sent everything of the last batch: what was read of the rings may be written anew. */
export function endHanded(): void {
  store<u32>(state, 0, STATE_HANDED_TO);
  for (let from: u32 = 0; from < workers; from++) if (from != worker) giveBack(ringBetween(from, worker));
}
