// The recordings' network: a director with a client side "out" and a server side "in", everything static.

import type { Engine } from "../../host/engine/engine.js";
import { addLocal, addNeighbor, addRoute, setPort } from "../../host/engine/requests.js";

export const OUT = 1;
export const IN = 2;

export function buildTopology(engine: Engine): void {
  setPort(engine, OUT, "02:00:00:00:01:01", 1500);
  setPort(engine, IN, "02:00:00:00:02:01", 1500);
  for (const prefix of ["10.0.1.1/24", "10.0.1.100/32", "fd00:1::1/64", "fd00:1::100/128"]) addLocal(engine, OUT, prefix);
  for (const prefix of ["10.0.2.1/24", "fd00:2::1/64"]) addLocal(engine, IN, prefix);
  for (const net of ["10.0.1.", "fd00:1::"]) {
    addNeighbor(engine, OUT, `${net}50`, "02:00:00:00:01:c1");
    addNeighbor(engine, OUT, `${net}254`, "02:00:00:00:01:fe");
  }
  for (const net of ["10.0.2.", "fd00:2::"]) {
    addNeighbor(engine, IN, `${net}254`, "02:00:00:00:02:fe");
    for (let server = 1; server <= 20; server++) {
      addNeighbor(engine, IN, `${net}${10 + server}`, `02:00:00:00:02:${(10 + server).toString(16).padStart(2, "0")}`);
    }
  }
  addRoute(engine, OUT, "0.0.0.0/0", "10.0.1.254");
  addRoute(engine, OUT, "::/0", "fd00:1::254");
  addRoute(engine, IN, "10.0.3.0/24", "10.0.2.254");
  addRoute(engine, IN, "fd00:3::/64", "fd00:2::254");
}
