// Options in extension headers of IPv6, as who has to read them finds them (RFC 8200 section 4.2; what is more is the kernel's:
// recording options6).

const PAD_ONE: u32 = 0;
const PAD_MORE: u32 = 1;
/** Padding brings what follows to a multiple of eight: more in a row hides something (RFC 4942 section 2.1.9.5). */
const PADDING_MAX: u32 = 7;
/** Where somebody on the move is at home: a kernel knows it, and believes nobody (RFC 6275 section 6.3). */
export const HOME_ADDRESS: u32 = 0xc9;
/** More options than this are somebody's attack. */
const OPTIONS_MAX: u32 = 8;

/** What a header's options come to, where that is not the offset of one whose sender is to be told that it is unknown. */
export enum Options6 {
  Sound = 0,
  /** The packet goes no further, and nobody is told. */
  Silence = 0xffff,
}

/**
 * What the options of the header at `at` come to, which ends at `end`: Options6, or the offset from `l3` of the unknown one.
 * The option `unbelieved` is known, and none of it is right.
 */
export function readOptions6(l3: usize, at: usize, end: usize, unbelieved: u32): u32 {
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
      if (++count > OPTIONS_MAX || type == unbelieved) return <u32>Options6.Silence;
      // Nobody here knows any; the highest bits say what is to become of the packet then.
      let wanted = type >> 6;
      if (wanted == 1) return <u32>Options6.Silence;
      if (wanted != 0) return <u32>(at - l3);
    }
    at += bytes;
  }
  return <u32>Options6.Sound;
}

function isBlank(at: usize, end: usize): bool {
  for (; at < end; at++) if (load<u8>(at) != 0) return false;
  return true;
}
