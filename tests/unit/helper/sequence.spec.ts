// Shifted sequence numbers: both sides of the change, around the wrap, and back again.

import { adjust, noteGrowth, Sequence, shiftIn, shiftOf } from "../../../assembly/helper/sequence";
import { get32, set32 } from "../../../assembly/wire/field";
import { random, SCRATCH, seedRandom } from "../world";

const OWN: usize = SCRATCH;
const OTHER: usize = SCRATCH + 16;
const TCP: usize = SCRATCH + 64;

function own(): Sequence {
  return changetype<Sequence>(OWN);
}

function other(): Sequence {
  return changetype<Sequence>(OTHER);
}

describe("a sequence", () => {
  beforeEach(() => {
    memory.fill(SCRATCH, 0, 256);
  });

  it("shifts nothing up to the change and everything behind it", () => {
    noteGrowth(own(), 5012, 1);
    expect(shiftOf(own(), 5011)).toBe(0);
    expect(shiftOf(own(), 5012)).toBe(0, "the changed segment itself");
    expect(shiftOf(own(), 5013)).toBe(1);
    expect(shiftIn(own(), 5012)).toBe(0);
    expect(shiftIn(own(), 5060)).toBe(1);
  });

  it("does not change when the segment is sent again, nor for an older one", () => {
    noteGrowth(own(), 5012, 3);
    noteGrowth(own(), 5012, 3);
    noteGrowth(own(), 4000, 3);
    expect(own().shift).toBe(3);
    expect(own().before).toBe(0);
  });

  it("adds up, shrinking too", () => {
    noteGrowth(own(), 100, 3);
    noteGrowth(own(), 200, -5);
    expect(shiftOf(own(), 150)).toBe(3);
    expect(shiftOf(own(), 201)).toBe(-2);
  });

  it("goes on around the end of all numbers", () => {
    noteGrowth(own(), 0xfffffff0, 2);
    expect(shiftOf(own(), 0xfffffff1)).toBe(2);
    expect(shiftOf(own(), 5)).toBe(2);
    expect(shiftOf(own(), 0xffffffe0)).toBe(0);
    noteGrowth(own(), 8, 4);
    expect(shiftOf(own(), 5)).toBe(2);
    expect(shiftOf(own(), 9)).toBe(6);
  });

  it("acknowledgments come back to what was sent, wherever the change was", () => {
    seedRandom(3);
    for (let round: u32 = 0; round < 2000; round++) {
      memory.fill(OWN, 0, 12);
      let place = random(0x7fffffff) << 1;
      noteGrowth(own(), place, <i32>random(17) - 8);
      // A receiver acknowledges ends of segments: those up to the changed one, or what comes after its end.
      let sent = random(2) == 0 ? place - random(1000) : place + 40 + random(1000);
      let seen = sent + shiftOf(own(), sent);
      assert(seen - shiftIn(own(), seen) == sent, `round ${round}`);
    }
  });
});

describe("adjust", () => {
  beforeEach(() => {
    memory.fill(SCRATCH, 0, 256);
    set32(TCP + 4, 9000);
    set32(TCP + 8, 6000);
    store<u8>(TCP, 0x10, 13);
  });

  it("leaves a header alone when nothing was changed", () => {
    expect(adjust(TCP, 20, own(), other())).toBe(false);
    expect(get32(TCP + 4)).toBe(9000);
  });

  it("moves own numbers forth and acknowledged ones back", () => {
    noteGrowth(own(), 8000, 4);
    noteGrowth(other(), 5000, 7);
    expect(adjust(TCP, 20, own(), other())).toBe(true);
    expect(get32(TCP + 4)).toBe(9004);
    expect(get32(TCP + 8)).toBe(5993);
  });

  it("does not read an acknowledgment that is not one", () => {
    noteGrowth(other(), 5000, 7);
    store<u8>(TCP, 0x02, 13);
    expect(adjust(TCP, 20, own(), other())).toBe(false);
    expect(get32(TCP + 8)).toBe(6000);
  });

  it("moves SACK blocks back, behind other options", () => {
    noteGrowth(other(), 5000, 7);
    store<u8>(TCP, 1, 20);
    store<u8>(TCP, 8, 21);
    store<u8>(TCP, 10, 22);
    store<u8>(TCP, 1, 31);
    store<u8>(TCP, 5, 32);
    store<u8>(TCP, 18, 33);
    set32(TCP + 34, 4000);
    set32(TCP + 38, 4100);
    set32(TCP + 42, 7000);
    set32(TCP + 46, 7100);
    adjust(TCP, 52, own(), other());
    expect(get32(TCP + 34)).toBe(4000, "before the change");
    expect(get32(TCP + 38)).toBe(4100);
    expect(get32(TCP + 42)).toBe(6993);
    expect(get32(TCP + 46)).toBe(7093);
  });

  it("ends at options that do not fit", () => {
    noteGrowth(other(), 5000, 7);
    store<u8>(TCP, 5, 20);
    store<u8>(TCP, 10, 21);
    set32(TCP + 22, 7000);
    adjust(TCP, 24, own(), other());
    expect(get32(TCP + 22)).toBe(7000, "beyond the header");
    store<u8>(TCP, 0, 21);
    adjust(TCP, 40, own(), other());
    expect(get32(TCP + 22)).toBe(7000, "length 0");
  });
});
