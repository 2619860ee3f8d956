// Shortest expected delay: the new connection is counted in before servers are compared. Idle ones do not count.

import { Server } from "../service/server";
import { Service } from "../service/service";

/** What a server would have to do with one connection more. */
function delay(server: Server): u64 {
  return <u64>server.active + 1;
}

/** sed: the smallest (active + 1) / weight wins; the first met wins a tie. */
export function shortestDelay(service: Service): u32 {
  return shortest(service, false);
}

/** nq: an idle server is taken at once, so that nobody queues while somebody waits; else as sed. */
export function neverQueue(service: Service): u32 {
  return shortest(service, true);
}

/** Comparing a/w < b/v as a*v < b*w keeps us in integers. */
function shortest(service: Service, idleFirst: bool): u32 {
  let best: u32 = 0;
  let bestDelay: u64 = 0;
  let bestWeight: u64 = 0;
  for (let at = service.servers; at != 0; at = Server.at(at).next) {
    let server = Server.at(at);
    if (server.weight == 0 || server.overloaded) continue;
    if (idleFirst && server.active == 0) return at;
    if (best == 0 || bestDelay * server.weight > delay(server) * bestWeight) {
      best = at;
      bestDelay = delay(server);
      bestWeight = server.weight;
    }
  }
  return best;
}
