// The SCTP state machine, as the real server goes through it (RFC 9260 section 4). A packet leaves its
// association where it is unless a line below says otherwise.
//
// Beyond the RFC's diagram: Init1 is a first INIT, with a short life, since many are never answered;
// CookieSent and CookieReplied are a client's handshake half done, which the RFC calls closed; CookieWait,
// Cookie and CookieEchoed are the handshake of an association that the server itself begins; Rejected is
// an INIT answered by ABORT.

import { SCTP_TABLE } from "../abi/layout";
import { SctpState } from "../abi/enums";
import { get16 } from "../wire/field";

const INPUT: u32 = 0;
const OUTPUT: u32 = 1;
const INPUT_ONLY: u32 = 2;
const DIRECTIONS: u32 = 3;

const DATA: u32 = 0;
const INIT: u32 = 1;
const INIT_ACK: u32 = 2;
const COOKIE_ECHO: u32 = 3;
const COOKIE_ACK: u32 = 4;
const SHUTDOWN: u32 = 5;
const SHUTDOWN_ACK: u32 = 6;
const SHUTDOWN_COMPLETE: u32 = 7;
const ERROR_CHUNK: u32 = 8;
const ABORT: u32 = 9;
const EVENTS: u32 = 10;

/** Sets of states, one bit each. */
const NO: u32 = 1 << 0;
const I1: u32 = 1 << 1;
const IN: u32 = 1 << 2;
const CS: u32 = 1 << 3;
const CR: u32 = 1 << 4;
const CW: u32 = 1 << 5;
const CO: u32 = 1 << 6;
const CE: u32 = 1 << 7;
const ES: u32 = 1 << 8;
const SS: u32 = 1 << 9;
const SR: u32 = 1 << 10;
const SA: u32 = 1 << 11;
const RJ: u32 = 1 << 12;
const CL: u32 = 1 << 13;
const ASKED: u32 = NO | I1 | IN;
const CLIENT_OPENS: u32 = ASKED | CS | CR;
const OPENING: u32 = CLIENT_OPENS | CW | CO | CE;
const ALL: u32 = OPENING | ES | SS | SR | SA | RJ | CL;

function place(direction: u32, event: u32): usize {
  return SCTP_TABLE + ((direction * EVENTS + event) << 4);
}

/** In this direction, this chunk takes associations in any of the states `from` to `to`. */
function move(direction: u32, event: u32, from: u32, to: SctpState): void {
  for (let state: u32 = 0; state < <u32>SctpState.Last; state++) {
    if ((from >> state) & 1) store<u8>(place(direction, event) + state, <u8>to);
  }
}

/** Writes the table. */
export function initSctp(): void {
  for (let row: u32 = 0; row < DIRECTIONS * EVENTS; row++) {
    for (let state: u32 = 0; state < <u32>SctpState.Last; state++) store<u8>(SCTP_TABLE + (row << 4) + state, <u8>state);
  }
  clientSpoke();
  serverSpoke();
  onlyClientIsSeen();
}

function clientSpoke(): void {
  move(INPUT, DATA, NO, SctpState.Established);
  move(INPUT, INIT, NO, SctpState.Init1);
  move(INPUT, INIT, I1 | RJ | CL, SctpState.Init);
  move(INPUT, INIT_ACK, ASKED, SctpState.CookieWait);
  move(INPUT, INIT_ACK, CW, SctpState.Cookie);
  move(INPUT, COOKIE_ECHO, NO | CS, SctpState.CookieReplied);
  move(INPUT, COOKIE_ECHO, I1, SctpState.Init);
  move(INPUT, COOKIE_ACK, NO | CE, SctpState.Established);
  move(INPUT, SHUTDOWN, NO | ES, SctpState.ShutdownReceived);
  move(INPUT, SHUTDOWN_ACK, NO | SS | SA, SctpState.Closed);
  move(INPUT, SHUTDOWN_ACK, I1, SctpState.Init);
  move(INPUT, SHUTDOWN_COMPLETE, ASKED | SA, SctpState.Closed);
  move(INPUT, ERROR_CHUNK, NO | CE, SctpState.Closed);
  move(INPUT, ABORT, ALL, SctpState.Closed);
  move(INPUT, ABORT, CW, SctpState.Rejected);
}

function serverSpoke(): void {
  move(OUTPUT, DATA, NO, SctpState.Established);
  move(OUTPUT, INIT, ALL & ~ES, SctpState.CookieWait);
  move(OUTPUT, INIT_ACK, ASKED, SctpState.CookieSent);
  move(OUTPUT, COOKIE_ECHO, OPENING, SctpState.CookieEchoed);
  move(OUTPUT, COOKIE_ACK, OPENING, SctpState.Established);
  move(OUTPUT, SHUTDOWN, OPENING | ES, SctpState.ShutdownSent);
  move(OUTPUT, SHUTDOWN_ACK, CLIENT_OPENS | SS | SR, SctpState.ShutdownAckSent);
  move(OUTPUT, SHUTDOWN_COMPLETE, NO, SctpState.Closed);
  move(OUTPUT, ERROR_CHUNK, CLIENT_OPENS, SctpState.Closed);
  move(OUTPUT, ABORT, ALL, SctpState.Closed);
  move(OUTPUT, ABORT, I1, SctpState.Rejected);
}

/** With VS-DR and VS-TUN the server's half must be guessed from what the client answers. */
function onlyClientIsSeen(): void {
  move(INPUT_ONLY, DATA, NO | CW, SctpState.Established);
  move(INPUT_ONLY, INIT, NO, SctpState.Init1);
  move(INPUT_ONLY, INIT, I1 | CS | CR | CW | RJ | CL, SctpState.Init);
  move(INPUT_ONLY, INIT_ACK, CLIENT_OPENS | CW, SctpState.CookieEchoed);
  move(INPUT_ONLY, COOKIE_ECHO, CLIENT_OPENS | CW, SctpState.Established);
  move(INPUT_ONLY, COOKIE_ACK, NO | CS | CR | CO | CE, SctpState.Established);
  move(INPUT_ONLY, SHUTDOWN, NO | ES, SctpState.ShutdownReceived);
  move(INPUT_ONLY, SHUTDOWN_ACK, NO | ES | SS | SA, SctpState.Closed);
  move(INPUT_ONLY, SHUTDOWN_ACK, I1, SctpState.Init);
  move(INPUT_ONLY, SHUTDOWN_COMPLETE, CLIENT_OPENS | SR | SA, SctpState.Closed);
  move(INPUT_ONLY, ERROR_CHUNK, NO, SctpState.Closed);
  move(INPUT_ONLY, ABORT, ALL, SctpState.Closed);
  move(INPUT_ONLY, ABORT, CW, SctpState.Rejected);
}

/** Chunk types (RFC 9260 section 3.2). */
export const SCTP_INIT: i32 = 1;
export const SCTP_ABORT: i32 = 6;
const TYPE_COOKIE_ECHO: u32 = 10;
const TYPE_COOKIE_ACK: u32 = 11;
const COMMON_HEADER_BYTES: u32 = 12;
const CHUNK_HEADER_BYTES: u32 = 4;

/** What kind of event a chunk is; those about data and the path say no more than "there is traffic". */
function eventOf(type: u32): u32 {
  switch (<i32>type) {
    case 1: return INIT;
    case 2: return INIT_ACK;
    case 6: return ABORT;
    case 7: return SHUTDOWN;
    case 8: return SHUTDOWN_ACK;
    case 9: return ERROR_CHUNK;
    case 10: return COOKIE_ECHO;
    case 11: return COOKIE_ACK;
    case 14: return SHUTDOWN_COMPLETE;
    default: return DATA;
  }
}

/** The first chunk's type of the packet at `l4`, or -1 when there is no whole chunk header. */
export function firstChunk(l4: usize, end: usize): i32 {
  return l4 + COMMON_HEADER_BYTES + CHUNK_HEADER_BYTES > end ? -1 : <i32>load<u8>(l4, COMMON_HEADER_BYTES);
}

/** The next state after a packet. Only its first chunk counts, but for an ABORT behind a cookie. */
export function advanceSctp(state: u32, l4: usize, end: usize, direction: u32): u32 {
  let first = firstChunk(l4, end);
  if (first < 0) return state;
  let type = <u32>first;
  if ((type == TYPE_COOKIE_ECHO || type == TYPE_COOKIE_ACK) && isAbortBehind(l4 + COMMON_HEADER_BYTES, end)) {
    type = <u32>SCTP_ABORT;
  }
  return load<u8>(place(direction, eventOf(type)) + state);
}

/** Control chunks may be bundled before an ABORT, which then ends the association (section 3.3.7). */
function isAbortBehind(chunk: usize, end: usize): bool {
  let bytes = get16(chunk + 2);
  let next = chunk + ((bytes + 3) & ~3);
  return bytes >= CHUNK_HEADER_BYTES && next + CHUNK_HEADER_BYTES <= end && <i32>load<u8>(next) == SCTP_ABORT;
}

/** The state in which an association counts as active at its server. */
export function sctpActive(state: u32): bool {
  return state == <u32>SctpState.Established;
}
