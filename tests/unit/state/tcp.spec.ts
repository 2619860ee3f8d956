// The TCP table, cell for cell: both sets, three directions, four events, eleven states, written out once more.

import { TcpState } from "../../../assembly/abi/enums";
import { advanceTcp, tcpActive } from "../../../assembly/state/tcp";
import { freshEngine } from "../world";

const NAMES: string = "NOESSSSRFWTWCLCWLALISA";
const STATES: u32 = 11;
const FIN: u32 = 0x01;
const SYN: u32 = 0x02;
const RST: u32 = 0x04;
const ACK: u32 = 0x10;
const NORMAL: u32 = 0;
const SECURE: u32 = 1;

function stateNamed(name: string): u32 {
  for (let state: u32 = 0; state < STATES; state++) if (NAMES.substr(<i32>state * 2, 2) == name) return state;
  return 99;
}

/** Checks a row: the states, in the order of NAMES, that an event leads to. */
function row(secure: u32, direction: u32, flags: u32, line: string): void {
  let cells = line.split(" ");
  assert(cells.length == <i32>STATES, `${line} has ${cells.length} cells`);
  for (let state: u32 = 0; state < STATES; state++) {
    let got = advanceTcp(state, flags, direction, secure);
    assert(got == stateNamed(cells[state]),
      `secure ${secure}, direction ${direction}, flags ${flags}, from ${NAMES.substr(<i32>state * 2, 2)}: ` +
      `${NAMES.substr(<i32>got * 2, 2)} instead of ${cells[state]}`);
  }
}

describe("the TCP table", () => {
  beforeAll(freshEngine);

  it("has the client's rows", () => {
    row(NORMAL, 0, SYN, "SR ES ES SR SR SR SR SR SR SR SR");
    row(NORMAL, 0, FIN, "CL CW SS TW TW TW CL CW LA LI TW");
    row(NORMAL, 0, ACK, "ES ES SS ES FW TW CL CW CL LI ES");
    row(NORMAL, 0, RST, "CL CL CL SR CL CL CL CL LA LI SR");
  });

  it("has the server's rows", () => {
    row(NORMAL, 1, SYN, "SS ES SS SR SS SS SS SS SS LI SR");
    row(NORMAL, 1, FIN, "TW FW SS TW FW TW CL TW LA LI TW");
    row(NORMAL, 1, ACK, "ES ES SS ES FW TW CL CW LA ES ES");
    row(NORMAL, 1, RST, "CL CL SS CL CL TW CL CL CL CL CL");
  });

  it("has the rows of a client whose server is never seen", () => {
    row(NORMAL, 2, SYN, "SR ES ES SR SR SR SR SR SR SR SR");
    row(NORMAL, 2, FIN, "CL FW SS TW FW TW CL CW LA LI TW");
    row(NORMAL, 2, ACK, "ES ES SS ES FW TW CL CW CL LI ES");
    row(NORMAL, 2, RST, "CL CL CL SR CL CL CL CL LA LI CL");
  });

  it("has the client's rows under secure_tcp", () => {
    row(SECURE, 0, SYN, "SR ES ES SR SR SR SR SR SR SR SA");
    row(SECURE, 0, FIN, "CL CW SS TW TW TW CL CW LA LI SA");
    row(SECURE, 0, ACK, "ES ES SS SR FW TW CL CW CL LI SA");
    row(SECURE, 0, RST, "CL CL CL SR CL CL CL CL LA LI CL");
  });

  it("has the server's rows under secure_tcp", () => {
    row(SECURE, 1, SYN, "SS ES SS SA SS SS SS SS SS LI SA");
    row(SECURE, 1, FIN, "TW FW SS TW FW TW CL TW LA LI TW");
    row(SECURE, 1, ACK, "ES ES SS ES FW TW CL CW LA ES ES");
    row(SECURE, 1, RST, "CL CL SS CL CL TW CL CL CL CL CL");
  });

  it("has the rows of a client alone under secure_tcp", () => {
    row(SECURE, 2, SYN, "SA ES ES SR SA SA SA SA SA SA SA");
    row(SECURE, 2, FIN, "CL FW SS TW FW TW CL CW LA LI TW");
    row(SECURE, 2, ACK, "ES ES SS ES FW TW CL CW CL LI ES");
    row(SECURE, 2, RST, "CL CL CL SR CL CL CL CL LA LI CL");
  });

  it("looks at RST first, then SYN, FIN, ACK; none of them closes", () => {
    for (let flags: u32 = 0; flags < 256; flags++) {
      let event = flags & RST ? RST : flags & SYN ? SYN : flags & FIN ? FIN : ACK;
      for (let state: u32 = 0; state < STATES; state++) {
        let expected = flags & (RST | SYN | FIN | ACK) ? advanceTcp(state, event, 0, NORMAL) : <u32>TcpState.Close;
        assert(advanceTcp(state, flags, 0, NORMAL) == expected, `flags ${flags}, state ${state}`);
      }
    }
  });

  it("counts a connection as active while it opens and is open", () => {
    for (let state: u32 = 0; state < STATES; state++) {
      let active = state == <u32>TcpState.Established || state == <u32>TcpState.SynSent ||
        state == <u32>TcpState.SynRecv || state == <u32>TcpState.SynAck;
      assert(tcpActive(state) == active, NAMES.substr(<i32>state * 2, 2));
    }
  });
});
