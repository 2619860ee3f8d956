// Least connection, plain and weighted. An established connection costs 256 times an idle one.

import { Server } from "../service/server";
import { Service } from "../service/service";

/** The least loaded server; the first met wins a tie. */
export function leastConnection(service: Service): u32 {
  let best: u32 = 0;
  let bestLoad: u64 = 0;
  for (let at = service.servers; at != 0; at = Server.at(at).next) {
    let server = Server.at(at);
    if (server.weight == 0 || server.overloaded) continue;
    if (best == 0 || server.overhead < bestLoad) {
      best = at;
      bestLoad = server.overhead;
    }
  }
  return best;
}

/**
 * The smallest load/weight wins. Comparing a/w < b/v as a*v < b*w keeps us in integers.
 */
export function weightedLeastConnection(service: Service): u32 {
  let best: u32 = 0;
  let bestLoad: u64 = 0;
  let bestWeight: u64 = 0;
  for (let at = service.servers; at != 0; at = Server.at(at).next) {
    let server = Server.at(at);
    if (server.weight == 0 || server.overloaded) continue;
    if (best == 0 || bestLoad * server.weight > server.overhead * bestWeight) {
      best = at;
      bestLoad = server.overhead;
      bestWeight = server.weight;
    }
  }
  return best;
}
