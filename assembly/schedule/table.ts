// Which scheduler a service uses, and what it must hear of its servers.

import { Scheduler } from "../abi/enums";
import { Server } from "../service/server";
import { Service } from "../service/service";
import { leastConnection, weightedLeastConnection } from "./least";
import { roundRobin, weightedRoundRobin, weightsChanged } from "./roundrobin";

/** The server for a new connection, 0 when none is free. Addresses are places of 16 bytes. */
export function schedule(index: u32, client: usize, clientPort: u32, virtual: usize): u32 {
  let service = Service.at(index);
  switch (<i32>service.scheduler) {
    case Scheduler.Rr: return roundRobin(service);
    case Scheduler.Wrr: return weightedRoundRobin(service);
    case Scheduler.Lc: return leastConnection(service);
    default: return weightedLeastConnection(service);
  }
}

/** True for the schedulers this engine has. */
export function isScheduler(scheduler: u32): bool {
  return scheduler <= <u32>Scheduler.Wlc;
}

/** A server was added, removed, or its weight changed; also after a scheduler was chosen. */
export function scheduleChanged(index: u32): void {
  weightsChanged(Service.at(index));
}

/** Before a server leaves the list: a cursor on it steps back to the one before. */
export function scheduleRemoved(index: u32, server: u32): void {
  let service = Service.at(index);
  if (service.cursor != server) return;
  let before: u32 = 0;
  let at = service.servers;
  while (at != server && at != 0) {
    before = at;
    at = Server.at(at).next;
  }
  service.cursor = before;
}
