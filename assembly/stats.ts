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

function add(at: usize, packetsOffset: usize, bytesOffset: usize, bytes: u32): void {
  store<u64>(at + packetsOffset, load<u64>(at + packetsOffset) + 1);
  store<u64>(at + bytesOffset, load<u64>(at + bytesOffset) + bytes);
}

/**
 * A packet from a client: counted at the server, its service and in all. `bytes` is the IP length. A removed server
 * has no service; what its last connections send is not counted.
 */
@inline
export function countIn(server: u32, service: u32, bytes: u32): void {
  if (service == 0) return;
  add(serverCounter(server), COUNTER_IN_PACKETS, COUNTER_IN_BYTES, bytes);
  add(serviceCounter(service), COUNTER_IN_PACKETS, COUNTER_IN_BYTES, bytes);
  add(counters, COUNTER_IN_PACKETS, COUNTER_IN_BYTES, bytes);
}

/** A packet from a real server. */
@inline
export function countOut(server: u32, service: u32, bytes: u32): void {
  if (service == 0) return;
  add(serverCounter(server), COUNTER_OUT_PACKETS, COUNTER_OUT_BYTES, bytes);
  add(serviceCounter(service), COUNTER_OUT_PACKETS, COUNTER_OUT_BYTES, bytes);
  add(counters, COUNTER_OUT_PACKETS, COUNTER_OUT_BYTES, bytes);
}

export function countConnection(server: u32, service: u32): void {
  let at = serverCounter(server) + COUNTER_CONNECTIONS;
  store<u64>(at, load<u64>(at) + 1);
  at = serviceCounter(service) + COUNTER_CONNECTIONS;
  store<u64>(at, load<u64>(at) + 1);
  if (service != 0) store<u64>(counters, load<u64>(counters, COUNTER_CONNECTIONS) + 1, COUNTER_CONNECTIONS);
}
