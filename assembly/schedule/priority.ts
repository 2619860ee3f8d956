// Weights as priorities: the heaviest server serves alone until it fails or is full.

import { Server } from "../service/server";
import { Service } from "../service/service";

/** fo, failover: the heaviest server that is not overloaded; the first met wins a tie. */
export function failover(service: Service): u32 {
  return heaviest(service, false);
}

/** ovf, overflow: as fo, but a server with more active connections than its weight is full. */
export function overflow(service: Service): u32 {
  return heaviest(service, true);
}

function heaviest(service: Service, mayBeFull: bool): u32 {
  let best: u32 = 0;
  let bestWeight: u32 = 0;
  for (let at = service.servers; at != 0; at = Server.at(at).next) {
    let server = Server.at(at);
    if (server.overloaded || server.weight <= bestWeight) continue;
    if (mayBeFull && server.active > server.weight) continue;
    best = at;
    bestWeight = server.weight;
  }
  return best;
}
