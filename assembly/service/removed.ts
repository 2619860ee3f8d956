// A server leaves its service. Its record stays while connections name it, and two minutes more.

import { ServerFlag } from "../abi/enums";
import { CONTROL_BASE, CONTROL_REMOVED, CONTROL_REMOVED_MS, CONTROL_SERVERS_USED } from "../abi/layout";
import { abandonConnections } from "../connection/early";
import { goesOffAfterMs } from "../connection/wheel";
import { now, since } from "../memory";
import { scheduleChanged, scheduleRemoved } from "../schedule/table";
import { unlinkEnd } from "./ends";
import { unlinkName } from "./named";
import { giveServer, Server } from "./server";
import { Service } from "./service";

/** Removed servers are looked at in rounds: one finds a server without connections, and one that comes so much later forgets it, as in the kernel. */
const REMOVED_MS: u32 = 120000;
const ROUND_MS: u32 = 60000;

/** Takes a server from its service. The record stays while connections name it. */
export function detach(index: u32, at: u32): void {
  let service = Service.at(index);
  let server = Server.at(at);
  if (!isAnyRemoved()) store<u32>(CONTROL_BASE, now, CONTROL_REMOVED_MS);
  countRemoved(1);
  scheduleRemoved(index, at);
  unlinkEnd(at);
  if (service.servers == at) {
    service.servers = server.next;
  } else {
    let before = service.servers;
    while (Server.at(before).next != at) before = Server.at(before).next;
    Server.at(before).next = server.next;
  }
  service.serversCount--;
  server.next = 0;
  server.service = 0;
  server.flags &= ~<u32>ServerFlag.Available;
  server.loadPlace = 0;
  abandonConnections();
  scheduleChanged(index);
}

/** True while a removed server's record is kept. Looking at all records instead would make a flush of thousands quadratic. */
function isAnyRemoved(): bool {
  return load<u32>(CONTROL_BASE, CONTROL_REMOVED) != 0;
}

/** A server was removed, came back, or is forgotten. */
export function countRemoved(change: i32): void {
  store<u32>(CONTROL_BASE, load<u32>(CONTROL_BASE, CONTROL_REMOVED) + change, CONTROL_REMOVED);
}

/** When the next round of the removed servers was set. */
export function roundSetMs(): u32 {
  return load<u32>(CONTROL_BASE, CONTROL_REMOVED_MS);
}

/**
 * True when it is time for a round of the removed servers, the first a minute after the first of them was removed (as the kernel:
 * recording removed_rounds).
 */
export function isRoundDue(): bool {
  return since(roundSetMs()) >= goesOffAfterMs(roundSetMs(), ROUND_MS);
}

/** A round of the removed servers. Its time is when it was due, not when that was noticed. */
export function releaseServers(): void {
  let dueMs = roundSetMs() + goesOffAfterMs(roundSetMs(), ROUND_MS);
  store<u32>(CONTROL_BASE, dueMs, CONTROL_REMOVED_MS);
  if (!isAnyRemoved()) return;
  let used = load<u32>(CONTROL_BASE, CONTROL_SERVERS_USED);
  for (let at: u32 = 1; at < used; at++) {
    let server = Server.at(at);
    if (server.family == 0 || server.service != 0) continue;
    if (server.references != 0) server.idleMs = 0;
    else if (server.idleMs == 0) server.idleMs = max<u32>(dueMs, 1);
    else if (dueMs - server.idleMs >= REMOVED_MS) {
      unlinkName(at);
      giveServer(at);
      countRemoved(-1);
    }
  }
}
