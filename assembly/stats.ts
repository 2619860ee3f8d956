// Counters. Each worker writes its own set; readers add them up.

import {
  COUNTER_BYTES, COUNTER_CONNECTIONS, COUNTER_IN_BYTES, COUNTER_IN_PACKETS, COUNTER_OUT_BYTES,
  COUNTER_OUT_PACKETS,
} from "./abi/layout";
import { SERVICES_MAX } from "./abi/limits";
import { DropReason } from "./abi/enums";
import { counters, drops } from "./memory";

/** Counts a dropped frame. Nothing is dropped without a reason. */
export function drop(reason: DropReason): void {
  let at = drops + (<usize>reason << 3);
  store<u64>(at, load<u64>(at) + 1);
}

export function serviceCounter(service: u32): usize {
  return counters + <usize>service * COUNTER_BYTES;
}

export function serverCounter(server: u32): usize {
  return counters + (<usize>server + SERVICES_MAX) * COUNTER_BYTES;
}

/**
 * A packet from a client: counted at the server, its service and in all. `bytes` is the IP length. A removed server
 * has no service; what its last connections send is not counted.
 */
export function countIn(server: u32, service: u32, bytes: u32): void {
  if (service == 0) return;
  let one = packetOf(bytes);
  add(serverCounter(server) + COUNTER_IN_PACKETS, one);
  add(serviceCounter(service) + COUNTER_IN_PACKETS, one);
  add(counters + COUNTER_IN_PACKETS, one);
}

/** A packet from a real server. */
export function countOut(server: u32, service: u32, bytes: u32): void {
  if (service == 0) return;
  let one = packetOf(bytes);
  add(serverCounter(server) + COUNTER_OUT_PACKETS, one);
  add(serviceCounter(service) + COUNTER_OUT_PACKETS, one);
  add(counters + COUNTER_OUT_PACKETS, one);
}

/** What one packet adds to the two counters that lie side by side. */
@inline
export function packetOf(bytes: u32): v128 {
  return i64x2.replace_lane(i64x2.splat(1), 1, bytes);
}

/** Adds to two counters at once. */
@inline
export function add(at: usize, packets: v128): void {
  v128.store(at, i64x2.add(v128.load(at), packets));
}
if (COUNTER_IN_BYTES != COUNTER_IN_PACKETS + 8) ERROR("packets and bytes from clients no longer lie side by side");
if (COUNTER_OUT_BYTES != COUNTER_OUT_PACKETS + 8) ERROR("packets and bytes from servers no longer lie side by side");

export function countConnection(server: u32, service: u32): void {
  addConnections(serverCounter(server), 1);
  addConnections(serviceCounter(service), 1);
  if (service != 0) addConnections(counters, 1);
}

/** Adds new connections to a set of counters. */
@inline
export function addConnections(at: usize, count: u32): void {
  store<u64>(at, load<u64>(at, COUNTER_CONNECTIONS) + count, COUNTER_CONNECTIONS);
}
