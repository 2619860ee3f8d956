// mh, Maglev hashing (Eisenbud and others, NSDI 2016, section 3.4): each server fills the table in an
// order of its own, so that a server which comes or goes moves few of the others' places.

import { ServiceFlag } from "../abi/enums";
import { commonDivisor } from "../base/divisor";
import { siphash13, siphash13Four } from "../base/siphash";
import { Server } from "../service/server";
import { Service } from "../service/service";
import { addressWord, isClosed } from "./hashing";
import { slabHalf } from "./slab";

/** The kernel's table for its default index 12: a prime, so that every step visits every place. */
export const MAGLEV_PLACES: u32 = 4093;
/** Weights are scaled down until the greatest takes fewer turns than 2 to this power. */
const TURNS_BITS: i32 = 6;
const KEY_PLACE: u64 = 2654435761;
const KEY_STEP: u64 = 2654446892;

@inline
function hash(word: u32, key: u64, places: u32): u32 {
  return siphash13(word, key) % places;
}

/**
 * Fills the table anew. Weights count as they last were above zero: draining a server moves nobody else's
 * clients, and its own places wait for it.
 */
export function fillMaglev(service: Service): void {
  memory.fill(slabHalf(service, 0), 0, MAGLEV_PLACES << 1);
  if (!prepare(service)) return;
  let at = service.servers;
  let taken: u32 = 0;
  for (let filled: u32 = 0; filled < MAGLEV_PLACES;) {
    let server = Server.at(at);
    if (taken < server.turns) {
      takePlace(service, at);
      filled++;
      taken++;
      continue;
    }
    taken = 0;
    at = server.next;
    if (at == 0) at = service.servers;
  }
}

/** Gives a server the next place of its order that is still free. */
function takePlace(service: Service, at: u32): void {
  let server = Server.at(at);
  let place = server.place;
  while (load<u16>(slabHalf(service, place)) != 0) {
    place += server.step;
    if (place >= MAGLEV_PLACES) place -= MAGLEV_PLACES;
  }
  store<u16>(slabHalf(service, place), <u16>at);
  server.place = place;
}

/** A server's address as one word: the kernel reads it as one of the service's family (as recorded: play views). */
function serverWord(service: Service, server: Server): u32 {
  if (service.family == 4 && server.family == 6) return bswap<u32>(load<u32>(server.address));
  return addressWord(server.address);
}

/** Where each server begins, how far it steps, how many places it takes in a turn; false when none has weight. */
function prepare(service: Service): bool {
  let divisor: u32 = 0;
  let greatest: u32 = 0;
  for (let at = service.servers; at != 0; at = Server.at(at).next) {
    let weight = Server.at(at).lastWeight;
    greatest = max(greatest, weight);
    divisor = commonDivisor(weight, divisor);
  }
  if (greatest == 0) return false;
  let shift = max<i32>(32 - <i32>clz<u32>(greatest / divisor) - TURNS_BITS, 0);
  for (let at = service.servers; at != 0; at = Server.at(at).next) {
    let server = Server.at(at);
    let word = serverWord(service, server) + <u32>bswap<u16>(server.port);
    server.place = hash(word, KEY_PLACE, MAGLEV_PLACES);
    server.step = hash(word, KEY_STEP, MAGLEV_PLACES - 1) + 1;
    let turns = (server.lastWeight / divisor) >> shift;
    server.turns = server.lastWeight == 0 ? 0 : max<u32>(turns, 1);
  }
  return true;
}

/** A client as Maglev hashes it: its address, with mh-port its port too. */
@inline
function clientWord(service: Service, address: u32, clientPort: u32): u32 {
  return service.has(ServiceFlag.Flag2) ? address + <u32>bswap<u16>(<u16>clientPort) : address;
}

/** What Maglev hashes of an IPv4 client (its address as on the wire). */
@inline
export function maglevWord4(service: Service, client: u32, clientPort: u32): u32 {
  return clientWord(service, bswap<u32>(client), clientPort);
}

/** The hashes of four clients, by their words. */
@inline
export function maglevFour(words: v128): v128 {
  return siphash13Four(words, KEY_PLACE);
}

/** The server at a hash's place, closed or not; 0 when the table is empty. */
@inline
export function maglevAt(service: Service, hash: u32): u32 {
  return load<u16>(slabHalf(service, hash % MAGLEV_PLACES));
}

/** The server at the client's place. With mh-fallback, further places are tried when it is closed. */
export function maglev(service: Service, client: usize, clientPort: u32): u32 {
  let word = clientWord(service, addressWord(client), clientPort);
  let first = hash(word, KEY_PLACE, MAGLEV_PLACES);
  let at = <u32>load<u16>(slabHalf(service, first));
  if (at == 0) return 0;
  if (!isClosed(Server.at(at))) return at;
  if (!service.has(ServiceFlag.Flag1)) return 0;
  for (let offset: u32 = 0; offset < MAGLEV_PLACES; offset++) {
    let place = hash(word + (first + offset) % MAGLEV_PLACES, KEY_PLACE, MAGLEV_PLACES);
    at = <u32>load<u16>(slabHalf(service, place));
    if (!isClosed(Server.at(at))) return at;
  }
  return 0;
}
