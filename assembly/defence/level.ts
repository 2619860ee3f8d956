// The defences under load: drop_packet, drop_entry and secure_tcp, and when they turn on by themselves.
//
// Their modes are the kernel's: 0 never; 1 when memory gets scarce, which turns the mode to 2; 2 until there is
// enough again, which turns it back to 1; 3 always.

import {
  CONTROL_BASE, CONTROL_COMMONS, CONTROL_DEFENCE_MS, CONTROL_DROP_COUNTER, CONTROL_DROP_ENTRIES, CONTROL_DROP_RATE, CONTROL_WORKERS,
  STATE_USED, WORKERS_BASE, WORKER_BYTES, WORKER_STATE,
} from "../abi/layout";
import { Sysctl } from "../abi/enums";
import { connectionsMax, now } from "../memory";
import { setSysctl, sysctl } from "../sysctl";

/** The kernel decides once in a second. */
const DECIDE_MS: i32 = 1000;

const WAITING: u32 = 1;
const ARMED: u32 = 2;
const ALWAYS: u32 = 3;

/** The greatest mode a defence has. */
export const DEFENCE_MODE_MAX: u32 = ALWAYS;

/** True for the settings that are modes of a defence. */
export function isDefence(name: u32): bool {
  return name == <u32>Sysctl.DropEntry || name == <u32>Sysctl.DropPacket || name == <u32>Sysctl.SecureTcp;
}

/** Each tick of the first worker: decides when a second has passed. */
export function defend(): void {
  if (<i32>(now - load<u32>(CONTROL_BASE, CONTROL_DEFENCE_MS)) >= DECIDE_MS) decideDefences();
}

/** Decides which defences are on; also when an operator has changed a mode. */
export function decideDefences(): void {
  store<u32>(CONTROL_BASE, now, CONTROL_DEFENCE_MS);
  let free = freeConnections();
  let wanted = wantedConnections();
  let scarce = free < wanted;
  settle(Sysctl.SecureTcp, scarce);
  store<u32>(CONTROL_BASE, settle(Sysctl.DropEntry, scarce) ? 1 : 0, CONTROL_DROP_ENTRIES);
  let rate: u32 = 0;
  if (settle(Sysctl.DropPacket, scarce)) {
    if (scarce && sysctl(Sysctl.DropPacket) != ALWAYS) {
      // The scarcer, the more are shed: one of two with half of it gone, every one with nothing left.
      rate = wanted / (wanted - free);
      store<u32>(CONTROL_BASE, rate, CONTROL_DROP_COUNTER);
    } else {
      rate = sysctl(Sysctl.AmDroprate);
    }
  }
  store<u32>(CONTROL_BASE, rate, CONTROL_DROP_RATE);
}

/** Moves an automatic mode on; answers whether the defence is on. */
function settle(name: Sysctl, scarce: bool): bool {
  let mode = sysctl(name);
  if (mode == WAITING && scarce) mode = ARMED;
  else if (mode == ARMED && !scarce) mode = WAITING;
  else return mode >= ARMED;
  setSysctl(<u32>name, mode);
  return mode == ARMED;
}

/**
 * What stands for the kernel's free memory: connection records nobody uses, of the worker that has fewest. Only
 * they can run out here, since the engine never takes memory.
 */
function freeConnections(): u32 {
  let most: u32 = 0;
  let workers = load<u32>(CONTROL_BASE, CONTROL_WORKERS);
  for (let worker: u32 = 0; worker < workers; worker++) {
    most = max(most, load<u32>(<usize>WORKERS_BASE + <usize>worker * WORKER_BYTES + WORKER_STATE, STATE_USED));
  }
  if (workers > 1) most = max(most, load<u32>(<usize>CONTROL_BASE + CONTROL_COMMONS, STATE_USED));
  return connectionsMax - 1 - most;
}

/** amemthresh, in connection records; at most half the table, so that the default does not fill a small one. */
function wantedConnections(): u32 {
  return min<u32>(max<i32>(<i32>sysctl(Sysctl.Amemthresh), 0), connectionsMax >> 1);
}

/** True for the one of so many packets that drop_packet sheds, of those that would open a connection. */
export function isShed(): bool {
  let rate = load<u32>(CONTROL_BASE, CONTROL_DROP_RATE);
  if (rate == 0) return false;
  let left = load<u32>(CONTROL_BASE, CONTROL_DROP_COUNTER);
  // A rate below zero sheds every one, as there.
  if (<i32>left > 1) {
    store<u32>(CONTROL_BASE, left - 1, CONTROL_DROP_COUNTER);
    return false;
  }
  store<u32>(CONTROL_BASE, rate, CONTROL_DROP_COUNTER);
  return true;
}
