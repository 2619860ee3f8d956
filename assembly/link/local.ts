// The director's own addresses (VIPs included) and its ports.

import {
  CONTROL_BASE, CONTROL_LOCALS_USED, CONTROL_WHOLES, LOCALS4_BITS, LOCALS4_HASH, LOCALS_BASE, LOCALS_HASH, LOCALS_HASH_PLACES,
  LOCAL_ADDRESS, LOCAL_BYTES, LOCAL_FAMILY, LOCAL_PORT, LOCAL_PREFIX, LOCAL_WHOLE, PORTS_BASE, PORT_BYTES,
  PORT_MTU,
} from "../abi/layout";
import { LocalKind } from "../abi/enums";
import { LOCALS_MAX } from "../abi/limits";
import { foldAddress } from "../base/hash";
import { copyAddress, isLinkLocal6, sameAddress, samePrefix } from "../wire/field";

const LOCALS_HASH_BITS: u32 = 12;
if (LOCALS_HASH_PLACES != 1 << 12) ERROR("LOCALS_HASH_BITS no longer fits LOCALS_HASH_PLACES");

export function portAt(port: u32): usize {
  return <usize>PORTS_BASE + <usize>port * PORT_BYTES;
}

export function portMtu(port: u32): u32 {
  return load<u32>(portAt(port), PORT_MTU);
}

function localAt(index: u32): usize {
  return <usize>LOCALS_BASE + <usize>index * LOCAL_BYTES;
}

/**
 * One product is enough here: nobody but the operator puts addresses into this table. Its upper bits, as
 * those know all bits of the word.
 */
function place(word: u32): u32 {
  return (word * 0x9e3779b1) >> (32 - LOCALS_HASH_BITS);
}

/** True when an IPv4 address (as on the wire) is exactly one of the director's. The fast road's question. */
@inline
export function isLocal4(address: u32): bool {
  let at = place(address);
  let word = load<u32>(at * 4, LOCALS4_HASH);
  if (word == 0) return false;
  // The first place nearly always knows, and a loop costs more: each turn asks whether to go on.
  return word == address ? true : isLocalFurther(address, at);
}

/**
 * The same of an address that is seldom one. Those of many strangers lie all over the hash; of each place a bit says
 * whether anything lies there, and the bits fit into eight lines.
 */
@inline
export function isLocalStranger4(address: u32): bool {
  let at = place(address);
  if ((load<u32>((at >> 5) << 2, LOCALS4_BITS) >> (at & 31) & 1) == 0) return false;
  return isLocal4(address);
}

/** The places after the first. */
function isLocalFurther(address: u32, at: u32): bool {
  let word: u32;
  do {
    at = (at + 1) & (LOCALS_HASH_PLACES - 1);
    word = load<u32>(at * 4, LOCALS4_HASH);
  } while (word != 0 && word != address);
  return word != 0;
}

/** The same for an IPv6 address, at its place in a packet. */
@inline
export function isLocal6(address: usize): bool {
  let index = <u32>load<u16>(place(foldAddress(address)) * 2, LOCALS_HASH);
  if (index == 0) return false;
  if (sameAddress(<usize>index * LOCAL_BYTES + LOCALS_BASE, address)) return true;
  return findLocal(address) != 0;
}

/** The record of a 16-byte address that is exactly one of the director's, 0 when it is not. */
export function findLocal(address: usize): u32 {
  let at = place(foldAddress(address));
  let index = <u32>load<u16>(LOCALS_HASH + at * 2);
  while (index != 0) {
    if (sameAddress(localAt(index), address)) return index;
    at = (at + 1) & (LOCALS_HASH_PLACES - 1);
    index = load<u16>(LOCALS_HASH + at * 2);
  }
  return 0;
}

/** True when a packet to this address is for the director, whole local subnets included. */
export function isLocal(address: usize): bool {
  if (findLocal(address) != 0) return true;
  if (load<u32>(CONTROL_BASE, CONTROL_WHOLES) == 0) return false;
  let used = load<u32>(CONTROL_BASE, CONTROL_LOCALS_USED);
  for (let index: u32 = 1; index < used; index++) {
    let local = localAt(index);
    if (load<u8>(local, LOCAL_FAMILY) != 0 && load<u8>(local, LOCAL_WHOLE) != 0 &&
      samePrefix(local, address, load<u8>(local, LOCAL_PREFIX))) return true;
  }
  return false;
}

/** True for a server that is the director itself: by one of its addresses, or as 127.0.0.1 or ::1. */
export function isOwn(address: usize): bool {
  if (load<u64>(address) == 0) {
    if (load<u32>(address, 8) == 0xffff0000 && load<u8>(address, 12) == 127) return true;
    if (load<u64>(address, 8) == bswap<u64>(1)) return true;
  }
  return isLocal(address);
}

/** True when a packet to this address was only taken in on its way to somebody else. */
export function isTransparent(address: usize): bool {
  if (load<u32>(CONTROL_BASE, CONTROL_WHOLES) == 0 || findLocal(address) != 0) return false;
  let used = load<u32>(CONTROL_BASE, CONTROL_LOCALS_USED);
  for (let index: u32 = 1; index < used; index++) {
    let local = localAt(index);
    if (load<u8>(local, LOCAL_FAMILY) != 0 && load<u8>(local, LOCAL_WHOLE) == <u8>LocalKind.Transparent &&
      samePrefix(local, address, load<u8>(local, LOCAL_PREFIX))) return true;
  }
  return false;
}

/**
 * The director's address to speak from on a port: of IPv4 the first of the peer's subnet, else the port's first; of
 * IPv6 the one that begins most like the peer's (RFC 6724 rule 8), the last added of several. Without one, any of the
 * family. 0 when there is none. Answers the place of 16 bytes. A link-local peer is spoken to from such an address if there is one.
 */
export function sourceFor(family: u32, port: u32, peer: usize): usize {
  let ofLink = family == 6 && isLinkLocal6(peer);
  let source = sourceOf(family, port, peer, ofLink);
  return source == 0 && ofLink ? sourceOf(family, port, peer, false) : source;
}

function sourceOf(family: u32, port: u32, peer: usize, ofLink: bool): usize {
  let used = load<u32>(CONTROL_BASE, CONTROL_LOCALS_USED);
  let best: usize = 0;
  let any: usize = 0;
  let bestBits: u32 = 0;
  for (let index: u32 = 1; index < used; index++) {
    let local = localAt(index);
    if (<u32>load<u8>(local, LOCAL_FAMILY) != family || load<u8>(local, LOCAL_WHOLE) != 0) continue;
    if ((family == 6 && isLinkLocal6(local)) != ofLink) continue;
    if (any == 0) any = local;
    if (<u32>load<u16>(local, LOCAL_PORT) != port) continue;
    let prefix = <u32>load<u8>(local, LOCAL_PREFIX);
    if (family == 4) {
      if (samePrefix(local, peer, prefix)) return local;
      if (best == 0) best = local;
      continue;
    }
    let bits = min(prefix, commonBits(local, peer));
    if (best != 0 && bits < bestBits) continue;
    best = local;
    bestBits = bits;
  }
  return best != 0 ? best : any;
}

/** How many bits two addresses have in common from their beginning. */
function commonBits(one: usize, other: usize): u32 {
  let high = bswap<u64>(load<u64>(one) ^ load<u64>(other));
  return high != 0 ? <u32>clz(high) : 64 + <u32>clz(bswap<u64>(load<u64>(one, 8) ^ load<u64>(other, 8)));
}

/** Adds an address; its index, or 0 when the table is full. `bits` counts in 128. */
export function addLocal(family: u32, address: usize, bits: u32, port: u32, kind: u32): u32 {
  let used = max<u32>(load<u32>(CONTROL_BASE, CONTROL_LOCALS_USED), 1);
  let index: u32 = 1;
  while (index < used && load<u8>(localAt(index), LOCAL_FAMILY) != 0) index++;
  if (index == LOCALS_MAX) return 0;
  let local = localAt(index);
  copyAddress(local, address);
  store<u16>(local, <u16>port, LOCAL_PORT);
  store<u8>(local, <u8>bits, LOCAL_PREFIX);
  store<u8>(local, <u8>family, LOCAL_FAMILY);
  store<u8>(local, <u8>kind, LOCAL_WHOLE);
  if (index == used) store<u32>(CONTROL_BASE, used + 1, CONTROL_LOCALS_USED);
  rehash();
  return index;
}

export function removeLocal(index: u32): void {
  memory.fill(localAt(index), 0, LOCAL_BYTES);
  rehash();
}

/** Builds the hash anew: addresses change rarely, and an open-addressed table does not like removals. */
function rehash(): void {
  memory.fill(LOCALS_HASH, 0, LOCALS_HASH_PLACES * 2);
  memory.fill(LOCALS4_HASH, 0, LOCALS_HASH_PLACES * 4);
  memory.fill(LOCALS4_BITS, 0, LOCALS_HASH_PLACES / 8);
  let used = load<u32>(CONTROL_BASE, CONTROL_LOCALS_USED);
  let wholes: u32 = 0;
  for (let index: u32 = 1; index < used; index++) {
    let local = localAt(index);
    if (load<u8>(local, LOCAL_FAMILY) == 0) continue;
    if (load<u8>(local, LOCAL_WHOLE) != 0) {
      wholes++;
      continue;
    }
    let at = place(foldAddress(local));
    while (load<u16>(LOCALS_HASH + at * 2) != 0) at = (at + 1) & (LOCALS_HASH_PLACES - 1);
    store<u16>(LOCALS_HASH + at * 2, <u16>index);
    if (load<u8>(local, LOCAL_FAMILY) != 4) continue;
    at = place(foldAddress(local));
    while (load<u32>(LOCALS4_HASH + at * 4) != 0) at = (at + 1) & (LOCALS_HASH_PLACES - 1);
    store<u32>(LOCALS4_HASH + at * 4, load<u32>(local, LOCAL_ADDRESS + 12));
    store<u8>(LOCALS4_BITS + at / 8, load<u8>(LOCALS4_BITS + at / 8) | <u8>(<u32>1 << (at & 7)));
  }
  store<u32>(CONTROL_BASE, wholes, CONTROL_WHOLES);
}
