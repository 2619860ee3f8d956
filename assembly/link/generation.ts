// A number that changes with every route, address and neighbour: whoever remembered a way looks again.

import { CONTROL_BASE, CONTROL_ROUTE_GENERATION } from "../abi/layout";

/** Everything remembered of routes and neighbours is out of date. */
export function routesChanged(): void {
  store<u32>(CONTROL_BASE, load<u32>(CONTROL_BASE, CONTROL_ROUTE_GENERATION) + 1, CONTROL_ROUTE_GENERATION);
}
