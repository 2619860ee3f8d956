// A helper that changes the length of a text shifts every byte behind it: sequence numbers of that
// direction, acknowledgments and SACK blocks (RFC 2018) of the other.

import { get32, set32 } from "../wire/field";

const FLAG_ACK: u32 = 0x10;
const OPTION_END: u32 = 0;
const OPTION_NOTHING: u32 = 1;
const OPTION_SACK: u32 = 5;

/** How one direction's bytes are shifted: by `before` up to `place` (as sent), by `shift` after it. */
@unmanaged
export class Sequence {
  place: u32; //   0
  shift: i32; //   4
  before: i32; //  8
}

/** Sequence numbers wrap: a is after b when it is less than half of all numbers ahead. */
function after(a: u32, b: u32): bool {
  return <i32>(a - b) > 0;
}

/** The shift of a sequence number as its sender wrote it. */
export function shiftOf(sequence: Sequence, number: u32): i32 {
  return after(number, sequence.place) ? sequence.shift : sequence.before;
}

/** The shift that is in an acknowledgment, as its sender (who saw shifted numbers) wrote it. */
export function shiftIn(sequence: Sequence, number: u32): i32 {
  return after(number - sequence.before, sequence.place) ? sequence.shift : sequence.before;
}

/** A segment at `number` has become longer by `growth` bytes. The same segment sent again changes nothing. */
export function noteGrowth(sequence: Sequence, number: u32, growth: i32): void {
  if (sequence.shift != sequence.before && !after(number, sequence.place)) return;
  sequence.before = sequence.shift;
  sequence.shift += growth;
  sequence.place = number;
}

/** Shifts a TCP header: its own numbers by `own`, what it acknowledges by `other`. True when it changed. */
export function adjust(tcp: usize, headerBytes: u32, own: Sequence, other: Sequence): bool {
  let changed = false;
  if ((own.shift | own.before) != 0) {
    set32(tcp + 4, get32(tcp + 4) + shiftOf(own, get32(tcp + 4)));
    changed = true;
  }
  if ((other.shift | other.before) != 0 && (<u32>load<u8>(tcp, 13) & FLAG_ACK) != 0) {
    set32(tcp + 8, get32(tcp + 8) - shiftIn(other, get32(tcp + 8)));
    adjustSack(tcp + 20, tcp + headerBytes, other);
    changed = true;
  }
  return changed;
}

function adjustSack(at: usize, end: usize, other: Sequence): void {
  while (at + 1 < end) {
    let kind = <u32>load<u8>(at);
    if (kind == OPTION_END) return;
    if (kind == OPTION_NOTHING) {
      at++;
      continue;
    }
    let bytes = <usize>load<u8>(at, 1);
    if (bytes < 2 || at + bytes > end) return;
    if (kind == OPTION_SACK) {
      for (let edge = at + 2; edge + 4 <= at + bytes; edge += 4) set32(edge, get32(edge) - shiftIn(other, get32(edge)));
    }
    at += bytes;
  }
}
