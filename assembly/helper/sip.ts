// SIP's Call-ID (RFC 3261 section 8.1.1.4): every message of a call bears it, whoever sends it from where.

import { Protocol } from "../abi/enums";
import { Packet, PacketFlag } from "../packet/packet";
import { TEXT_BYTES_MAX } from "../abi/limits";

const UDP_BYTES: u32 = 8;
const TAB: u32 = 9;
const LINE_FEED: u32 = 10;
const CARRIAGE_RETURN: u32 = 13;
const SPACE: u32 = 32;
const COLON: u32 = 58;
const AT: u32 = 64;
const LOWER: u32 = 0x20;
const I: u32 = 105;
/** "call-id" in lower case, in two words that share the hyphen. */
const CALL: u32 = 0x6c6c6163;
const L_ID: u32 = 0x64692d6c;
const NAME_BYTES: usize = 7;

/** Bytes of the Call-ID that callId found last. */
export let callIdBytes: u32 = 0;

/** Where a datagram's Call-ID lies; 0 when it is not a SIP message, or its Call-ID makes no sense. */
export function callId(packet: Packet): usize {
  if (packet.protocol != <u8>Protocol.Udp || packet.has(PacketFlag.Embedded)) return 0;
  return findCallId(<usize>packet.l4 + UDP_BYTES, packet.end);
}

/** The first Call-ID among the lines of a text, without the request or status line before them. */
function findCallId(at: usize, end: usize): usize {
  for (; at < end; at++) {
    if (!isLineEnd(load<u8>(at))) continue;
    // A line ends with CR, LF or both; the last of them has the next line behind it.
    let line = at + 1;
    if (line >= end || isLineEnd(load<u8>(line))) continue;
    let value = valueOf(line, end);
    if (value == 0) continue;
    callIdBytes = measure(value, end);
    if (callIdBytes == 0) continue;
    let after = value + callIdBytes;
    return callIdBytes <= TEXT_BYTES_MAX && after < end && isLineEnd(load<u8>(after)) ? value : 0;
  }
  return 0;
}

/** Where the value of this line's Call-ID begins; 0 when the line is another header. */
function valueOf(line: usize, end: usize): usize {
  let at = skipName(line, end);
  if (at == 0) return 0;
  at = skipSpace(at, end);
  if (at >= end || <u32>load<u8>(at) != COLON) return 0;
  return skipSpace(at + 1, end);
}

/** The place after `Call-ID` or its short form `i`, in any case; 0 when neither is there. */
function skipName(at: usize, end: usize): usize {
  if (at + NAME_BYTES <= end && (load<u32>(at) | 0x20202020) == CALL && (load<u32>(at, 3) | 0x20200020) == L_ID) {
    return at + NAME_BYTES;
  }
  return ((<u32>load<u8>(at) | LOWER) == I) ? at + 1 : 0;
}

/** Over spaces and tabs, and line ends that are followed by one: those only fold a long line (section 7.3.1). */
function skipSpace(at: usize, end: usize): usize {
  for (; at < end; at++) {
    let char = <u32>load<u8>(at);
    if (isSpace(char)) continue;
    if (!isLineEnd(char)) return at;
    let next = at + 1;
    if (char == CARRIAGE_RETURN && next < end && <u32>load<u8>(next) == LINE_FEED) next++;
    if (next >= end || !isSpace(load<u8>(next))) return at;
    at = next;
  }
  return at;
}

/** Bytes of `word` or `word@word`; 0 when it is neither. */
function measure(at: usize, end: usize): u32 {
  let first = wordEnd(at, end);
  if (first == at || first >= end || <u32>load<u8>(first) != AT) return <u32>(first - at);
  let second = wordEnd(first + 1, end);
  return second == first + 1 ? 0 : <u32>(second - at);
}

function wordEnd(at: usize, end: usize): usize {
  while (at < end && isWord(load<u8>(at))) at++;
  return at;
}

// The characters of a word (section 25.1) as bits, 64 each: letters, digits and -.!%*_+`'~()<>:\"/[]?{}
const WORD_LOW: u64 = 0xd7ffefa600000000;
const WORD_HIGH: u64 = 0x6fffffffbffffffe;

function isWord(char: u32): bool {
  let bits = char < 64 ? WORD_LOW : char < 128 ? WORD_HIGH : 0;
  return ((bits >> (char & 63)) & 1) != 0;
}

function isLineEnd(char: u32): bool {
  return char == CARRIAGE_RETURN || char == LINE_FEED;
}

function isSpace(char: u32): bool {
  return char == SPACE || char == TAB;
}
