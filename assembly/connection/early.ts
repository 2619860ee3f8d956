// Connections that end before their time: those whose clients began anew, and those of servers that were removed.

import {
  CONTROL_BASE, CONTROL_ORPHANS, STATE_FRESH, STATE_ORPHANS, STATE_ORPHANS_AT, STATE_RETIRED, STATE_RETIRED_COUNT, WORKERS_BASE,
  WORKER_BYTES, WORKER_STATE,
} from "../abi/layout";
import { ConnectionFlag, Sysctl } from "../abi/enums";
import { ORPHANS_PER_TICK, RETIRED_MAX } from "../abi/limits";
import { inCommons, state, table, workers } from "../memory";
import { Server } from "../service/server";
import { sysctl } from "../sysctl";
import { Connection } from "./connection";

/** Notes a connection that the next tick shall end. False when there is no room, or others may use it. */
export function endAtTick(index: u32): bool {
  let count = load<u32>(state, STATE_RETIRED_COUNT);
  if (inCommons() || count >= RETIRED_MAX) return false;
  store<u32>(state + (<usize>count << 2), index, STATE_RETIRED);
  store<u32>(state, count + 1, STATE_RETIRED_COUNT);
  return true;
}

/** The next connection noted, 0 when there is none left. It may have ended or been used since. */
export function takeNoted(): u32 {
  let count = load<u32>(state, STATE_RETIRED_COUNT);
  if (count == 0) return 0;
  store<u32>(state, count - 1, STATE_RETIRED_COUNT);
  return load<u32>(state + (<usize>(count - 1) << 2), STATE_RETIRED);
}

/** A server goes: with expire_nodest_conn, the connections of all that are gone end at the next tick (as the kernel). */
export function abandonConnections(): void {
  if (sysctl(Sysctl.ExpireNodestConn) != 0) store<u32>(CONTROL_BASE, load<u32>(CONTROL_BASE, CONTROL_ORPHANS) + 1, CONTROL_ORPHANS);
}

/** Looks through a slice of the table when servers have gone; answers the next connection whose server has, 0 for no more. */
export function findOrphan(from: u32, end: u32): u32 {
  for (let index = from; index < end; index++) {
    let connection = Connection.at(index);
    if (connection.has(ConnectionFlag.Hashed) && connection.server != 0 && !Server.at(connection.server).available) return index;
  }
  return 0;
}

/**
 * True when every worker has looked through its own table since servers last went: templates come after what they
 * control, as in one table, where what was noted ends first.
 */
export function isCommonsTurn(): bool {
  let wanted = load<u32>(CONTROL_BASE, CONTROL_ORPHANS);
  for (let worker: u32 = 0; worker < workers; worker++) {
    let words = <usize>WORKERS_BASE + <usize>worker * WORKER_BYTES + WORKER_STATE;
    if (load<u32>(words, STATE_ORPHANS) != wanted || load<u32>(words, STATE_ORPHANS_AT) != 0) return false;
  }
  return true;
}

/** Where this tick's slice of that search begins, 0 when there is nothing to look for. */
export function beginSearch(): u32 {
  let wanted = load<u32>(CONTROL_BASE, CONTROL_ORPHANS);
  if (load<u32>(table, STATE_ORPHANS) != wanted) {
    store<u32>(table, wanted, STATE_ORPHANS);
    store<u32>(table, 1, STATE_ORPHANS_AT);
  }
  return load<u32>(table, STATE_ORPHANS_AT);
}

/** Where this slice ends; the next one begins there. */
export function endOfSearch(from: u32): u32 {
  let fresh = load<u32>(table, STATE_FRESH);
  let end = min<u32>(fresh, from + ORPHANS_PER_TICK);
  store<u32>(table, end < fresh ? end : 0, STATE_ORPHANS_AT);
  return end;
}
