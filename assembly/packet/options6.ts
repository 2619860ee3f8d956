// Options in extension headers of IPv6, as who has to read them finds them (RFC 8200 section 4.2; what is more is the kernel's:
// recording options6).

import { get32 } from "../wire/field";

const PAD_ONE: u32 = 0;
const PAD_MORE: u32 = 1;
/** Padding brings what follows to a multiple of eight: more in a row hides something (RFC 4942 section 2.1.9.5). */
const PADDING_MAX: u32 = 7;
/** Where somebody on the move is at home: a kernel knows it, and believes nobody (RFC 6275 section 6.3). */
const HOME_ADDRESS: u32 = 0xc9;
/** What routers should look at (RFC 2711); measurements on the way (RFC 9486); labels (RFC 5570), of which nobody here has any. */
const ROUTER_ALERT: u32 = 5;
const MEASUREMENT: u32 = 0x31;
const LABEL: u32 = 7;
/** A length beyond 16 bits (RFC 2675 section 2): more than any packet here has. */
const JUMBO: u32 = 0xc2;
const JUMBO_MIN: u32 = 65536;
const PAYLOAD_LENGTH: usize = 4;
/** More options than this are somebody's attack. */
const OPTIONS_MAX: u32 = 8;

/** A problem's code, before the offset of what it is with. */
const CODE_SHIFT: u32 = 16;
const ERRONEOUS: u32 = 0;
const UNKNOWN: u32 = 2 << CODE_SHIFT;

/** What a header's options come to, where its sender is not to be told of a problem. */
export enum Options6 {
  Sound = 0,
  /** The packet goes no further, and nobody is told. */
  Silence = 0xffff,
}

/**
 * What the options of the header at `at` come to, which ends at `end`: Options6, or the problem to be told of (its code, and below it
 * the offset from `l3`). Some are known to every hop, others to the target alone.
 */
export function readOptions6(l3: usize, at: usize, end: usize, isHopByHop: bool): u32 {
  let padding: u32 = 0;
  let count: u32 = 0;
  at += 2;
  while (at < end) {
    let type = <u32>load<u8>(at);
    if (type == PAD_ONE) {
      if (++padding > PADDING_MAX) return <u32>Options6.Silence;
      at++;
      continue;
    }
    if (at + 2 > end) return <u32>Options6.Silence;
    let bytes = <u32>load<u8>(at, 1) + 2;
    if (at + bytes > end) return <u32>Options6.Silence;
    if (type == PAD_MORE) {
      padding += bytes;
      if (padding > PADDING_MAX || !isBlank(at + 2, at + bytes)) return <u32>Options6.Silence;
    } else {
      padding = 0;
      if (++count > OPTIONS_MAX) return <u32>Options6.Silence;
      let found = isHopByHop ? readHopsOption(l3, at, type) : type == HOME_ADDRESS ? <u32>Options6.Silence : unknown(l3, at, type);
      if (found != <u32>Options6.Sound) return found;
    }
    at += bytes;
  }
  return <u32>Options6.Sound;
}

/** What every hop's option comes to (as the kernel: recording hop_options6). */
function readHopsOption(l3: usize, at: usize, type: u32): u32 {
  let bytes = <u32>load<u8>(at, 1);
  let offset = <u32>(at - l3);
  switch (type) {
    case ROUTER_ALERT: return <u32>(bytes == 2 ? Options6.Sound : Options6.Silence);
    case MEASUREMENT: return <u32>((offset & 3) == 0 ? Options6.Sound : Options6.Silence);
    case LABEL: return <u32>Options6.Silence;
    case JUMBO:
      if (bytes != 4 || (offset & 3) != 2) return <u32>Options6.Silence;
      if (get32(at + 2) < JUMBO_MIN) return ERRONEOUS | (offset + 2);
      return load<u16>(l3, PAYLOAD_LENGTH) != 0 ? ERRONEOUS | offset : <u32>Options6.Silence;
    default: return unknown(l3, at, type);
  }
}

/** What becomes of a packet with an option that nobody knows: its highest bits say. */
function unknown(l3: usize, at: usize, type: u32): u32 {
  let wanted = type >> 6;
  if (wanted == 0) return <u32>Options6.Sound;
  return wanted == 1 ? <u32>Options6.Silence : UNKNOWN | <u32>(at - l3);
}

function isBlank(at: usize, end: usize): bool {
  for (; at < end; at++) if (load<u8>(at) != 0) return false;
  return true;
}
