// The Internet checksum against its definition, at every length and alignment, and against RFC 1071's example.

import {
  amend, amendPartial, checksum, combine, difference16, difference32, fold32, fold64, pseudo4, pseudo6, sum,
} from "../../../assembly/wire/checksum";
import { random, SCRATCH, seedRandom } from "../world";

/** The definition: 16-bit words added with end-around carry, an odd byte last filled up with zero. */
function reference(at: usize, bytes: u32): u32 {
  let total: u32 = 0;
  for (let i: u32 = 0; i < bytes; i += 2) {
    total += <u32>load<u8>(at + i) | (i + 1 < bytes ? <u32>load<u8>(at + i + 1) << 8 : 0);
    if (total > 0xffff) total -= 0xffff;
  }
  return total;
}

describe("sum", () => {
  it("equals the definition for every length up to 200 at eight alignments", () => {
    seedRandom(1);
    for (let i: usize = 0; i < 256; i++) store<u8>(SCRATCH + i, <u8>random(256));
    for (let shift: usize = 0; shift < 8; shift++) {
      for (let bytes: u32 = 0; bytes <= 200; bytes++) {
        let expected = reference(SCRATCH + shift, bytes);
        let got = fold64(sum(SCRATCH + shift, bytes));
        assert(got % 0xffff == expected % 0xffff, `at ${shift}, ${bytes} bytes`);
      }
    }
  });

  it("does not overflow for 64 KB of ones", () => {
    memory.fill(SCRATCH, 0xff, 65535);
    expect(fold64(sum(SCRATCH, 65535)) % 0xffff).toBe(reference(SCRATCH, 65535) % 0xffff);
  });

  it("of nothing is zero", () => {
    expect(sum(SCRATCH, 0)).toBe(0);
  });
});

describe("checksum", () => {
  it("of RFC 1071's example is ~ddf2, as it lies in memory", () => {
    store<u64>(SCRATCH, 0xf7f6f5f403f20100);
    expect(bswap<u16>(<u16>checksum(SCRATCH, 8))).toBe(<u16>~0xddf2);
  });

  it("makes the whole sum to ffff", () => {
    for (let i: usize = 0; i < 20; i++) store<u8>(SCRATCH + i, <u8>(i * 37));
    store<u16>(SCRATCH, 0, 10);
    store<u16>(SCRATCH, <u16>checksum(SCRATCH, 20), 10);
    expect(fold64(sum(SCRATCH, 20))).toBe(0xffff);
  });
});

describe("fold", () => {
  it("brings every carry home", () => {
    expect(fold32(0xffffffff)).toBe(0xffff);
    expect(fold32(0x00010000)).toBe(1);
    expect(fold32(0x0001ffff)).toBe(1);
    expect(fold64(0xffffffffffffffff)).toBe(0xffff);
    expect(fold64(0x0000000100000000)).toBe(1);
    expect(fold64(0)).toBe(0);
  });
});

describe("amend", () => {
  it("gives what computing anew gives, for a thousand changes of a word", () => {
    seedRandom(2);
    for (let round: u32 = 0; round < 1000; round++) {
      for (let i: usize = 0; i < 40; i++) store<u8>(SCRATCH + i, <u8>random(256));
      store<u16>(SCRATCH, 0, 16);
      store<u16>(SCRATCH, <u16>checksum(SCRATCH, 40), 16);
      let before = load<u32>(SCRATCH, 24);
      let after = random(0x7fffffff);
      store<u32>(SCRATCH, after, 24);
      amend(SCRATCH + 16, difference32(before, after));
      let amended = load<u16>(SCRATCH, 16);
      store<u16>(SCRATCH, 0, 16);
      assert(amended == <u16>checksum(SCRATCH, 40), `round ${round}`);
    }
  });

  it("leaves a wrong checksum wrong by as much", () => {
    memory.fill(SCRATCH, 7, 40);
    store<u16>(SCRATCH, 0, 16);
    let right = checksum(SCRATCH, 40);
    store<u16>(SCRATCH, <u16>(right - 5), 16);
    store<u16>(SCRATCH, 0x1234, 4);
    amend(SCRATCH + 16, difference16(0x0707, 0x1234));
    let amended = <u32>load<u16>(SCRATCH, 16);
    store<u16>(SCRATCH, 0, 16);
    expect((checksum(SCRATCH, 40) + 0xffff - amended) % 0xffff).toBe(5);
  });

  it("adds to a partial checksum without inverting", () => {
    store<u16>(SCRATCH, 0xfffe);
    amendPartial(SCRATCH, 3);
    expect(load<u16>(SCRATCH)).toBe(2);
  });

  it("combines differences", () => {
    expect(combine(0xffff, 2)).toBe(2);
    expect(combine(1, 2)).toBe(3);
  });
});

describe("pseudo-header", () => {
  it("of IPv4 is the sum of its twelve bytes", () => {
    store<u32>(SCRATCH, 0x0100000a);
    store<u32>(SCRATCH, 0x640a0a0a, 4);
    store<u8>(SCRATCH, 0, 8);
    store<u8>(SCRATCH, 6, 9);
    store<u16>(SCRATCH, bswap<u16>(1234), 10);
    expect(fold64(pseudo4(0x0100000a, 0x640a0a0a, 6, 1234))).toBe(reference(SCRATCH, 12));
  });

  it("of IPv6 is the sum of its forty bytes", () => {
    for (let i: usize = 0; i < 32; i++) store<u8>(SCRATCH + i, <u8>(i * 11 + 3));
    store<u32>(SCRATCH, bswap<u32>(70000), 32);
    store<u32>(SCRATCH, bswap<u32>(58), 36);
    expect(fold64(pseudo6(SCRATCH, SCRATCH + 16, 58, 70000))).toBe(reference(SCRATCH, 40));
  });
});
