// Options of an IPv4 header: a router must find them sound before it passes them on (RFC 1812 section 5.2.4).

import { difference16, seal4 } from "../wire/checksum";

const END: u32 = 0;
const NOTHING: u32 = 1;
const RECORD_ROUTE: u32 = 7;
const TIMESTAMP: u32 = 68;
const LOOSE_ROUTE: u32 = 131;
const ROUTER_ALERT: u32 = 148;
const STRICT_ROUTE: u32 = 137;
const HEADER_BYTES: u32 = 20;
const CHECKSUM: usize = 10;
/** Fullest count of hosts that could not write their time. */
const MISSED_MAX: u32 = 15;
const PRESPECIFIED: u32 = 3;

/** True when the options say which way to take: a road round every filter, which routers refuse (RFC 7126 section 4.3). */
export function hasSourceRoute(header: usize, headerBytes: u32): bool {
  let at = HEADER_BYTES;
  while (at < headerBytes) {
    let type = <u32>load<u8>(header + at);
    if (type == END) return false;
    if (type == LOOSE_ROUTE || type == STRICT_ROUTE) return true;
    at = behind(header, at);
  }
  return false;
}

/** Where the option behind the one at `at` begins. */
function behind(header: usize, at: u32): u32 {
  return <u32>load<u8>(header + at) == NOTHING ? at + 1 : at + <u32>load<u8>(header + at, 1);
}

/** The place in the header of the first option byte that makes no sense, 0 when all do. */
export function badOption(header: usize, headerBytes: u32): u32 {
  let seen: u32 = 0;
  let at = HEADER_BYTES;
  while (at < headerBytes) {
    let type = <u32>load<u8>(header + at);
    if (type == END) return 0;
    if (type == NOTHING) {
      at++;
      continue;
    }
    if (at + 2 > headerBytes) return at;
    let bytes = <u32>load<u8>(header + at, 1);
    if (bytes < 2 || at + bytes > headerBytes) return at;
    let once = onceOf(type);
    if (seen & once) return at;
    seen |= once;
    let wrong = wrongByte(type, header + at, bytes);
    if (wrong != 0) return at + wrong;
    at += bytes;
  }
  return 0;
}

/**
 * Zeroes what lies behind the end of sound options, where nothing should be (as the kernel: recording behind_options). Answers what
 * that did to the header's checksum, as `amend` takes it back; 0 when nothing was there.
 */
export function clearBehindEnd(header: usize, headerBytes: u32): u32 {
  let at = HEADER_BYTES;
  while (at < headerBytes && load<u8>(header + at) != <u8>END) at = behind(header, at);
  let found: u32 = 0;
  for (; at < headerBytes; at++) {
    found |= load<u8>(header + at);
    store<u8>(header + at, END);
  }
  if (found == 0) return 0;
  let before = load<u16>(header, CHECKSUM);
  seal4(header, headerBytes);
  return difference16(before, load<u16>(header, CHECKSUM));
}

/** One bit for each kind of option that a header has once at most. */
function onceOf(type: u32): u32 {
  if (type == RECORD_ROUTE) return 1;
  if (type == TIMESTAMP) return 2;
  return type == LOOSE_ROUTE || type == STRICT_ROUTE ? 4 : 0;
}

/** Which byte of one option makes no sense, 0 when none: its length is byte 1, the pointer to its next entry byte 2. */
function wrongByte(type: u32, option: usize, bytes: u32): u32 {
  if (type == ROUTER_ALERT) return bytes < 4 ? 1 : 0;
  if (type == TIMESTAMP) return wrongOfTimestamp(option, bytes);
  if (type != RECORD_ROUTE && type != LOOSE_ROUTE && type != STRICT_ROUTE) return 0;
  if (bytes < 3) return 1;
  let pointer = <u32>load<u8>(option, 2);
  if (pointer < 4) return 2;
  // A route that is full is left as it is; one with room must have it for a whole address.
  return type == RECORD_ROUTE && pointer <= bytes && pointer + 3 > bytes ? 2 : 0;
}

function wrongOfTimestamp(option: usize, bytes: u32): u32 {
  if (bytes < 4) return 1;
  let pointer = <u32>load<u8>(option, 2);
  if (pointer < 5) return 2;
  let kind = <u32>load<u8>(option, 3);
  if (pointer > bytes) return (kind & 15) != PRESPECIFIED && kind >> 4 == MISSED_MAX ? 3 : 0;
  let addressed = (kind & 15) == 1 || (kind & 15) == PRESPECIFIED;
  return pointer + (addressed ? 7 : 3) > bytes ? 2 : 0;
}
