// Byte order and 16-byte addresses.

import {
  copyAddress, get16, get32, isZeroAddress, mapAddress, port, sameAddress, samePrefix, set16, set32,
} from "../../../assembly/wire/field";
import { ip4, SCRATCH } from "../world";

describe("numbers on the wire", () => {
  it("are big endian, both ways", () => {
    set32(SCRATCH, 0x12345678);
    expect(load<u8>(SCRATCH)).toBe(0x12);
    expect(get32(SCRATCH)).toBe(0x12345678);
    expect(get16(SCRATCH + 2)).toBe(0x5678);
    set16(SCRATCH, 0xabcd);
    expect(load<u8>(SCRATCH)).toBe(0xab);
    expect(get16(SCRATCH)).toBe(0xabcd);
    expect(port(80)).toBe(0x5000);
  });
});

describe("addresses", () => {
  beforeEach(() => {
    memory.fill(SCRATCH, 0, 64);
  });

  it("of IPv4 are mapped into ::ffff:0:0/96", () => {
    mapAddress(SCRATCH, ip4(10, 1, 2, 3));
    expect(load<u64>(SCRATCH)).toBe(0);
    expect(get32(SCRATCH + 8)).toBe(0xffff);
    expect(get32(SCRATCH + 12)).toBe(0x0a010203);
    expect(isZeroAddress(SCRATCH)).toBe(false);
    expect(isZeroAddress(SCRATCH + 32)).toBe(true);
  });

  it("differ by their last bit", () => {
    for (let i: usize = 0; i < 16; i++) store<u8>(SCRATCH + i, <u8>(i + 1));
    copyAddress(SCRATCH + 16, SCRATCH);
    expect(sameAddress(SCRATCH, SCRATCH + 16)).toBe(true);
    store<u8>(SCRATCH + 31, load<u8>(SCRATCH + 31) ^ 1);
    expect(sameAddress(SCRATCH, SCRATCH + 16)).toBe(false);
  });

  it("that differ first in bit n share every prefix up to n and none beyond", () => {
    for (let bit: u32 = 0; bit < 128; bit++) {
      memory.fill(SCRATCH, 0x5a, 32);
      let at = SCRATCH + 16 + (bit >> 3);
      store<u8>(at, load<u8>(at) ^ <u8>(<u32>0x80 >> (bit & 7)));
      for (let bits: u32 = 0; bits <= 128; bits++) {
        assert(samePrefix(SCRATCH, SCRATCH + 16, bits) == bits <= bit, `bit ${bit}, prefix ${bits}`);
      }
    }
  });
});
