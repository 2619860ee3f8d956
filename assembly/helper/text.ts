// Numbers and addresses as text, read and written in place. Readers move one cursor; BAD ends them.

import { mapAddress } from "../wire/field";

/** Instead of a place: the text is not what it should be, or ends too early. */
export const BAD: usize = 0;

/** The number the last successful read gave. */
export let value: u32 = 0;

export function isDigit(char: u32): bool {
  return char - 48 < 10;
}

/** Reads a decimal number up to `most`; answers the place after it, which must lie before `end`. */
export function readNumber(at: usize, end: usize, most: u32): usize {
  let number: u32 = 0;
  let start = at;
  for (; at < end && isDigit(load<u8>(at)); at++) {
    number = number * 10 + <u32>load<u8>(at) - 48;
    if (number > most) return BAD;
  }
  if (at == start || at >= end) return BAD;
  value = number;
  return at;
}

/** Reads `a.b.c.d`, or with another separator, into a 16-byte address. */
export function readAddress4(at: usize, end: usize, separator: u32, to: usize): usize {
  let address: u32 = 0;
  for (let part: u32 = 0; part < 4; part++) {
    if (part != 0) {
      if (<u32>load<u8>(at) != separator) return BAD;
      at++;
    }
    at = readNumber(at, end, 255);
    if (at == BAD) return BAD;
    address |= value << (part << 3);
  }
  mapAddress(to, address);
  return at;
}

/** -1 for what is not a hexadecimal digit. */
function hexDigit(char: u32): i32 {
  if (isDigit(char)) return <i32>char - 48;
  let letter = (char | 0x20) - 97;
  return letter < 6 ? <i32>letter + 10 : -1;
}

/** Reads an IPv6 address (RFC 4291 section 2.2) up to `stop`, which must follow it. */
export function readAddress6(at: usize, end: usize, stop: u32, to: usize): usize {
  let count: u32 = 0;
  let gap: i32 = -1;
  memory.fill(to, 0, 16);
  if (at + 1 < end && load<u16>(at) == 0x3a3a) {
    gap = 0;
    at += 2;
  }
  while (at < end && <u32>load<u8>(at) != stop) {
    if (count == 8) return BAD;
    let start = at;
    let group: u32 = 0;
    for (; at < end && hexDigit(load<u8>(at)) >= 0; at++) group = (group << 4) | <u32>hexDigit(load<u8>(at));
    if (at >= end || at == start || at - start > 4) return BAD;
    if (load<u8>(at) == 0x2e) {
      at = readTail4(start, end, to, count);
      if (at == BAD) return BAD;
      count += 2;
      break;
    }
    store<u16>(to + (<usize>count << 1), bswap<u16>(<u16>group));
    count++;
    if (<u32>load<u8>(at) == stop) break;
    if (load<u8>(at) != 0x3a) return BAD;
    at++;
    if (at < end && load<u8>(at) == 0x3a) {
      if (gap >= 0) return BAD;
      gap = <i32>count;
      at++;
    } else if (at < end && <u32>load<u8>(at) == stop) {
      return BAD;
    }
  }
  if (at >= end || <u32>load<u8>(at) != stop) return BAD;
  return spread(to, count, gap) ? at : BAD;
}

/** The last 32 bits written as IPv4. */
function readTail4(at: usize, end: usize, to: usize, count: u32): usize {
  if (count > 6) return BAD;
  let place = to + (<usize>count << 1);
  for (let part: usize = 0; part < 4; part++) {
    if (part != 0) {
      if (load<u8>(at) != 0x2e) return BAD;
      at++;
    }
    at = readNumber(at, end, 255);
    if (at == BAD) return BAD;
    store<u8>(place + part, <u8>value);
  }
  return at;
}

/** Moves the groups behind `::` to the end. False when their number cannot be right. */
function spread(to: usize, count: u32, gap: i32): bool {
  if (gap < 0) return count == 8;
  if (count > 7) return false;
  let behind = (<usize>count - <usize>gap) << 1;
  let from = to + (<usize>gap << 1);
  memory.copy(to + 16 - behind, from, behind);
  memory.fill(from, 0, 16 - (<usize>gap << 1) - behind);
  return true;
}

/** Writes a number below 100000 in decimal; answers the place after it. */
export function writeNumber(at: usize, number: u32): usize {
  let scale: u32 = 10000;
  while (scale > 1 && number < scale) scale /= 10;
  for (; scale != 0; scale /= 10) store<u8>(at++, <u8>(48 + number / scale % 10));
  return at;
}
