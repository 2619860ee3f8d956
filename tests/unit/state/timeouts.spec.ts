// The kernel's default timeouts, and what an operator's change of them touches.

import { CONTROL_BASE, CONTROL_TIMEOUTS, REQUEST_BASE, REQUEST_VALUES, TIMEOUTS_SCTP, TIMEOUTS_UDP } from "../../../assembly/abi/layout";
import { Operation, SctpState, TcpState } from "../../../assembly/abi/enums";
import { timeoutMs } from "../../../assembly/connection/open";
import { freshEngine, freshRequest, must, SCRATCH } from "../world";

const BYTES: usize = 64 * 4;

describe("timeouts", () => {
  beforeEach(() => {
    freshEngine();
    freshRequest();
  });

  it("of TCP are the kernel's, in seconds", () => {
    let expected: u32[] = [2, 900, 120, 60, 120, 120, 10, 60, 30, 120, 120];
    for (let state = 0; state < expected.length; state++) {
      assert(timeoutMs(state) == expected[state] * 1000, `state ${state}: ${timeoutMs(state)} ms`);
    }
  });

  it("of UDP and SCTP are the kernel's", () => {
    expect(timeoutMs(TIMEOUTS_UDP)).toBe(300000);
    for (let state: u32 = 0; state < <u32>SctpState.Last; state++) {
      let seconds: u32 = 61;
      if (state == <u32>SctpState.None) seconds = 2;
      if (state == <u32>SctpState.Init1 || state == <u32>SctpState.Rejected) seconds = 4;
      if (state == <u32>SctpState.Established) seconds = 900;
      assert(timeoutMs(TIMEOUTS_SCTP + state) == seconds * 1000, `state ${state}: ${timeoutMs(TIMEOUTS_SCTP + state)} ms`);
    }
  });

  it("set by the operator: three change, zero leaves, nothing else moves", () => {
    memory.copy(SCRATCH, CONTROL_BASE + CONTROL_TIMEOUTS, BYTES);
    store<u32>(REQUEST_BASE, 500000, REQUEST_VALUES);
    store<u32>(REQUEST_BASE, 70000, REQUEST_VALUES + 8);
    must(Operation.TimeoutsSet);
    expect(timeoutMs(<u32>TcpState.Established)).toBe(500000);
    expect(timeoutMs(<u32>TcpState.FinWait)).toBe(120000);
    expect(timeoutMs(TIMEOUTS_UDP)).toBe(70000);
    store<u32>(SCRATCH + 4 * <usize>TcpState.Established, 500000);
    store<u32>(SCRATCH + 4 * <usize>TIMEOUTS_UDP, 70000);
    expect(memory.compare(SCRATCH, CONTROL_BASE + CONTROL_TIMEOUTS, BYTES)).toBe(0);
  });
});
