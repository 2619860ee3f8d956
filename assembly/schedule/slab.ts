// Slabs: the tables of the schedulers that hash, one for each service that uses such a scheduler.

import { CONTROL_BASE, CONTROL_SLABS, SLAB_BYTES, SLABS_BASE } from "../abi/layout";
import { SERVERS_MAX, SLABS_MAX } from "../abi/limits";
import { giveRecord, takeRecord } from "../base/pool";
import { Service } from "../service/service";

const POOL: usize = <usize>CONTROL_BASE + CONTROL_SLABS;

/** A zeroed slab, 0 when all are in use. */
export function takeSlab(): u32 {
  return takeRecord(POOL, SLABS_BASE, SLAB_BYTES, SLABS_MAX);
}

export function giveSlab(slab: u32): void {
  giveRecord(POOL, SLABS_BASE, SLAB_BYTES, slab);
}

/** Where a service's slab begins. */
export function slabOf(service: Service): usize {
  return <usize>SLABS_BASE + <usize>service.slab * SLAB_BYTES;
}

/** The place of one word of a service's slab. */
export function slabWord(service: Service, word: u32): usize {
  return slabOf(service) + ((<usize>word) << 2);
}

/** The same of a slab of 16-bit words, half as far apart: a server's index fits into one. */
export function slabHalf(service: Service, word: u32): usize {
  return slabOf(service) + ((<usize>word) << 1);
}
if (SERVERS_MAX > 65536) ERROR("a server's index no longer fits into a slab's half word");
