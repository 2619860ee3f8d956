// CRC32c: the known answer, and eight bytes at a time against bit by bit.

import { CRC_TABLE } from "../../../assembly/abi/layout";
import { crc32c, refreshCrc } from "../../../assembly/wire/sctp";
import { freshEngine, random, SCRATCH, seedRandom } from "../world";

const AT: usize = SCRATCH;

/** The definition, one bit after the other. */
function bitByBit(at: usize, bytes: u32): u32 {
  let crc: u32 = 0xffffffff;
  for (let i: u32 = 0; i < bytes; i++) {
    crc ^= <u32>load<u8>(at + i);
    for (let bit: u32 = 0; bit < 8; bit++) crc = crc & 1 ? (crc >> 1) ^ 0x82f63b78 : crc >> 1;
  }
  return ~crc;
}

describe("CRC32c", () => {
  beforeEach(freshEngine);

  it("knows the digits' checksum (RFC 3720 and every catalogue)", () => {
    for (let i: u32 = 0; i < 9; i++) store<u8>(AT + i, <u8>(0x31 + i));
    expect(crc32c(AT, 9)).toBe(0xe3069283);
  });

  it("equals the definition for every length to 300, at every alignment", () => {
    seedRandom(11);
    for (let i: usize = 0; i < 320; i++) store<u8>(AT + i, <u8>random(256));
    let wrong: u32 = 0;
    for (let bytes: u32 = 0; bytes <= 300; bytes++) {
      if (crc32c(AT + (bytes & 7), bytes) != bitByBit(AT + (bytes & 7), bytes)) wrong++;
    }
    expect(wrong).toBe(0);
  });

  it("is stored over a field that counts as zero", () => {
    for (let i: u32 = 0; i < 40; i++) store<u8>(AT + i, <u8>(i + 1));
    refreshCrc(AT, 40);
    let stored = load<u32>(AT, 8);
    store<u32>(AT, 0, 8);
    expect(stored).toBe(bitByBit(AT, 40));
  });

  it("has tables that init wrote", () => {
    expect(load<u32>(CRC_TABLE + 4)).toBe(0xf26b8303);
  });
});
