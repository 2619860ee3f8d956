// Where a target is reached: longest prefix, then the gateway's or the target's own neighbour record.

import {
  CONTROL_BASE, CONTROL_ROUTES_USED, NEIGHBORS_BASE, NEIGHBOR_BYTES, NEIGHBOR_PORT,
  ROUTES_BASE, ROUTE_BYTES, ROUTE_FAMILY, ROUTE_GATEWAY, ROUTE_PORT, ROUTE_PREFIX,
} from "../abi/layout";
import { ControlError } from "../abi/enums";
import { ROUTES_MAX } from "../abi/limits";
import { copyAddress, isLinkLocal6, isZeroAddress, sameAddress, samePrefix } from "../wire/field";
import { touchNeighbor } from "./neighbor";
import { routesChanged } from "./generation";

const ANY_PORT: u32 = 0xffffffff;

function routeAt(index: u32): usize {
  return <usize>ROUTES_BASE + <usize>index * ROUTE_BYTES;
}

/** The route with the longest prefix, the first among equals; 0 when there is none. */
export function findRoute(family: u32, target: usize): u32 {
  return longest(family, target, ANY_PORT);
}

function longest(family: u32, target: usize, port: u32): u32 {
  let used = load<u32>(CONTROL_BASE, CONTROL_ROUTES_USED);
  let best: u32 = 0;
  let bestBits: i32 = -1;
  for (let index: u32 = 1; index < used; index++) {
    let route = routeAt(index);
    if (<u32>load<u8>(route, ROUTE_FAMILY) != family) continue;
    if (port != ANY_PORT && <u32>load<u16>(route, ROUTE_PORT) != port) continue;
    let bits = <i32>load<u8>(route, ROUTE_PREFIX);
    if (bits > bestBits && samePrefix(route, target, bits)) {
      best = index;
      bestBits = bits;
    }
  }
  return best;
}

/** True when a target is on the wire behind a port itself, with no gateway before it. */
export function isOnLink(family: u32, port: u32, target: usize): bool {
  let index = findRoute(family, target);
  return index != 0 && <u32>load<u16>(routeAt(index), ROUTE_PORT) == port && isZeroAddress(routeAt(index) + ROUTE_GATEWAY);
}

/** True for the last IPv4 address of a net that is on the wire: it means all of that net's hosts. */
export function isBroadcast(address: usize): bool {
  let index = findRoute(4, address);
  if (index == 0) return false;
  let bits = <u32>load<u8>(routeAt(index), ROUTE_PREFIX);
  if (bits < 97 || bits > 126 || !isZeroAddress(routeAt(index) + ROUTE_GATEWAY)) return false;
  let hosts = u32.MAX_VALUE >> (bits - 96);
  return (bswap<u32>(load<u32>(address, 12)) & hosts) == hosts;
}

/** The neighbour a packet to this target goes to; 0 when no route leads there. */
export function nextHop(family: u32, target: usize): u32 {
  return hopOf(findRoute(family, target), family, target);
}

/** The same for an answer to a packet's sender: who is link-local is on the link that the packet came by (as the kernel: recording link_local_sources). */
export function hopBack(family: u32, port: u32, source: usize): u32 {
  if (family == 4 || !isLinkLocal6(source)) return nextHop(family, source);
  return hopOf(longest(6, source, port), 6, source);
}

function hopOf(index: u32, family: u32, target: usize): u32 {
  if (index == 0) return 0;
  let route = routeAt(index);
  let gateway = route + ROUTE_GATEWAY;
  return touchNeighbor(family, load<u16>(route, ROUTE_PORT), isZeroAddress(gateway) ? target : gateway);
}

export function hopPort(neighbor: u32): u32 {
  return load<u16>(<usize>NEIGHBORS_BASE + <usize>neighbor * NEIGHBOR_BYTES, NEIGHBOR_PORT);
}

/** Adds a route, or changes the one with the same prefix. `bits` counts in 128. */
export function addRoute(family: u32, address: usize, bits: u32, gateway: usize, port: u32): i32 {
  let used = max<u32>(load<u32>(CONTROL_BASE, CONTROL_ROUTES_USED), 1);
  let index: u32 = 1;
  while (index < used && load<u8>(routeAt(index), ROUTE_FAMILY) != 0 && !isRoute(index, family, address, bits)) index++;
  if (index == ROUTES_MAX) return <i32>ControlError.Full;
  let route = routeAt(index);
  copyAddress(route, address);
  copyAddress(route + ROUTE_GATEWAY, gateway);
  store<u8>(route, <u8>bits, ROUTE_PREFIX);
  store<u8>(route, <u8>family, ROUTE_FAMILY);
  store<u16>(route, <u16>port, ROUTE_PORT);
  if (index == used) store<u32>(CONTROL_BASE, used + 1, CONTROL_ROUTES_USED);
  routesChanged();
  return <i32>index;
}

export function removeRoute(family: u32, address: usize, bits: u32): i32 {
  let used = load<u32>(CONTROL_BASE, CONTROL_ROUTES_USED);
  for (let index: u32 = 1; index < used; index++) {
    if (!isRoute(index, family, address, bits)) continue;
    memory.fill(routeAt(index), 0, ROUTE_BYTES);
    routesChanged();
    return 0;
  }
  return <i32>ControlError.NotFound;
}

function isRoute(index: u32, family: u32, address: usize, bits: u32): bool {
  let route = routeAt(index);
  return <u32>load<u8>(route, ROUTE_FAMILY) == family && <u32>load<u8>(route, ROUTE_PREFIX) == bits &&
    sameAddress(route, address);
}
