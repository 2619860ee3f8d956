// Which packet of a connection makes a master tell of it (as the kernel: recordings sync_master_*).
//
// A connection that has said goodbye in a way not yet told is told at once. Else the packet's number decides, by
// sync_threshold; with sync_refresh_period, how far the timer's end has moved since it was last told: that end
// lies in the record, in half seconds, above a bit that says who told first and two that count the retries.

import { SYNCED_BY_OTHERS } from "../abi/layout";
import { ConnectionFlag, Protocol, SctpState, Sysctl, TcpState } from "../abi/enums";
import { Connection } from "../connection/connection";
import { now } from "../memory";
import { sysctl } from "../sysctl";

const UNIT_MS: u32 = 500;
const ENDS: u32 = 0x1fff;
const HALF_ENDS: u32 = 0x1000;
const END_SHIFT: u32 = 3;
const RETRIES: u32 = 3;
/** A timer's end that has moved by half its length is news; but not by less than this. */
const NEWS_MS_MIN: u32 = 10000;
const TOLD_SHIFT: u32 = 13;

/** Goodbyes in three bits. */
const NONE: u32 = 0;
/** States that others are not told of. */
const UNTOLD: u32 = 0xff;

/** True when others are to be told of a connection now; then it counts as told. `packets` are the client's so far. */
export function takeNeeded(connection: Connection, packets: u32): bool {
  let goodbye = connection.has(ConnectionFlag.Template) ? NONE : goodbyeOf(connection);
  if (goodbye == UNTOLD) return false;
  let end = endOf(connection);
  if (goodbye == NONE || goodbye == toldOf(connection)) {
    let retries: u32 = <i32>sysctl(Sysctl.SyncRefreshPeriod) <= 0 ? 0 : retriesOf(connection, end);
    if (retries > RETRIES || !isCounted(connection, packets)) return false;
    end |= retries;
  }
  setTold(connection, goodbye);
  connection.synced = <u16>(end | (<u32>connection.synced & SYNCED_BY_OTHERS));
  return true;
}

/** A connection that others have told of needs not be told back. */
export function noteTold(connection: Connection): void {
  let goodbye = connection.has(ConnectionFlag.Template) ? NONE : goodbyeOf(connection);
  setTold(connection, goodbye == UNTOLD ? NONE : goodbye);
}

function goodbyeOf(connection: Connection): u32 {
  let state = <u32>connection.state;
  if (connection.protocol == <u8>Protocol.Tcp) {
    switch (state) {
      case <u32>TcpState.Established: return NONE;
      case <u32>TcpState.FinWait: return 1;
      case <u32>TcpState.Close: return 2;
      case <u32>TcpState.CloseWait: return 3;
      case <u32>TcpState.TimeWait: return 4;
      default: return UNTOLD;
    }
  }
  if (connection.protocol == <u8>Protocol.Sctp) {
    switch (state) {
      case <u32>SctpState.Established: return NONE;
      case <u32>SctpState.ShutdownSent: return 1;
      case <u32>SctpState.ShutdownReceived: return 2;
      case <u32>SctpState.ShutdownAckSent: return 3;
      case <u32>SctpState.Closed: return 4;
      default: return UNTOLD;
    }
  }
  return NONE;
}

function toldOf(connection: Connection): u32 {
  return <u32>connection.flags >> TOLD_SHIFT;
}

function setTold(connection: Connection, goodbye: u32): void {
  connection.flags = <u16>((<u32>connection.flags & ~(<u32>ConnectionFlag.ToldMask)) | (goodbye << TOLD_SHIFT));
}
if (<u32>ConnectionFlag.ToldMask != 7 << 13) ERROR("ToldMask no longer fits TOLD_SHIFT");

/** The timer's end in half seconds above three free bits; 0 is "never told". */
function endOf(connection: Connection): u32 {
  return max<u32>((now / UNIT_MS + connection.timeoutMs / UNIT_MS) & ENDS, 1) << END_SHIFT;
}

/** How many retries telling it now would make; more than RETRIES when it is not to be told. */
function retriesOf(connection: Connection, end: u32): u32 {
  let last = <u32>connection.synced >> END_SHIFT;
  if (last == 0) return 0;
  let moved = ((end >> END_SHIFT) - last) & ENDS;
  if (moved >= HALF_ENDS) moved = ENDS + 1 - moved;
  let periodS = sysctl(Sysctl.SyncRefreshPeriod);
  let news = min<u64>(<u64>periodS * 1000, max<u32>(connection.timeoutMs >> 1, NEWS_MS_MIN)) / UNIT_MS;
  if (moved >= news) return 0;
  let retries = <u32>connection.synced & RETRIES;
  // An eighth of the period has to pass before it is said again.
  let since = (now / UNIT_MS - (last - connection.timeoutMs / UNIT_MS)) & ENDS;
  if (retries >= sysctl(Sysctl.SyncRetries) || <u64>since * UNIT_MS * 8 < <u64>periodS * 1000) return RETRIES + 1;
  return retries + 1;
}

/** By the packet's number: the threshold-th of each period, or with a period of 0 once (always, when refreshing). */
function isCounted(connection: Connection, packets: u32): bool {
  let period = sysctl(Sysctl.SyncPeriod);
  if (period != 0) return connection.has(ConnectionFlag.Template) || packets % period == sysctl(Sysctl.SyncThreshold);
  return sysctl(Sysctl.SyncRefreshPeriod) != 0 || packets == sysctl(Sysctl.SyncThreshold);
}
