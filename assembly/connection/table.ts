// The connection table: buckets of one cache line, eight 16-bit tags matched at once by SIMD.
//
// A full bucket overflows to the next one, without bound; `overflow` counts how many entries passed
// a bucket, and `passed` says which tags those may have had, so a search stops at the first bucket that nobody with its
// tag had to pass: the next one lies in memory that nobody has asked for yet.

import { BUCKET_BYTES, BUCKET_INDICES, BUCKET_OVERFLOW, BUCKET_PASSED, BUCKET_PLACES, STATE_AWAITED } from "../abi/layout";
import { ConnectionFlag, Forward } from "../abi/enums";
import { BUCKET_BITS_MAX } from "../abi/limits";
import { foldAddress, mix } from "../base/hash";
import { bucketMask, buckets, inCommons, seed, table } from "../memory";
import { Connection } from "./connection";
import { lookAtEnd } from "./due";
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

/** The same, and eight bits further up one for each empty place: both by one comparison's price. */
@inline
export function matchesAndEmpty(bucket: usize, tag: u32): u32 {
  let tags = v128.load(bucket);
  return <u32>i8x16.bitmask(i8x16.narrow_i16x8_s(i16x8.eq(tags, i16x8.splat(<i16>tag)), i16x8.eq(tags, i16x8.splat(0))));
}
if (BUCKET_PLACES != 8) ERROR("matchesAndEmpty() compares 8 places");

function next(bucket: usize): usize {
  return buckets + ((bucket - buckets + BUCKET_BYTES) & ((<usize>bucketMask << 6) | 63));
}

/** The bit of a tag among those that passed a bucket. Its lowest is always set, so that the next five are taken. */
@inline
function passedBit(tag: u32): u32 {
  return 1 << (tag >> 1);
}

/** True when a connection with this tag may have had to go on to the next bucket. */
@inline
export function mayHavePassed(bucket: usize, tag: u32): bool {
  return (load<u32>(bucket, BUCKET_PASSED) & passedBit(tag)) != 0;
}

/** True when a tag also lies in a bucket that one went on to, being full. */
export function isFurther(bucket: usize, tag: u32): bool {
  for (let step: u32 = 0; step <= bucketMask && mayHavePassed(bucket, tag); step++) {
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
    if (!mayHavePassed(bucket, tag)) return 0;
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
    if (!mayHavePassed(bucket, tag)) return 0;
    bucket = next(bucket);
  }
  return 0;
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

/**
 * Puts a connection whose client has begun anew behind the others of that client's port, but before those that were so before it (as the
 * kernel: recording retired_twice).
 */
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
    let places = (empty & -empty) | (first ? matches(bucket, tag) : retiredOf(bucket, matches(bucket, tag)));
    for (; places != 0 && moving != 0; places &= places - 1) moving = exchange(bucket, ctz(places), tag, moving, away);
    if (moving == 0) break;
    store<u32>(bucket, load<u32>(bucket, BUCKET_OVERFLOW) + 1, BUCKET_OVERFLOW);
    store<u32>(bucket, load<u32>(bucket, BUCKET_PASSED) | passedBit(tag), BUCKET_PASSED);
    bucket = next(bucket);
    away = HOME_AWAY;
  }
  connection.set(ConnectionFlag.Hashed);
  lookAtEnd(connection);
  countAwaited(connection, 1);
}

/** Those of a bucket's places whose connections' clients have begun anew. */
function retiredOf(bucket: usize, places: u32): u32 {
  let retired: u32 = 0;
  for (; places != 0; places &= places - 1) {
    let index = load<u32>(bucket + (<usize>ctz(places) << 2), BUCKET_INDICES);
    if (Connection.at(index).has(ConnectionFlag.Retired)) retired |= places & -places;
  }
  return retired;
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
    let left = load<u32>(passed, BUCKET_OVERFLOW) - 1;
    store<u32>(passed, left, BUCKET_OVERFLOW);
    // Whose a bit was nobody knows: they go with the last.
    if (left == 0) store<u32>(passed, 0, BUCKET_PASSED);
    passed = next(passed);
  }
}
