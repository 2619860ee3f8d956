// The sweep: connections whose time is over end. It reads the words of due.ts, a line at once; those that are due
// go through stages together, as packets do, so that the waits for their records and buckets overlap.

import {
  CONNECTION_BYTES, CONNECTION_CONTROL, CONNECTION_FLAGS, CONNECTION_HOME, DUE_BYTES, DUE_UNIT_BITS, FREE_BYTES, STATE_ENDING, STATE_FRESH,
  STATE_SWEEP, STATE_SWEEP_ALL, STATE_SWEEP_OWED, STATE_SWEPT_MS, STATE_TOUCHED, SWEEP_BLOCK,
} from "../abi/layout";
import { ConnectionFlag } from "../abi/enums";
import { ENDED_PER_TICK } from "../abi/limits";
import { connections, dues, inCommons, now, state, table } from "../memory";
import { outlive } from "../sync/outlive";
import { Connection } from "./connection";
import { lookAfter, lookAtEnd, lookNever, SWEEP_LATE_MS } from "./due";
import { close, partPlain } from "./open";
import { lay, taken, topOfFree } from "./free";
import { bucketAt } from "./table";
import { hasTicks } from "./wheel";

/** All words are looked through once in this time. */
const SWEEP_MS: u32 = 1000;
/** Connections that go through the stages together; a block more fits in their list. */
const TOGETHER: u32 = 128;
if (TOGETHER + SWEEP_BLOCK + 3 > 256) ERROR("the list at STATE_ENDING is too short");

/** All that are over have been looked at once: who controls others still, goes on. */
let isSecondLook = false;

/** Each tick. Where timers go off by a kernel's ticks all are looked at, and whoever controls others once more behind these (recording outlived_at_once). */
export function sweepConnections(): void {
  sweep();
  if (!hasTicks()) return;
  isSecondLook = true;
  sweep();
  isSecondLook = false;
}

/** Looks at as many words as the time since the last sweep stands for, and at what that one left. */
function sweep(): void {
  let fresh = load<u32>(table, STATE_FRESH);
  let elapsedMs = now - load<u32>(table, STATE_SWEPT_MS);
  store<u32>(table, now, STATE_SWEPT_MS);
  if (elapsedMs >= SWEEP_LATE_MS) store<u32>(table, fresh, STATE_SWEEP_ALL);
  elapsedMs = hasTicks() ? SWEEP_MS : min<u32>(elapsedMs, SWEEP_MS);
  let share = <u32>(<u64>fresh * elapsedMs / SWEEP_MS) + 1;
  let owed = min<u32>(load<u32>(table, STATE_SWEEP_OWED) + share, fresh);
  let blocks = (owed + SWEEP_BLOCK - 1) / SWEEP_BLOCK;
  let index = load<u32>(table, STATE_SWEEP);
  let picked: u32 = 0;
  let ended: u32 = 0;
  let all = load<u32>(table, STATE_SWEEP_ALL);
  for (; blocks != 0 && ended < ENDED_PER_TICK; blocks--) {
    if (index >= fresh) index = 0;
    picked = all != 0 ? pickAll(index, picked) : pick(index, picked);
    all -= min<u32>(all, SWEEP_BLOCK);
    index += SWEEP_BLOCK;
    if (picked >= TOGETHER) {
      ended += settle(picked);
      picked = 0;
    }
  }
  settle(picked);
  store<u32>(table, index, STATE_SWEEP);
  store<u32>(table, all, STATE_SWEEP_ALL);
  store<u32>(table, blocks * SWEEP_BLOCK, STATE_SWEEP_OWED);
}

/** Lists which of a block's connections are due, after `picked` others; answers how many are listed then. */
function pick(first: u32, picked: u32): u32 {
  let at = dues + <usize>first * DUE_BYTES;
  let clock = i16x8.splat(<i16>(now >> DUE_UNIT_BITS));
  let due = ~(ahead(at, clock) | ahead(at + 32, clock) << 16 | ahead(at + 64, clock) << 32 | ahead(at + 96, clock) << 48);
  // Mostly two are, or fewer: that is no branch, which would be guessed wrong every other time.
  list(first + <u32>ctz(due), picked);
  picked += <u32>(due != 0);
  due &= due - 1;
  list(first + <u32>ctz(due), picked);
  picked += <u32>(due != 0);
  for (due &= due - 1; due != 0; due &= due - 1) list(first + <u32>ctz(due), picked++);
  return picked;
}
if (SWEEP_BLOCK != 64) ERROR("pick() compares 64 words");

/** A bit for each of 16 words that lies ahead. What is due lies behind us: only a word ahead makes the difference negative. */
@inline
function ahead(at: usize, clock: v128): u64 {
  return i8x16.bitmask(i8x16.narrow_i16x8_s(i16x8.sub(clock, v128.load(at)), i16x8.sub(clock, v128.load(at, 16))));
}

/** Lists a whole block, whatever its words say. */
function pickAll(first: u32, picked: u32): u32 {
  for (let place: u32 = 0; place < SWEEP_BLOCK; place++) list(first + place, picked++);
  return picked;
}

function list(index: u32, place: u32): void {
  store<u32>(state + (<usize>place << 2), index, STATE_ENDING);
}

function pickedAt(place: u32): u32 {
  return load<u32>(state + (<usize>place << 2), STATE_ENDING);
}

/** Ends those of the listed connections whose time is over; answers how many. */
function settle(picked: u32): u32 {
  touch(picked);
  // What is announced in the commons is waited for, so its end is not plain; and no timer goes off late but by ticks.
  let others = inCommons() || hasTicks() ? picked : endPlain(picked);
  let ended = picked - others;
  let later: u32 = 0;
  for (let place: u32 = 0; place < others; place++) {
    let index = pickedAt(place);
    let connection = Connection.at(index);
    if (connection.children != 0) list(index, later++);
    else if (endIfOver(connection)) ended++;
  }
  // What ends together with those that live by it, ends too: so it comes after them.
  for (let place: u32 = 0; place < later; place++) if (endIfOver(Connection.at(pickedAt(place)))) ended++;
  return ended;
}

/** Ends those of the listed that are plain and over, and lists the others anew; answers how many these are. */
function endPlain(picked: u32): u32 {
  let top = topOfFree();
  let free = top;
  let others: u32 = 0;
  for (let place: u32 = 0; place < picked; place++) {
    let index = pickedAt(place);
    let connection = Connection.at(index);
    if (connection.isPlain && connection.isOver) {
      partPlain(connection);
      lay(index, free);
      free += FREE_BYTES;
    } else list(index, others++);
  }
  taken(<i32>(top - free) / <i32>FREE_BYTES);
  return others;
}

/** The stages before: touches the records of the listed, their buckets, and what is kept in details. */
function touch(picked: u32): void {
  // Four at a time, so that as many waits as a processor can have are in flight; the list has room for three more.
  for (let place = picked; place % 4 != 0; place++) list(0, place);
  let records = connections;
  let end = state + <usize>picked * 4;
  let touched: u32 = 0;
  let flags: u32 = 0;
  for (let at = state; at < end; at += 16) {
    touched += load<u32>(listedAt(records, at), CONNECTION_HOME) + load<u32>(listedAt(records, at + 4), CONNECTION_HOME) +
      load<u32>(listedAt(records, at + 8), CONNECTION_HOME) + load<u32>(listedAt(records, at + 12), CONNECTION_HOME);
  }
  for (let at = state; at < end; at += 16) {
    let a = listedAt(records, at), b = listedAt(records, at + 4), c = listedAt(records, at + 8), d = listedAt(records, at + 12);
    touched += load<u32>(bucketOfRecord(a)) + load<u32>(bucketOfRecord(b)) + load<u32>(bucketOfRecord(c)) + load<u32>(bucketOfRecord(d));
    flags |= load<u16>(a, CONNECTION_FLAGS) | load<u16>(b, CONNECTION_FLAGS) | load<u16>(c, CONNECTION_FLAGS) | load<u16>(d, CONNECTION_FLAGS);
  }
  if (flags & <u32>ConnectionFlag.Detailed) {
    for (let at = state; at < end; at += 4) touched += load<u32>(listedAt(records, at), CONNECTION_CONTROL);
  }
  store<u32>(state, touched, STATE_TOUCHED);
}

@inline
function listedAt(records: usize, at: usize): usize {
  return records + <usize>load<u32>(at, STATE_ENDING) * CONNECTION_BYTES;
}

@inline
function bucketOfRecord(record: usize): usize {
  return bucketAt(load<u32>(record, CONNECTION_HOME));
}

/** Ends a connection whose time is over, and else says when to look again; answers whether it ended. */
export function endIfOver(connection: Connection): bool {
  if (!connection.has(ConnectionFlag.Hashed)) {
    lookNever(connection.index);
    return false;
  }
  if (connection.expired) {
    if (connection.children == 0) {
      close(connection.index);
      return true;
    }
    // Those that live by it may be over as well, and only not have been looked at: it ends with them.
    if (connection.overdueMs < SWEEP_MS && !isSecondLook) {
      lookAfter(connection.index, hasTicks() ? 0 : SWEEP_MS);
      return false;
    }
    outlive(connection);
  }
  lookAtEnd(connection);
  return false;
}
