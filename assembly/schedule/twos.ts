// The power of two choices: two servers drawn by weight, the less loaded one taken. It needs no view of
// all loads, and does not send everybody to the one server that was idle a moment ago.

import { xorshift } from "../base/random";
import { Server } from "../service/server";
import { Service } from "../service/service";

function mayServe(server: Server): bool {
  return server.weight != 0 && !server.overloaded;
}

/** Draws two servers and takes the one with the smaller load / weight; the first drawn wins a tie. */
export function powerOfTwo(service: Service): u32 {
  let total: u64 = 0;
  for (let at = service.servers; at != 0; at = Server.at(at).next) {
    let server = Server.at(at);
    if (mayServe(server)) total += server.weight;
  }
  if (total == 0) return 0;
  let first = draw(service, total);
  let second = draw(service, total);
  let one = Server.at(first);
  let other = Server.at(second);
  // a/w > b/v as a*v > b*w keeps us in integers.
  return one.overhead * other.weight > other.overhead * one.weight ? second : first;
}

/** One server, each with the probability of its share of the weights. */
function draw(service: Service, total: u64): u32 {
  let high = xorshift(service.random);
  service.random = xorshift(high);
  let left = (<u64>high << 32 | <u64>service.random) % total;
  let at = service.servers;
  for (; at != 0; at = Server.at(at).next) {
    let server = Server.at(at);
    if (!mayServe(server)) continue;
    if (left < <u64>server.weight) break;
    left -= server.weight;
  }
  return at;
}
