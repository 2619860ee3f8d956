// When timers go off: at once when their time is over, or as those of a kernel with 100 ticks a second.

import { CONTROL_BASE, CONTROL_TICK_MS, CONTROL_TICKS_AT_MS } from "../../../assembly/abi/layout";
import { goesOffAfterMs } from "../../../assembly/connection/wheel";
import { freshEngine } from "../world";

function setTicks(tickMs: u32, atMs: u32): void {
  store<u32>(CONTROL_BASE, tickMs, CONTROL_TICK_MS);
  store<u32>(CONTROL_BASE, atMs, CONTROL_TICKS_AT_MS);
}

describe("a timer goes off", () => {
  beforeEach(freshEngine);

  it("when its time is over, where nobody told of ticks", () => {
    expect(goesOffAfterMs(123457, 60000)).toBe(60000);
    expect(goesOffAfterMs(123457, 0)).toBe(0);
  });
  it("at the next tick when it was to go off at once", () => {
    setTicks(10, 0);
    expect(goesOffAfterMs(5000, 0)).toBe(10);
    expect(goesOffAfterMs(5009, 0)).toBe(1);
  });
  // Both sides of each level's reach: 63, 504, 4032, 32256 ticks. Ticks are a multiple of every grain when it is set.
  it("at a multiple of its level's grain, beyond its time", () => {
    setTicks(10, 5000);
    expect(goesOffAfterMs(5000, 620)).toBe(630);
    expect(goesOffAfterMs(5000, 630)).toBe(640);
    expect(goesOffAfterMs(5000, 5030)).toBe(5040);
    expect(goesOffAfterMs(5000, 5040)).toBe(5120);
    expect(goesOffAfterMs(5000, 10000)).toBe(10240);
    expect(goesOffAfterMs(5000, 40310)).toBe(40320);
    expect(goesOffAfterMs(5000, 40320)).toBe(40960);
    expect(goesOffAfterMs(5000, 60000)).toBe(61440);
    expect(goesOffAfterMs(5000, 322550)).toBe(322560);
    expect(goesOffAfterMs(5000, 322560)).toBe(327680);
    expect(goesOffAfterMs(5000, 900000)).toBe(901120);
  });
  it("by the ticks there were, not by when it was set", () => {
    setTicks(10, 5000);
    expect(goesOffAfterMs(6000, 60000)).toBe(60440);
    expect(goesOffAfterMs(6440, 60000)).toBe(60000 + 5120);
    expect(goesOffAfterMs(6439, 60000)).toBe(60001);
  });
  it("also where ticks began before the engine's time did", () => {
    setTicks(10, <u32>(0 - 10240));
    expect(goesOffAfterMs(0, 60000)).toBe(61440);
    expect(goesOffAfterMs(1000, 60000)).toBe(60440);
  });
  it("by slower ticks in coarser grains", () => {
    setTicks(4, 0);
    expect(goesOffAfterMs(0, 60000)).toBe(61440);
    expect(goesOffAfterMs(0, 16124)).toBe(16128);
  });
});
