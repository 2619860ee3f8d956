// When the sweep looks at a connection: one word for each, beside the records, so that it need not touch those
// that live on. The word is never later than the connection's end. Packets that put the end off leave it alone: the
// sweep then finds the connection alive and writes the word anew. Whatever brings the end nearer must say so here.
//
// A word has 16 bits, so that a sweep reads half of what 32 would take: it counts in units of 32 ms, and what is due
// within one is looked at up to 31 ms too early, found alive, and ends when the sweep comes by again, a second later.

import { DUE_BYTES, DUE_UNIT_BITS } from "../abi/layout";
import { dues, now, since } from "../memory";
import { Connection } from "./connection";

/**
 * Times are compared by their signed difference, 17 minutes either way, so no word may lie further off. What ends later
 * is looked at more than once. An established connection's 15 minutes fit.
 */
const FAR_MS: u32 = 1_000_000;
/** After this long without a sweep words may be taken for others that lie ahead. */
export const SWEEP_LATE_MS: u32 = 500_000;
if (FAR_MS >> DUE_UNIT_BITS >= 0x8000 || (SWEEP_LATE_MS << 1) >> DUE_UNIT_BITS >= 0x8000) ERROR("words of 16 bits no longer tell what is due");

/** The sweep looks at this connection so long from now. */
@inline
export function lookAfter(index: u32, delayMs: u32): void {
  store<u16>(dues + <usize>index * DUE_BYTES, <u16>((now + min<u32>(delayMs, FAR_MS)) >> DUE_UNIT_BITS));
}

/** The sweep looks at this connection when it ends by what is known now. */
export function lookAtEnd(connection: Connection): void {
  let idleMs = since(connection.lastMs);
  lookAfter(connection.index, idleMs >= connection.timeoutMs ? 0 : connection.timeoutMs - idleMs);
}

/** The sweep need not look at a record that nobody uses. */
@inline
export function lookNever(index: u32): void {
  lookAfter(index, FAR_MS);
}

/** From now on a connection ends so long after its last packet. */
export function setTimeoutMs(connection: Connection, timeoutMs: u32): void {
  connection.timeoutMs = timeoutMs;
  lookAtEnd(connection);
}

/** A packet came: the timer starts anew, with the time of the state the connection is in now. */
export function startTimer(connection: Connection, timeoutMs: u32): void {
  connection.lastMs = now;
  // The first packet's state is what the connection will probably end in, should no other packet come.
  let known = timeoutMs >= connection.timeoutMs && connection.packets != 0;
  connection.timeoutMs = timeoutMs;
  if (!known) lookAfter(connection.index, timeoutMs);
}
