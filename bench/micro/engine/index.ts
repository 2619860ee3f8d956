// The engine's leaves in loops, for the benches alone: a module of its own, with the engine's own options.

import { schedule } from "../../../assembly/schedule/table";
import { checksum } from "../../../assembly/wire/checksum";
import { refreshCrc } from "../../../assembly/wire/sctp";
import { bucketOf, FROM_CLIENT, hashClient, lookup, matches, tagOf } from "../../../assembly/connection/table";
import { Packet } from "../../../assembly/packet/packet";
import { scan } from "../../../assembly/packet/scan";
import { GROUP_MAX } from "../../../assembly/abi/limits";

export { attach, control, init, receive, tick } from "../../../assembly/index";

/** Sums a packet over and over; the answer keeps the work alive. */
export function checksums(at: usize, bytes: u32, times: u32): u32 {
  let total: u32 = 0;
  for (let i: u32 = 0; i < times; i++) total += checksum(at, bytes);
  return total;
}

export function sctpChecksums(at: usize, bytes: u32, times: u32): void {
  for (let i: u32 = 0; i < times; i++) refreshCrc(at, bytes);
}

export function hashes(client: u32, times: u32): u32 {
  let total: u32 = 0;
  for (let i: u32 = 0; i < times; i++) total += hashClient(client + i, i & 0xffff, 6);
  return total;
}

/** Parses the first `count` frames of the receive list; answers how many were ordinary, in the last turn. */
export function scans(count: u32, times: u32): u32 {
  let ordinary: u32 = 0;
  for (let turn: u32 = 0; turn < times; turn++) {
    ordinary = 0;
    for (let i: u32 = 0; i < count; i++) {
      let packet = Packet.at(i % GROUP_MAX);
      scan(packet, i);
      ordinary += packet.family == 4 ? 1 : 0;
    }
  }
  return ordinary;
}

/** Looks up keys of 8 bytes (client address, client port) from a list; answers how many were found. */
export function lookups(list: usize, count: u32, virtual: usize, virtualPort: u32, scratch: usize): u32 {
  let found: u32 = 0;
  for (let i: u32 = 0; i < count; i++) {
    let key = list + (<usize>i << 3);
    store<u32>(scratch, load<u32>(key), 12);
    if (lookup(FROM_CLIENT, 4, 6, scratch, load<u32>(key, 4), virtual, virtualPort) != 0) found++;
  }
  return found;
}

/** Tags matched in the home bucket only: what a hit costs without its connection. */
export function matchings(list: usize, count: u32): u32 {
  let found: u32 = 0;
  for (let i: u32 = 0; i < count; i++) {
    let key = list + (<usize>i << 3);
    let hash = hashClient(load<u32>(key), load<u32>(key, 4), 6);
    found += matches(bucketOf(hash), tagOf(hash)) != 0 ? 1 : 0;
  }
  return found;
}

/** Chooses a server over and over, for clients one after the other; answers how often there was one. */
export function choices(service: u32, client: usize, virtual: usize, times: u32): u32 {
  let chosen: u32 = 0;
  for (let i: u32 = 0; i < times; i++) {
    store<u32>(client, i * 0x9e3779b1, 12);
    if (schedule(service, client, 0x409c, virtual) != 0) chosen++;
  }
  return chosen;
}
