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
@inline
export function countIn(server: u32, service: u32, bytes: u32): void {
  if (service == 0) return;
  addIn(serverCounter(server), bytes);
  addIn(serviceCounter(service), bytes);
  addIn(counters, bytes);
}

/** A packet from a real server. */
@inline
export function countOut(server: u32, service: u32, bytes: u32): void {
  if (service == 0) return;
  addOut(serverCounter(server), bytes);
  addOut(serviceCounter(service), bytes);
  addOut(counters, bytes);
}

// Offsets given to a load as its last argument cost nothing; added to the address they do.
@inline
function addIn(at: usize, bytes: u32): void {
  store<u64>(at, load<u64>(at, COUNTER_IN_PACKETS) + 1, COUNTER_IN_PACKETS);
  store<u64>(at, load<u64>(at, COUNTER_IN_BYTES) + bytes, COUNTER_IN_BYTES);
}

@inline
function addOut(at: usize, bytes: u32): void {
  store<u64>(at, load<u64>(at, COUNTER_OUT_PACKETS) + 1, COUNTER_OUT_PACKETS);
  store<u64>(at, load<u64>(at, COUNTER_OUT_BYTES) + bytes, COUNTER_OUT_BYTES);
}

export function countConnection(server: u32, service: u32): void {
  let at = serverCounter(server) + COUNTER_CONNECTIONS;
  store<u64>(at, load<u64>(at) + 1);
  at = serviceCounter(service) + COUNTER_CONNECTIONS;
  store<u64>(at, load<u64>(at) + 1);
  if (service != 0) store<u64>(counters, load<u64>(counters, COUNTER_CONNECTIONS) + 1, COUNTER_CONNECTIONS);
}
