// What the way to a target carries where that is less than its first hop: as far as routers on it have told (RFC 1191,
// RFC 8201). It is known of the target, whoever sends there and by whatever method (as the kernel: recordings path_mtu4,
// path_mtu6).

import {
  CONTROL_BASE, CONTROL_PATHS, PATHS_BASE, PATHS_PER_BUCKET, PATH_BYTES, PATH_FORCED, PATH_MTU, PATH_TARGET, PATH_TOLD_MS,
} from "../abi/layout";
import { PATHS_MAX } from "../abi/limits";
import { foldAddress, mix } from "../base/hash";
import { lock, now, seed, since, unlock } from "../memory";
import { MTU6_MIN } from "../packet/sizes";
import { copyAddress, sameAddress } from "../wire/field";
import { routesChanged } from "./generation";
import { hopMtu, narrow, widenAll } from "./neighbor";
import { nextHop } from "./route";

/** What Linux takes as the least of IPv4; who tells of less is believed so far, and for all packets. */
const BELIEVED4_MIN: u32 = 552;
/** A path may have changed after ten minutes (RFC 1191 section 6.3). */
const KNOWN_MS: u32 = 600000;
/** The same told again of IPv4 counts anew when half of them are over. */
const RENEWED_MS: u32 = 300000;

const BUCKETS: u32 = PATHS_MAX / PATHS_PER_BUCKET;
if (BUCKETS & (BUCKETS - 1)) ERROR("the buckets of paths are no power of two");

function bucketOf(target: usize): usize {
  return <usize>PATHS_BASE + <usize>(mix(foldAddress(target), 0, seed) & (BUCKETS - 1)) * PATHS_PER_BUCKET * PATH_BYTES;
}

function isKnown(path: usize): bool {
  return load<u32>(path, PATH_MTU) != 0 && since(load<u32>(path, PATH_TOLD_MS)) < KNOWN_MS;
}

/** The record of a target, 0 when nobody has told of it. */
function find(target: usize): usize {
  let path = bucketOf(target);
  for (let end = path + PATHS_PER_BUCKET * PATH_BYTES; path < end; path += PATH_BYTES) {
    if (isKnown(path) && sameAddress(path + PATH_TARGET, target)) return path;
  }
  return 0;
}

/** Bytes that the whole way to a target (16 bytes) carries, whose first hop carries `mtu`. */
export function pathMtu(target: usize, mtu: u32): u32 {
  if (load<u32>(CONTROL_BASE, CONTROL_PATHS) == 0) return mtu;
  let path = find(target);
  return path == 0 ? mtu : min(mtu, load<u32>(path, PATH_MTU));
}

/** The same for a packet that a router measures when it comes: of IPv6 only the first hop counts then (as the kernel: recording path_mtu6). */
export function arrivingMtu(family: u32, target: usize, mtu: u32): u32 {
  return family == 4 ? routedMtu4(target, mtu) : mtu;
}

/** And when it leaves: of IPv6 the whole path counts. */
export function leavingMtu(family: u32, target: usize, mtu: u32): u32 {
  return family == 4 ? routedMtu4(target, mtu) : pathMtu(target, mtu);
}

/** An IPv4 packet that is only routed is bound by what was told of less than IPv4's least alone. */
function routedMtu4(target: usize, mtu: u32): u32 {
  if (load<u32>(CONTROL_BASE, CONTROL_PATHS) == 0) return mtu;
  let path = find(target);
  return path == 0 || load<u32>(path, PATH_FORCED) == 0 ? mtu : min(mtu, load<u32>(path, PATH_MTU));
}

/** The neighbour towards a target. The express road asks it alone, so it must know of the narrowest path it leads to. */
export function wayTo(family: u32, target: usize): u32 {
  let hop = nextHop(family, target);
  if (hop == 0 || load<u32>(CONTROL_BASE, CONTROL_PATHS) == 0) return hop;
  lock();
  narrow(hop, pathMtu(target, hopMtu(hop)));
  unlock();
  return hop;
}

/** A router has told what the way to a target (16 bytes) carries; answers what is known of it now. */
export function rememberPath(family: u32, target: usize, mtu: u32): u32 {
  let hop = nextHop(family, target);
  if (hop == 0) return mtu;
  lock();
  let known = pathMtu(target, hopMtu(hop));
  if (family == 4) remember4(target, mtu, known);
  // Who tells of less than any path of IPv6 carries is not believed.
  else if (mtu >= MTU6_MIN && mtu < known) keep(target, mtu, false);
  known = pathMtu(target, known);
  unlock();
  return known;
}

function remember4(target: usize, mtu: u32, known: u32): void {
  let path = find(target);
  if (mtu > known || (path != 0 && load<u32>(path, PATH_FORCED) != 0)) return;
  let forced = mtu < BELIEVED4_MIN;
  if (forced) mtu = min(known, BELIEVED4_MIN);
  else if (path != 0 && mtu == known && since(load<u32>(path, PATH_TOLD_MS)) < RENEWED_MS) return;
  keep(target, mtu, forced);
}

function keep(target: usize, mtu: u32, forced: bool): void {
  let path = find(target);
  if (path == 0) path = placeFor(target);
  if (load<u32>(path, PATH_MTU) == 0) store<u32>(CONTROL_BASE, load<u32>(CONTROL_BASE, CONTROL_PATHS) + 1, CONTROL_PATHS);
  copyAddress(path + PATH_TARGET, target);
  store<u32>(path, mtu, PATH_MTU);
  store<u32>(path, now, PATH_TOLD_MS);
  store<u32>(path, forced ? 1 : 0, PATH_FORCED);
  // Whoever remembered a neighbour looks again, so that the neighbour knows.
  routesChanged();
}

/** A free place of the target's bucket, or that of which was told longest ago. */
function placeFor(target: usize): usize {
  let path = bucketOf(target);
  let oldest = path;
  for (let end = path + PATHS_PER_BUCKET * PATH_BYTES; path < end; path += PATH_BYTES) {
    if (!isKnown(path)) return path;
    if (since(load<u32>(path, PATH_TOLD_MS)) > since(load<u32>(oldest, PATH_TOLD_MS))) oldest = path;
  }
  return oldest;
}

/** Each tick: what was told too long ago is forgotten. */
export function sweepPaths(): void {
  let known = load<u32>(CONTROL_BASE, CONTROL_PATHS);
  if (known == 0) return;
  lock();
  let left: u32 = 0;
  for (let path: usize = PATHS_BASE; path < PATHS_BASE + PATHS_MAX * PATH_BYTES; path += PATH_BYTES) {
    if (isKnown(path)) left++;
    else store<u32>(path, 0, PATH_MTU);
  }
  store<u32>(CONTROL_BASE, left, CONTROL_PATHS);
  if (left != known) {
    widenAll();
    routesChanged();
  }
  unlock();
}
