// Schedulers that hash an address into a table of servers: sh by the client's, dh by the virtual one.
// Slot for slot as the kernel's, so that two directors agree without speaking to each other.

import { ServiceFlag } from "../abi/enums";
import { Server } from "../service/server";
import { Service } from "../service/service";
import { slabWord } from "./slab";

const PLACES_BITS: u32 = 8;
const PLACES: u32 = 1 << PLACES_BITS;
/** 2^32 divided by the golden ratio squared: Knuth's multiplicative hashing, as the kernel's hash_32. */
const GOLDEN: u32 = 0x61c88647;

/** An address as one word in the host's order; IPv6 is the exclusive or of its four words. */
export function addressWord(address: usize): u32 {
  let high = load<u64>(address);
  if (high == 0 && load<u32>(address, 8) == 0xffff0000) return bswap<u32>(load<u32>(address, 12));
  let both = high ^ load<u64>(address, 8);
  return bswap<u32>(<u32>(both >> 32) ^ <u32>both);
}

/** True when a new connection may not go to a server: it drains or is full. */
export function isClosed(server: Server): bool {
  return server.weight == 0 || server.overloaded;
}

/** dh fills its table with the servers in turn. */
export function fillByTurn(service: Service): void {
  fill(service, false);
}

/** sh gives each server as many neighbouring places as it has weight, at least one. */
export function fillByWeight(service: Service): void {
  fill(service, true);
}

function fill(service: Service, weighted: bool): void {
  let at = service.servers;
  let taken: u32 = 0;
  for (let place: u32 = 0; place < PLACES; place++) {
    store<u32>(slabWord(service, place), at);
    if (at == 0) continue;
    if (weighted && ++taken < Server.at(at).weight) continue;
    taken = 0;
    at = Server.at(at).next;
    if (at == 0) at = service.servers;
  }
}

function placeOf(word: u32, offset: u32): u32 {
  return (offset + ((word * GOLDEN) >> (32 - PLACES_BITS))) & (PLACES - 1);
}

/** dh: the server at the virtual address's place, or nobody. */
export function destinationHash(service: Service, virtual: usize): u32 {
  let at = load<u32>(slabWord(service, placeOf(addressWord(virtual), 0)));
  return at == 0 || isClosed(Server.at(at)) ? 0 : at;
}

/** sh: the server at the client's place. With sh-fallback, places further on are tried when it is closed. */
export function sourceHash(service: Service, client: usize, clientPort: u32): u32 {
  let word = addressWord(client);
  if (service.has(ServiceFlag.Flag2)) word += <u32>bswap<u16>(<u16>clientPort);
  let first = placeOf(word, 0);
  let at = load<u32>(slabWord(service, first));
  if (at == 0) return 0;
  if (!isClosed(Server.at(at))) return at;
  if (!service.has(ServiceFlag.Flag1)) return 0;
  for (let offset: u32 = 0; offset < PLACES; offset++) {
    at = load<u32>(slabWord(service, placeOf(word, (first + offset) & (PLACES - 1))));
    if (!isClosed(Server.at(at))) return at;
  }
  return 0;
}
