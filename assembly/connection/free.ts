// Records that nobody uses: a stack of indices beside the records, so that what has just been given back, and is near, goes
// first. Under it come those that nobody has had yet. Whoever takes or gives many at once goes along the stack and says in the end how many they were.

import { CONNECTION_BYTES, CONNECTION_CLIENT16, DUE_BYTES, FREE_BYTES, STATE_FREE, STATE_FRESH, STATE_USED } from "../abi/layout";
import { connections, connectionsMax, dues, freed, table } from "../memory";
import { Connection } from "./connection";
import { lookNever } from "./due";

/** Takes a zeroed record; 0 when all are in use. Record 0 is never given out. The one given back last goes first. */
export function take(): u32 {
  let free = load<u32>(table, STATE_FREE);
  if (free == 0) free = stackFresh(1);
  if (free == 0) return 0;
  let index = load<u32>(freed + <usize>(free - 1) * FREE_BYTES);
  taken(1);
  clear(connections + <usize>index * CONNECTION_BYTES);
  return index;
}

/** The top of the stack of the free: the next to be taken lies below it, and so on down to `freed`. */
@inline
export function topOfFree(): usize {
  return freed + <usize>load<u32>(table, STATE_FREE) * FREE_BYTES;
}

/** So many have been taken from the top of the stack, and their taker overwrites all of them; fewer than none were given back. */
@inline
export function taken(count: i32): void {
  store<u32>(table, load<u32>(table, STATE_FREE) - count, STATE_FREE);
  store<u32>(table, load<u32>(table, STATE_USED) + count, STATE_USED);
}

/**
 * Puts records that nobody has had yet under the stack of the free, the first of them uppermost: so all go out in the order in
 * which they would, had nobody looked ahead. Answers how many lie there then.
 */
function stackFresh(count: u32): u32 {
  let free = load<u32>(table, STATE_FREE);
  let fresh = max<u32>(load<u32>(table, STATE_FRESH), 1);
  count = min(count, connectionsMax - fresh);
  memory.copy(freed + <usize>count * FREE_BYTES, freed, <usize>free * FREE_BYTES);
  let at = freed;
  for (let index = fresh + count; index-- > fresh; at += FREE_BYTES) {
    store<u32>(at, index);
    lookNever(index);
  }
  store<u32>(table, fresh + count, STATE_FRESH);
  store<u32>(table, free + count, STATE_FREE);
  return free + count;
}

/** Zeroes a record but for its details. Four stores are faster than memory.fill, which leaves the module for so few bytes. */
function clear(record: usize): void {
  let zero = i64x2.splat(0);
  v128.store(record, zero);
  v128.store(record, zero, 16);
  v128.store(record, zero, 32);
  v128.store(record, zero, 48);
}
if (CONNECTION_CLIENT16 != 64) ERROR("clear() zeroes 64 bytes");

/** True when nobody can open a connection any more. */
export function isTableFull(): bool {
  return load<u32>(table, STATE_USED) >= connectionsMax - 1;
}

/** So many will be taken: as far as there are so many they lie on the stack of the free then, and have been touched, so that the waits for them overlap. */
export function foreseeRecords(count: u32): u32 {
  let touched: u32 = 0;
  let free = load<u32>(table, STATE_FREE);
  if (free < count) free = stackFresh(count - free);
  let end = freed + <usize>free * FREE_BYTES;
  let records = connections;
  let words = dues;
  for (let at = end - <usize>min(free, count) * FREE_BYTES; at < end; at += FREE_BYTES) {
    let index = <usize>load<u32>(at);
    touched += load<u32>(records + index * CONNECTION_BYTES) + load<u16>(words + index * DUE_BYTES);
  }
  return touched;
}

/** Gives a record back. It must not be in the table any more. */
export function give(index: u32): void {
  lay(index, topOfFree());
  taken(-1);
}

/** Lays a record that nobody uses any more on the stack of the free, at a place there. */
@inline
export function lay(index: u32, place: usize): void {
  let connection = Connection.at(index);
  connection.flags = 0;
  connection.protocol = 0;
  store<u32>(place, index);
  lookNever(index);
}
