// The hash: the same for both forms of an IPv4 address, different by seed, and even.

import { fold128, foldAddress, mix } from "../../../assembly/base/hash";
import { mapAddress } from "../../../assembly/wire/field";
import { ip4, SCRATCH } from "../world";

describe("foldAddress", () => {
  it("keeps an IPv4 address's own word", () => {
    mapAddress(SCRATCH, ip4(192, 168, 7, 9));
    expect(foldAddress(SCRATCH)).toBe(ip4(192, 168, 7, 9));
  });

  it("depends on every bit of an IPv6 address", () => {
    memory.fill(SCRATCH, 0x20, 16);
    let before = foldAddress(SCRATCH);
    for (let bit: u32 = 0; bit < 128; bit++) {
      let at = SCRATCH + (bit >> 3);
      store<u8>(at, load<u8>(at) ^ <u8>(<u32>1 << (bit & 7)));
      assert(foldAddress(SCRATCH) != before, `bit ${bit}`);
      store<u8>(at, load<u8>(at) ^ <u8>(<u32>1 << (bit & 7)));
    }
    expect(foldAddress(SCRATCH)).toBe(fold128(load<u64>(SCRATCH), load<u64>(SCRATCH, 8)));
  });
});

/** The fullest of 256 buckets after 16384 keys; 64 would be perfectly even. */
function fullest(addressStep: u32, portStep: u32): u32 {
  memory.fill(SCRATCH, 0, 1024);
  let most: u32 = 0;
  for (let i: u32 = 0; i < 16384; i++) {
    let hash = mix(bswap<u32>(0x0a000001 + i * addressStep), (6 << 16) | <u32>bswap<u16>(<u16>(1024 + i * portStep)), 99);
    let at = SCRATCH + ((hash & 255) << 2);
    store<u32>(at, load<u32>(at) + 1);
    most = max(most, load<u32>(at));
  }
  return most;
}

describe("mix", () => {
  it("is another with another seed", () => {
    let same: u32 = 0;
    for (let i: u32 = 0; i < 256; i++) if (mix(i, i * 3, 1) == mix(i, i * 3, 2)) same++;
    expect(same).toBeLessThan(3);
  });

  it("spreads neighbouring addresses", () => {
    expect(fullest(1, 0)).toBeLessThan(110);
  });

  it("spreads neighbouring ports", () => {
    expect(fullest(0, 1)).toBeLessThan(110);
  });

  it("spreads both at once", () => {
    expect(fullest(256, 7)).toBeLessThan(110);
  });
});
