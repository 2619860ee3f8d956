// Round robin, plain and weighted. Servers are met newest first, as the kernel's list has them.

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
  if (service.maximum == 0 || service.divisor == 0) return 0;
  let turns = service.maximum / service.divisor + 2;
  let at = service.cursor;
  for (let turn: u32 = 0; turn <= turns;) {
    at = at == 0 ? service.servers : Server.at(at).next;
    if (at == 0) {
      // The list is through: the next turn asks for less, or for the most again.
      turn++;
      service.current -= <i32>service.divisor;
      if (service.current <= 0) service.current = <i32>(service.maximum - (service.divisor - 1));
      continue;
    }
    let server = Server.at(at);
    if (<i32>min<u32>(server.weight, <u32>i32.MAX_VALUE) >= service.current && !server.overloaded && server.weight != 0) {
      service.cursor = at;
      return at;
    }
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
    if (weight != 0) divisor = greatestDivisor(weight, divisor);
  }
  service.divisor = max<u32>(divisor, 1);
  // The first turn asks for the greatest weight, less what the divisor leaves.
  service.maximum = maximum;
  let top = <i32>maximum - <i32>(service.divisor - 1);
  if (service.scheduler == 1) service.cursor = 0;
  if (service.current > top || service.current == 0) service.current = top;
  else if (service.divisor > 1) service.current = (service.current / <i32>service.divisor) * <i32>service.divisor + 1;
}

function greatestDivisor(a: u32, b: u32): u32 {
  while (b != 0) {
    let rest = a % b;
    a = b;
    b = rest;
  }
  return a;
}
