// Round robin, plain and weighted. Servers are met newest first, as the kernel's list has them.

import { commonDivisor } from "../base/divisor";
import { Server } from "../service/server";
import { Service } from "../service/service";

/** The server after the last chosen one that has weight and room. */
export function roundRobin(service: Service): u32 {
  let at = service.cursor;
  for (let step: u32 = 0; step <= service.serversCount; step++) {
    at = at == 0 ? service.servers : Server.at(at).next;
    if (at == 0) at = service.servers;
    if (at == 0) return 0;
    let server = Server.at(at);
    if (server.weight != 0 && !server.overloaded) {
      service.cursor = at;
      return at;
    }
  }
  return 0;
}

/**
 * Weighted round robin: the current weight goes down by the divisor with every turn, and a server
 * answers while its weight reaches it. So heavy servers are spread between the light ones.
 */
export function weightedRoundRobin(service: Service): u32 {
  let greatest = greatestOpen(service);
  if (greatest == 0) return nobody(service);
  let at = service.cursor;
  // The rest of this turn, then one whole turn in which the heaviest open server answers.
  for (let step: u32 = 0; step <= 2 * service.serversCount + 2; step++) {
    at = at == 0 ? service.servers : Server.at(at).next;
    if (at == 0) {
      nextTurn(service, greatest);
      continue;
    }
    let server = Server.at(at);
    if (<i32>server.weight >= service.current && !server.overloaded && server.weight != 0) {
      service.cursor = at;
      return at;
    }
  }
  return 0;
}

/** The greatest weight among servers with room. */
function greatestOpen(service: Service): u32 {
  let greatest: u32 = 0;
  for (let at = service.servers; at != 0; at = Server.at(at).next) {
    let server = Server.at(at);
    if (!server.overloaded) greatest = max(greatest, server.weight);
  }
  return greatest;
}

/**
 * The list is through: the next turn asks for less, or for the most again. Turns that nobody could answer,
 * because the heavy servers are full, are passed over at once: there may be two thousand million of them.
 */
function nextTurn(service: Service, greatest: u32): void {
  let divisor = <i32>service.divisor;
  let next = service.current - divisor;
  if (next <= 0) next = <i32>service.maximum - (divisor - 1);
  service.current = min<i32>(next, <i32>greatest - (divisor - 1));
}

/**
 * Everybody is full: the turns have run down, as if each had been asked. Where one had begun that asked for more than the least,
 * the walk has come to the end after it, and begins anew; else all have been asked up to the last chosen server (as the kernel:
 * recording wrr_full).
 */
function nobody(service: Service): u32 {
  if (service.maximum == 0) return 0;
  let divisor = <i32>service.divisor;
  if (service.cursor == 0 || service.current > divisor) {
    service.cursor = 0;
    service.current = <i32>service.maximum - (divisor - 1);
  } else {
    service.current = 1;
  }
  return 0;
}

/** Takes the weights' greatest common divisor and maximum anew; the walk begins at the head. */
export function weightsChanged(service: Service): void {
  let divisor: u32 = 0;
  let maximum: u32 = 0;
  for (let at = service.servers; at != 0; at = Server.at(at).next) {
    let weight = Server.at(at).weight;
    maximum = max(maximum, weight);
    divisor = commonDivisor(weight, divisor);
  }
  service.divisor = max<u32>(divisor, 1);
  service.maximum = maximum;
  service.cursor = 0;
  // The first turn asks for the greatest weight, less what the divisor leaves.
  let top = <i32>maximum - <i32>(service.divisor - 1);
  if (service.current > top || service.current == 0) service.current = top;
  else if (service.divisor > 1) service.current = (service.current / <i32>service.divisor) * <i32>service.divisor + 1;
}
