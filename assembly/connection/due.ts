// When the sweep looks at a connection: one word for each, beside the records, so that it need not touch those
// that live on. The word is never later than the connection's end. Packets that put the end off leave it alone: the
// sweep then finds the connection alive and writes the word anew. Whatever brings the end nearer must say so here.

import { DUE_BYTES } from "../abi/layout";
import { dues, now, since } from "../memory";
import { Connection } from "./connection";

/** Times are compared by their signed difference, so no word may lie further off; and it never needs to. */
const FAR_MS: u32 = 1 << 30;

/** The sweep looks at this connection so long from now. */
@inline
export function lookAfter(index: u32, delayMs: u32): void {
  store<u32>(dues + <usize>index * DUE_BYTES, now + min<u32>(delayMs, FAR_MS));
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
