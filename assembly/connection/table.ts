// The connection table: buckets of one cache line, eight 16-bit tags matched at once by SIMD.
//
// A full bucket overflows to the next one, without bound; `overflow` counts how many entries passed
// a bucket, so a search stops at the first bucket nobody had to pass.

import {
  BUCKET_BYTES, BUCKET_INDICES, BUCKET_OVERFLOW, BUCKET_PLACES, CONNECTION_BYTES, CONNECTION_CLIENT16, DUE_BYTES, FREE_BYTES,
  STATE_AWAITED, STATE_FREE, STATE_FRESH, STATE_USED,
} from "../abi/layout";
import { ConnectionFlag, Forward } from "../abi/enums";
import { BUCKET_BITS_MAX } from "../abi/limits";
import { foldAddress, mix } from "../base/hash";
import { bucketMask, buckets, connections, connectionsMax, dues, freed, inCommons, seed, table } from "../memory";
import { Connection } from "./connection";
import { lookAtEnd, lookNever } from "./due";
import { hashNote, hasNote, noteHash } from "./note";

/** The hash of a connection: protocol, client address (folded), client port. Nothing else. */
export function hashClient(client: u32, clientPort: u32, protocol: u32): u32 {
  return mix(client, (protocol << 16) | clientPort, seed);
}

/** The tag of a hash; never 0, which means an empty place. */
export function tagOf(hash: u32): u32 {
  return (hash >> 16) | 1;
}

export function bucketOf(hash: u32): usize {
  return buckets + (<usize>(hash & bucketMask) << 6);
}

/** One bit for each of a bucket's places whose tag matches. */
export function matches(bucket: usize, tag: u32): u32 {
  return <u32>i16x8.bitmask(i16x8.eq(v128.load(bucket), i16x8.splat(<i16>tag)));
}

function next(bucket: usize): usize {
  return buckets + ((bucket - buckets + BUCKET_BYTES) & ((<usize>bucketMask << 6) | 63));
}

/** True when a tag also lies in a bucket that one went on to, being full. */
export function isFurther(bucket: usize, tag: u32): bool {
  for (let step: u32 = 0; step <= bucketMask && load<u32>(bucket, BUCKET_OVERFLOW) != 0; step++) {
    bucket = next(bucket);
    if (matches(bucket, tag) != 0) return true;
  }
  return false;
}

/** Which end of a connection a packet was sent from. */
export const FROM_CLIENT: u32 = 0;
export const FROM_SERVER: u32 = 1;

/**
 * The connection with this client and, seen from the client, this other end: the virtual address
 * (FROM_CLIENT) or the server's (FROM_SERVER). Addresses are places of 16 bytes. 0 when there is none.
 */
export function lookup(
  from: u32, family: u32, protocol: u32, client: usize, clientPort: u32, other: usize, otherPort: u32,
): u32 {
  let hash = hashClient(foldAddress(client), clientPort, protocol);
  let tag = tagOf(hash);
  let bucket = bucketOf(hash);
  for (let step: u32 = 0; step <= bucketMask; step++) {
    let found = matches(bucket, tag);
    while (found != 0) {
      let index = load<u32>(bucket + (<usize>ctz(found) << 2), BUCKET_INDICES);
      let connection = Connection.at(index);
      if (<u32>connection.protocol == protocol && <u32>connection.clientPort == clientPort &&
        connection.family == family && connection.clientIs(client) &&
        !connection.has(ConnectionFlag.Template)) {
        if (from == FROM_CLIENT || connection.forward != <u32>Forward.Nat) {
          // Where nothing is rewritten, the server too speaks with the virtual address.
          if (<u32>connection.virtualPort == otherPort && connection.virtualIs(other)) return index;
        } else if (<u32>connection.serverPort == otherPort && connection.serverIs(other)) return index;
      }
      found &= found - 1;
    }
    if (load<u32>(bucket, BUCKET_OVERFLOW) == 0) return 0;
    bucket = next(bucket);
  }
  return 0;
}

/** In the commons everything but templates is announced: it waits there for its first packet. */
function countAwaited(connection: Connection, change: u32): void {
  if (connection.has(ConnectionFlag.NoClientPort) || (inCommons() && !connection.has(ConnectionFlag.Template))) {
    store<u32>(table, load<u32>(table, STATE_AWAITED) + change, STATE_AWAITED);
  }
}

/**
 * The template of a client (its net) at a virtual address. `protocol` is 0 for marks. With `noteBytes`, the one
 * that also has this text.
 */
export function lookupTemplate(
  family: u32, protocol: u32, client: usize, virtual: usize, virtualPort: u32, note: usize, noteBytes: u32,
): u32 {
  let hash = hashClient(foldAddress(client) ^ (noteBytes != 0 ? hashNote(note, noteBytes) : 0), 0, protocol);
  let tag = tagOf(hash);
  let bucket = bucketOf(hash);
  for (let step: u32 = 0; step <= bucketMask; step++) {
    let found = matches(bucket, tag);
    while (found != 0) {
      let index = load<u32>(bucket + (<usize>ctz(found) << 2), BUCKET_INDICES);
      let connection = Connection.at(index);
      if (connection.has(ConnectionFlag.Template) && <u32>connection.protocol == protocol &&
        connection.clientPort == 0 && <u32>connection.virtualPort == virtualPort && connection.family == family &&
        connection.clientIs(client) && connection.virtualIs(virtual) &&
        hasNote(connection, note, noteBytes)) return index;
      found &= found - 1;
    }
    if (load<u32>(bucket, BUCKET_OVERFLOW) == 0) return 0;
    bucket = next(bucket);
  }
  return 0;
}

/** Takes a zeroed record; 0 when all are in use. Record 0 is never given out. */
export function take(): u32 {
  let index = takeAsItIs();
  if (index != 0) clear(connections + <usize>index * CONNECTION_BYTES);
  return index;
}

/** The same, and its taker overwrites all of it. The one given back last goes first. */
@inline
export function takeAsItIs(): u32 {
  let index: u32;
  let free = load<u32>(table, STATE_FREE);
  if (free != 0) {
    free--;
    store<u32>(table, free, STATE_FREE);
    index = load<u32>(freed + <usize>free * FREE_BYTES);
  } else {
    index = max<u32>(load<u32>(table, STATE_FRESH), 1);
    if (index >= connectionsMax) return 0;
    store<u32>(table, index + 1, STATE_FRESH);
  }
  store<u32>(table, load<u32>(table, STATE_USED) + 1, STATE_USED);
  return index;
}

/** Zeroes a record but for its details. Four stores are faster than memory.fill, which leaves the module for so few bytes. */
function clear(record: usize): void {
  let zero = i64x2.splat(0);
  v128.store(record, zero);
  v128.store(record, zero, 16);
  v128.store(record, zero, 32);
  v128.store(record, zero, 48);
}
if (CONNECTION_CLIENT16 != 64) ERROR("clear() zeroes 64 bytes");

/** True when nobody can open a connection any more. */
export function isTableFull(): bool {
  return load<u32>(table, STATE_USED) >= connectionsMax - 1;
}

/** Touches the records that will be taken next, so that the waits for them overlap. */
export function foreseeRecords(count: u32): u32 {
  let touched: u32 = 0;
  let free = load<u32>(table, STATE_FREE);
  let end = freed + <usize>free * FREE_BYTES;
  let records = connections;
  let words = dues;
  for (let at = end - <usize>min(free, count) * FREE_BYTES; at < end; at += FREE_BYTES) {
    let index = <usize>load<u32>(at);
    touched += load<u32>(records + index * CONNECTION_BYTES) + load<u16>(words + index * DUE_BYTES);
  }
  return touched;
}

/** Gives a record back. It must not be in the table any more. */
@inline
export function give(index: u32): void {
  let connection = Connection.at(index);
  connection.flags = 0;
  connection.protocol = 0;
  let free = load<u32>(table, STATE_FREE);
  store<u32>(freed + <usize>free * FREE_BYTES, index);
  store<u32>(table, free + 1, STATE_FREE);
  store<u32>(table, load<u32>(table, STATE_USED) - 1, STATE_USED);
  lookNever(index);
}

/**
 * The hash a connection lies under: its client's. A template with a text lies apart by that too, since one
 * client, a proxy, may have thousands of calls.
 */
function homeHash(connection: Connection): u32 {
  let client = connection.client;
  if (connection.has(ConnectionFlag.Template)) client ^= noteHash(connection);
  return hashClient(client, connection.clientPort, connection.protocol);
}

/** A home's upper bit: the bucket is not the one of its hash, which was full. */
const HOME_AWAY: u32 = 1 << 31;
const HOME_BUCKET: u32 = ~(HOME_AWAY | BUCKET_PLACES - 1);
if (BUCKET_PLACES << BUCKET_BITS_MAX > 1 << 28) ERROR("a home's upper bits are no longer free");

/** Where a connection lies in the table: a bucket's number and the place there, and whether it is away from its own. */
@inline
export function homeAt(bucket: usize, place: u32): u32 {
  return <u32>((bucket - buckets) >> 6) * BUCKET_PLACES + place;
}

/** The bucket of a home. */
@inline
export function bucketAt(home: u32): usize {
  return buckets + (<usize>(home & HOME_BUCKET) * (BUCKET_BYTES / BUCKET_PLACES));
}

/**
 * Puts a connection into the table, by its client and protocol, before all others of the same client's port: the newest
 * is found first (as the kernel: recording same_client).
 */
export function insert(index: u32): void {
  settle(index, true);
}

/** Puts a connection behind all others of the same client's port. */
export function insertBehind(index: u32): void {
  settle(index, false);
}

/**
 * Each connection that has to stand further back takes the place of the next one with its tag, and the last an empty
 * one. Nearly always there is none, and the first empty place is taken.
 */
function settle(index: u32, first: bool): void {
  let connection = Connection.at(index);
  let hash = homeHash(connection);
  let tag = tagOf(hash);
  let bucket = bucketOf(hash);
  let away: u32 = 0;
  // At most half of all places are ever taken (CONNECTIONS_PER_BUCKET of BUCKET_PLACES): this ends.
  for (let moving = index; moving != 0;) {
    let empty = matches(bucket, 0);
    let places = (empty & -empty) | (first ? matches(bucket, tag) : 0);
    for (; places != 0 && moving != 0; places &= places - 1) moving = exchange(bucket, ctz(places), tag, moving, away);
    if (moving == 0) break;
    store<u32>(bucket, load<u32>(bucket, BUCKET_OVERFLOW) + 1, BUCKET_OVERFLOW);
    bucket = next(bucket);
    away = HOME_AWAY;
  }
  connection.set(ConnectionFlag.Hashed);
  lookAtEnd(connection);
  countAwaited(connection, 1);
}

/** Gives a place to a connection; answers whose it was, 0 for nobody's. */
function exchange(bucket: usize, place: u32, tag: u32, index: u32, away: u32): u32 {
  let at = bucket + (<usize>place << 2);
  let before = load<u32>(at, BUCKET_INDICES);
  store<u16>(bucket + (<usize>place << 1), <u16>tag);
  store<u32>(at, index, BUCKET_INDICES);
  Connection.at(index).home = homeAt(bucket, place) | away;
  return before;
}

/** Takes a connection out of the table. */
@inline
export function remove(index: u32): void {
  let connection = Connection.at(index);
  if (!connection.has(ConnectionFlag.Hashed)) return;
  countAwaited(connection, -1);
  vacate(connection);
  connection.clear(ConnectionFlag.Hashed);
}

/** Empties a connection's place. */
@inline
export function vacate(connection: Connection): void {
  let home = connection.home;
  let bucket = bucketAt(home);
  let place = <usize>(home % BUCKET_PLACES);
  store<u16>(bucket + (place << 1), 0);
  store<u32>(bucket + (place << 2), 0, BUCKET_INDICES);
  if (home & HOME_AWAY) leaveAway(connection, bucket);
}

/** Of the buckets between a connection's own and the one it lay in, one fewer had to pass each. */
function leaveAway(connection: Connection, bucket: usize): void {
  let passed = bucketOf(homeHash(connection));
  while (passed != bucket) {
    store<u32>(passed, load<u32>(passed, BUCKET_OVERFLOW) - 1, BUCKET_OVERFLOW);
    passed = next(passed);
  }
}
