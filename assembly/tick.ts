// What time changes: connections expire, rates are estimated, neighbours age, half datagrams are given up.

import {
  CONTROL_BASE, CONTROL_NOW_MS, CONTROL_SERVERS_USED, CONTROL_SERVICES_USED, COUNTERS_BASE,
  COUNTERS_END, COUNTERS_WORKER_BYTES, COUNTER_BYTES, COUNTER_IN_BYTES, COUNTER_OUT_BYTES, CONTROL_WORKERS, RATES_BASE, RATE_BYTES, RATE_LAST, RATE_VALUE,
  STATE_CAUSE, STATE_ESTIMATED_MS,
} from "./abi/layout";
import { Sysctl } from "./abi/enums";
import { SERVICES_MAX } from "./abi/limits";
import { abandonConnection } from "./connection/open";
import { Connection } from "./connection/connection";
import { beginSearch, endOfSearch, findOrphan, isCommonsTurn, takeNoted } from "./connection/early";
import { endIfOver, sweepConnections } from "./connection/expiry";
import { hasTicks, holdBack, letGo } from "./connection/wheel";
import { dropEntries } from "./defence/entries";
import { defend } from "./defence/level";
import { sweepNeighbors } from "./link/transmit";
import { sweepPaths } from "./link/path";
import { enterCommons, leaveCommons, lock, now, setNow, shared, state, unlock, worker } from "./memory";
import { sweepReassemblies } from "./errors/overdue";
import { tellUnreachable } from "./errors/unreachable";
import { beginBatch, NO_CAUSE, transmitCount } from "./packet/slot";
import { isRoundDue, releaseServers, roundSetMs } from "./service/removed";
import { Server } from "./service/server";
import { sweepSchedules } from "./schedule/table";
import { sysctl } from "./sysctl";
import { syncTick } from "./sync/tick";

/** Kernel's estimator period. */
const ESTIMATE_MS: u32 = 2000;

/** Call at least every 200 ms, more often while frames come. Answers how many frames are to be sent. */
export function tick(nowMs: u32): u32 {
  setNow(nowMs);
  if (worker == 0) store<u32>(CONTROL_BASE, nowMs, CONTROL_NOW_MS);
  beginBatch();
  store<u32>(state, NO_CAUSE, STATE_CAUSE);
  // Before the connections whose time is over end: what is told of a piece may be about one of them. Pieces belong to
  // all workers, and are looked after by the first.
  if (worker == 0) sweepReassemblies();
  endEarly();
  if (worker == 0 && isRoundDue()) lookAtRemoved();
  sweepConnections();
  syncTick();
  dropEntries();
  // What belongs to all workers is looked after by the first.
  if (worker == 0) keepHouse();
  return transmitCount();
}

/** Connections whose timers were set before the round's end after it, where there are ticks (as the kernel: recording rounds_first). */
function lookAtRemoved(): void {
  if (hasTicks()) {
    holdBack(roundSetMs());
    sweepConnections();
    if (shared) sweepCommons();
    letGo();
  }
  releaseServers();
}

function keepHouse(): void {
  if (shared) sweepCommons();
  defend();
  if (sweepNeighbors()) tellUnreachable();
  sweepPaths();
  lock();
  sweepSchedules();
  unlock();
  if (now - load<u32>(state, STATE_ESTIMATED_MS) >= ESTIMATE_MS) {
    store<u32>(state, now, STATE_ESTIMATED_MS);
    if (sysctl(Sysctl.RunEstimation) != 0) estimate();
  }
}

function sweepCommons(): void {
  lock();
  enterCommons();
  if (isCommonsTurn()) endOrphans();
  sweepConnections();
  leaveCommons();
  unlock();
}

/** Ends what was to end at this tick, unless a packet has given it time again. */
function endEarly(): void {
  for (let index = takeNoted(); index != 0; index = takeNoted()) endIfOver(Connection.at(index));
  endOrphans();
}

/** Ends connections whose servers were removed; what controls others ends with the last of them. */
function endOrphans(): void {
  let from = beginSearch();
  if (from == 0) return;
  let end = endOfSearch(from);
  for (let index = findOrphan(from, end); index != 0; index = findOrphan(index + 1, end)) {
    if (Connection.at(index).children == 0) abandonConnection(index);
  }
}

/**
 * Sums of the counters, which are what listings show, and exponential averages with the kernel's scaling: connections and
 * packets << 10, bytes << 5. A removed server's stand still, as its record does.
 */
function estimate(): void {
  let workers = load<u32>(CONTROL_BASE, CONTROL_WORKERS);
  for (let place: u32 = 0; place < max<u32>(load<u32>(CONTROL_BASE, CONTROL_SERVICES_USED), 1); place++) {
    estimatePlace(place, workers);
  }
  let servers = load<u32>(CONTROL_BASE, CONTROL_SERVERS_USED);
  for (let server: u32 = 1; server < servers; server++) {
    if (Server.at(server).service != 0) estimatePlace(SERVICES_MAX + server, workers);
  }
}

function estimatePlace(place: u32, workers: u32): void {
  let rate = <usize>RATES_BASE + <usize>place * RATE_BYTES;
  for (let counter: usize = 0; counter < COUNTERS_END; counter += 8) {
    let sum: u64 = 0;
    for (let worker: u32 = 0; worker < workers; worker++) {
      sum += load<u64>(<usize>COUNTERS_BASE + <usize>worker * COUNTERS_WORKER_BYTES + <usize>place * COUNTER_BYTES + counter);
    }
    let shift: u64 = counter == COUNTER_IN_BYTES || counter == COUNTER_OUT_BYTES ? 4 : 9;
    let fresh = (sum - load<u64>(rate + counter, RATE_LAST)) << shift;
    let average = load<u64>(rate + counter, RATE_VALUE);
    store<u64>(rate + counter, average + <u64>(<i64>(fresh - average) >> 2), RATE_VALUE);
    store<u64>(rate + counter, sum, RATE_LAST);
  }
}
