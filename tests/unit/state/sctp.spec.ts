// The SCTP table, cell for cell: three directions, ten events, fourteen states, written out once more from what a
// kernel does (tests/state/sctp.test.ts has its digest); each by a packet with the chunk that stands for the event.

import { SctpState } from "../../../assembly/abi/enums";
import { advanceSctp, sctpActive } from "../../../assembly/state/sctp";
import { freshEngine, SCRATCH } from "../world";

// In the order of SctpState.
const NAMES: string = "NOI1INCSCRCWCOCEESSSSRSARJCL";
const STATES: u32 = <u32>SctpState.Last;
const CLIENT: u32 = 0;
const SERVER: u32 = 1;
const CLIENT_ALONE: u32 = 2;

// Chunk types (RFC 9260 section 3.2).
const DATA: u32 = 0;
const INIT: u32 = 1;
const INIT_ACK: u32 = 2;
const ABORT: u32 = 6;
const SHUTDOWN: u32 = 7;
const SHUTDOWN_ACK: u32 = 8;
const ERROR_CHUNK: u32 = 9;
const COOKIE_ECHO: u32 = 10;
const COOKIE_ACK: u32 = 11;
const SHUTDOWN_COMPLETE: u32 = 14;

const COMMON_HEADER_BYTES: usize = 12;
const CHUNK_BYTES: usize = 4;

function stateName(state: u32): string {
  return NAMES.substr(<i32>state * 2, 2);
}

/** The next state after a packet of this one chunk. */
function after(state: u32, chunk: u32, direction: u32): u32 {
  memory.fill(SCRATCH, 0, COMMON_HEADER_BYTES + CHUNK_BYTES);
  store<u8>(SCRATCH + COMMON_HEADER_BYTES, <u8>chunk);
  store<u8>(SCRATCH + COMMON_HEADER_BYTES, <u8>CHUNK_BYTES, 3);
  return advanceSctp(state, SCRATCH, SCRATCH + COMMON_HEADER_BYTES + CHUNK_BYTES, direction);
}

/** Checks a row: the states, in the order of NAMES, that a chunk leads to. */
function row(direction: u32, chunk: u32, line: string): void {
  let cells = line.split(" ");
  assert(cells.length == <i32>STATES, `${line} has ${cells.length} cells`);
  for (let state: u32 = 0; state < STATES; state++) {
    let got = stateName(after(state, chunk, direction));
    assert(got == cells[state], `direction ${direction}, chunk ${chunk}, from ${stateName(state)}: ${got} instead of ${cells[state]}`);
  }
}

describe("the SCTP table", () => {
  beforeAll(freshEngine);

  it("has the client's rows", () => {
    //                               NO I1 IN CS CR CW CO CE ES SS SR SA RJ CL
    row(CLIENT, DATA,              "ES I1 IN CS CR CW CO CE ES SS SR SA RJ CL");
    row(CLIENT, INIT,              "I1 IN IN CS CR CW CO CE ES SS SR SA IN IN");
    row(CLIENT, INIT_ACK,          "CW CW CW CS CR CO CO CE ES SS SR SA RJ CL");
    row(CLIENT, COOKIE_ECHO,       "CR IN IN CR CR CW CO CE ES SS SR SA RJ CL");
    row(CLIENT, COOKIE_ACK,        "ES I1 IN CS CR CW CO ES ES SS SR SA RJ CL");
    row(CLIENT, SHUTDOWN,          "SR I1 IN CS CR CW CO CE SR SS SR SA RJ CL");
    row(CLIENT, SHUTDOWN_ACK,      "CL IN IN CS CR CW CO CE ES CL SR CL RJ CL");
    row(CLIENT, SHUTDOWN_COMPLETE, "CL CL CL CS CR CW CO CE ES SS SR CL RJ CL");
    row(CLIENT, ERROR_CHUNK,       "CL I1 IN CS CR CW CO CL ES SS SR SA RJ CL");
    row(CLIENT, ABORT,             "CL CL CL CL CL RJ CL CL CL CL CL CL CL CL");
  });

  it("has the server's rows", () => {
    //                               NO I1 IN CS CR CW CO CE ES SS SR SA RJ CL
    row(SERVER, DATA,              "ES I1 IN CS CR CW CO CE ES SS SR SA RJ CL");
    row(SERVER, INIT,              "CW CW CW CW CW CW CW CW ES CW CW CW CW CW");
    row(SERVER, INIT_ACK,          "CS CS CS CS CR CW CO CE ES SS SR SA RJ CL");
    row(SERVER, COOKIE_ECHO,       "CE CE CE CE CE CE CE CE ES SS SR SA RJ CL");
    row(SERVER, COOKIE_ACK,        "ES ES ES ES ES ES ES ES ES SS SR SA RJ CL");
    row(SERVER, SHUTDOWN,          "SS SS SS SS SS SS SS SS SS SS SR SA RJ CL");
    row(SERVER, SHUTDOWN_ACK,      "SA SA SA SA SA CW CO CE ES SA SA SA RJ CL");
    row(SERVER, SHUTDOWN_COMPLETE, "CL I1 IN CS CR CW CO CE ES SS SR SA RJ CL");
    row(SERVER, ERROR_CHUNK,       "CL CL CL CL CL CW CO CE ES SS SR SA RJ CL");
    row(SERVER, ABORT,             "CL RJ CL CL CL CL CL CL CL CL CL CL CL CL");
  });

  it("has the rows of a client whose server is never seen", () => {
    //                                     NO I1 IN CS CR CW CO CE ES SS SR SA RJ CL
    row(CLIENT_ALONE, DATA,              "ES I1 IN CS CR ES CO CE ES SS SR SA RJ CL");
    row(CLIENT_ALONE, INIT,              "I1 IN IN IN IN IN CO CE ES SS SR SA IN IN");
    row(CLIENT_ALONE, INIT_ACK,          "CE CE CE CE CE CE CO CE ES SS SR SA RJ CL");
    row(CLIENT_ALONE, COOKIE_ECHO,       "ES ES ES ES ES ES CO CE ES SS SR SA RJ CL");
    row(CLIENT_ALONE, COOKIE_ACK,        "ES I1 IN ES ES CW ES ES ES SS SR SA RJ CL");
    row(CLIENT_ALONE, SHUTDOWN,          "SR I1 IN CS CR CW CO CE SR SS SR SA RJ CL");
    row(CLIENT_ALONE, SHUTDOWN_ACK,      "CL IN IN CS CR CW CO CE CL CL SR CL RJ CL");
    row(CLIENT_ALONE, SHUTDOWN_COMPLETE, "CL CL CL CL CL CW CO CE ES SS CL CL RJ CL");
    row(CLIENT_ALONE, ERROR_CHUNK,       "CL I1 IN CS CR CW CO CE ES SS SR SA RJ CL");
    row(CLIENT_ALONE, ABORT,             "CL CL CL CL CL RJ CL CL CL CL CL CL CL CL");
  });

  it("takes every other chunk for data", () => {
    for (let chunk: u32 = 0; chunk < 256; chunk++) {
      if (chunk == INIT || chunk == INIT_ACK || (chunk >= ABORT && chunk <= COOKIE_ACK) || chunk == SHUTDOWN_COMPLETE) continue;
      for (let direction = CLIENT; direction <= CLIENT_ALONE; direction++) {
        for (let state: u32 = 0; state < STATES; state++) {
          assert(after(state, chunk, direction) == after(state, DATA, direction), `chunk ${chunk}, from ${stateName(state)}`);
        }
      }
    }
  });

  it("counts only an established association as active", () => {
    for (let state: u32 = 0; state < STATES; state++) assert(sctpActive(state) == (state == <u32>SctpState.Established), stateName(state));
  });
});
