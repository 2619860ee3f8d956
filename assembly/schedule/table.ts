// Which scheduler a service uses, and what it must hear of its servers.

import { CONTROL_BASE, CONTROL_SCHEDULE_SWEEP, CONTROL_SERVICES_USED } from "../abi/layout";
import { Scheduler, Sysctl } from "../abi/enums";
import { mix } from "../base/hash";
import { seed } from "../memory";
import { Server } from "../service/server";
import { Service } from "../service/service";
import { sysctl } from "../sysctl";
import { beginDestinations, forgetDestinations, isSweepDue, sweepDestinations } from "./destinations";
import { neverQueue, shortestDelay } from "./expected";
import { destinationHash, fillByTurn, fillByWeight, sourceHash } from "./hashing";
import { leastConnection, weightedLeastConnection } from "./least";
import { localityLeast, localityReplicated } from "./locality";
import { arrangeLoads, comparesLoads, forgetLoads, leastLoaded } from "./loads";
import { fillMaglev, maglev } from "./maglev";
import { failover, overflow } from "./priority";
import { roundRobin, weightedRoundRobin, weightsChanged } from "./roundrobin";
import { giveSlab, takeSlab } from "./slab";
import { powerOfTwo } from "./twos";

/** Services looked at in one tick for destinations to sweep; at most one of them is swept. */
const SWEEP_SERVICES: u32 = 64;

/** The server for a new connection, 0 when none is free. Addresses are places of 16 bytes. */
export function schedule(index: u32, client: usize, clientPort: u32, virtual: usize): u32 {
  let service = Service.at(index);
  switch (<i32>service.scheduler) {
    case Scheduler.Rr: return roundRobin(service);
    case Scheduler.Wrr: return weightedRoundRobin(service);
    case Scheduler.Lc: return service.slab != 0 ? leastLoaded(service) : leastConnection(service);
    case Scheduler.Lblc: return localityLeast(service, virtual);
    case Scheduler.Lblcr: return localityReplicated(service, virtual);
    case Scheduler.Dh: return destinationHash(service, virtual);
    case Scheduler.Sh: return sourceHash(service, client, clientPort);
    case Scheduler.Sed: return service.slab != 0 ? leastLoaded(service) : shortestDelay(service);
    case Scheduler.Nq: return service.slab != 0 ? leastLoaded(service) : neverQueue(service);
    case Scheduler.Fo: return failover(service);
    case Scheduler.Ovf: return overflow(service);
    case Scheduler.Mh: return maglev(service, client, clientPort);
    case Scheduler.Twos: return powerOfTwo(service);
    case Scheduler.None: return 0;
    default: return service.slab != 0 ? leastLoaded(service) : weightedLeastConnection(service);
  }
}

/** True for the schedulers this engine has. */
export function isScheduler(scheduler: u32): bool {
  return scheduler <= <u32>Scheduler.None;
}

function remembers(scheduler: u32): bool {
  return scheduler == <u32>Scheduler.Lblc || scheduler == <u32>Scheduler.Lblcr;
}

function needsSlab(scheduler: u32): bool {
  return remembers(scheduler) || scheduler == <u32>Scheduler.Dh || scheduler == <u32>Scheduler.Sh || scheduler == <u32>Scheduler.Mh;
}

/**
 * Gives a service its scheduler. A service that has it already keeps what it knows, as in the kernel.
 * False, and nothing changed, when the scheduler needs a slab and none is free.
 */
export function beginSchedule(index: u32, scheduler: u32): bool {
  let service = Service.at(index);
  if (service.scheduler == scheduler && (service.slab != 0 || !needsSlab(scheduler)) && service.random != 0) return true;
  // What this gives back is there to be taken again.
  if (comparesLoads(service.scheduler)) forgetLoads(service);
  let slab: u32 = 0;
  if (needsSlab(scheduler)) {
    slab = service.slab != 0 ? service.slab : takeSlab();
    if (slab == 0) return false;
  }
  if (remembers(service.scheduler) && service.slab != 0) forgetDestinations(service);
  if (service.slab != 0 && slab == 0) giveSlab(service.slab);
  service.scheduler = scheduler;
  service.slab = slab;
  service.cursor = 0;
  service.current = 0;
  service.random = mix(seed, service.order, 6) | 1;
  if (remembers(scheduler)) beginDestinations(service);
  scheduleChanged(index);
  return true;
}

/** Before a service goes: what its scheduler held is given back, and its servers can go without a word. */
export function endSchedule(index: u32): void {
  let service = Service.at(index);
  if (comparesLoads(service.scheduler)) forgetLoads(service);
  if (service.slab != 0) {
    if (remembers(service.scheduler)) forgetDestinations(service);
    giveSlab(service.slab);
    service.slab = 0;
  }
  service.scheduler = <u32>Scheduler.Rr;
}

/** A server was added, removed, or its weight changed. */
export function scheduleChanged(index: u32): void {
  let service = Service.at(index);
  if (comparesLoads(service.scheduler)) return arrangeLoads(service);
  switch (<i32>service.scheduler) {
    case Scheduler.Wrr: return weightsChanged(service);
    case Scheduler.Dh: return fillByTurn(service);
    case Scheduler.Sh: return fillByWeight(service);
    case Scheduler.Mh: return fillMaglev(service);
  }
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

/** Each tick: goes on through the services and sweeps the first whose remembered destinations are due. */
export function sweepSchedules(): void {
  let used = load<u32>(CONTROL_BASE, CONTROL_SERVICES_USED);
  let index = load<u32>(CONTROL_BASE, CONTROL_SCHEDULE_SWEEP);
  for (let count: u32 = 0; count < SWEEP_SERVICES && used > 1; count++) {
    index = index + 1 >= used ? 1 : index + 1;
    let service = Service.at(index);
    if (!remembers(service.scheduler) || service.slab == 0 || !isSweepDue(service)) continue;
    let name = service.scheduler == <u32>Scheduler.Lblc ? Sysctl.LblcExpiration : Sysctl.LblcrExpiration;
    sweepDestinations(service, sysctl(name));
    break;
  }
  store<u32>(CONTROL_BASE, index, CONTROL_SCHEDULE_SWEEP);
}
