// Locality: requests for one destination go to one server, whose cache then holds what they ask for.
// Made for transparent caches, where a service (by firewall mark) has many destinations.

import { Sysctl } from "../abi/enums";
import { now, since } from "../memory";
import { Server } from "../service/server";
import { Service } from "../service/service";
import { sysctl } from "../sysctl";
import { addDestination, countFull, Destination, findDestination } from "./destinations";
import { weightedLeastConnection } from "./least";
import { addMember, holdServer, isMember, letServer, Member, removeMember } from "./members";

/** More active connections than weight, while another server has less than half of its own. */
function isOverrun(service: Service, server: Server): bool {
  if (server.active <= server.weight) return false;
  for (let at = service.servers; at != 0; at = Server.at(at).next) {
    if (<u64>Server.at(at).active * 2 < <u64>Server.at(at).weight) return true;
  }
  return false;
}

/** lblc: the destination's server, unless it is gone, drained or overrun; then the least loaded is it from now on. */
export function localityLeast(service: Service, virtual: usize): u32 {
  let index = findDestination(service, virtual);
  if (index != 0) {
    Destination.at(index).usedMs = now;
    let known = Destination.at(index).servers;
    let server = Server.at(known);
    if (server.available && server.weight != 0 && !isOverrun(service, server)) return known;
  }
  let chosen = weightedLeastConnection(service);
  if (chosen == 0) return 0;
  if (index == 0) index = addDestination(service, virtual);
  if (index == 0) return chosen;
  holdServer(chosen);
  if (Destination.at(index).servers != 0) letServer(Destination.at(index).servers);
  Destination.at(index).servers = chosen;
  return chosen;
}

/**
 * lblcr: a destination has a set of servers, and the least loaded of them serves. When that one is overrun,
 * the service's least loaded joins the set; when the set rested for long, its most loaded member leaves.
 */
export function localityReplicated(service: Service, virtual: usize): u32 {
  let index = findDestination(service, virtual);
  if (index != 0) {
    let destination = Destination.at(index);
    destination.usedMs = now;
    let known = leastMember(destination.servers);
    shrink(destination);
    if (known != 0 && !isOverrun(service, Server.at(known))) return known;
  }
  let chosen = weightedLeastConnection(service);
  if (chosen == 0) return 0;
  if (index == 0) index = addDestination(service, virtual);
  if (index != 0) join(Destination.at(index), chosen);
  return chosen;
}

function join(destination: Destination, server: u32): void {
  if (isMember(destination.servers, server)) return;
  let first = addMember(destination.servers, server);
  if (first == destination.servers) return countFull();
  destination.servers = first;
  destination.changedMs = now;
}

function shrink(destination: Destination): void {
  if (destination.servers == 0 || Member.at(destination.servers).next == 0) return;
  if (<i64>since(destination.changedMs) <= <i64><i32>sysctl(Sysctl.LblcrExpiration) * 1000) return;
  let most = mostMember(destination.servers);
  if (most == 0) return;
  destination.servers = removeMember(destination.servers, most);
  destination.changedMs = now;
}

/** The member with the smallest load / weight that may serve; the first met wins a tie. */
function leastMember(first: u32): u32 {
  let best: u32 = 0;
  for (let at = first; at != 0; at = Member.at(at).next) {
    let server = Server.at(Member.at(at).server);
    if (server.weight == 0 || server.overloaded || !server.available) continue;
    if (best == 0 || isHeavier(Server.at(best), server)) best = Member.at(at).server;
  }
  return best;
}

/** The member with the greatest load / weight among those with weight. */
function mostMember(first: u32): u32 {
  let most: u32 = 0;
  for (let at = first; at != 0; at = Member.at(at).next) {
    let server = Server.at(Member.at(at).server);
    if (server.weight == 0) continue;
    if (most == 0 || isHeavier(server, Server.at(most))) most = Member.at(at).server;
  }
  return most;
}

/** True when a's load / weight is greater: a/w > b/v as a*v > b*w. */
function isHeavier(a: Server, b: Server): bool {
  return a.overhead * b.weight > b.overhead * a.weight;
}
