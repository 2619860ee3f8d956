// SCTP's checksum: CRC32c over the whole packet with the field zero (RFC 9260 appendix A).
//
// Eight bytes at a time, by eight tables (M. E. Kounavis and F. L. Berry, "A Systematic Approach to
// Building High Performance Software-Based CRC Generators", 2005): table k answers what a byte does to a
// checksum that k more bytes follow.

import { CRC_TABLE } from "../abi/layout";

/** The reflected Castagnoli polynomial. */
const POLYNOMIAL: u32 = 0x82f63b78;
/** Bytes from one table to the next: 256 words. */
const NEXT_TABLE: usize = 1024;

/** Writes the tables. */
export function initCrc(): void {
  for (let byte: u32 = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit: u32 = 0; bit < 8; bit++) crc = (crc >> 1) ^ (POLYNOMIAL & (0 - (crc & 1)));
    store<u32>(CRC_TABLE + (byte << 2), crc);
  }
  for (let place: usize = CRC_TABLE; place < CRC_TABLE + 7 * NEXT_TABLE; place += 4) {
    let before = load<u32>(place);
    store<u32>(place, (before >> 8) ^ load<u32>(CRC_TABLE + ((before & 0xff) << 2)), NEXT_TABLE);
  }
}

/** What a byte does to a checksum that `table` more bytes follow. */
function entry(byte: u32, table: usize): u32 {
  return load<u32>(CRC_TABLE + table * NEXT_TABLE + (<usize>byte << 2));
}

/** CRC32c of `bytes` bytes. */
export function crc32c(at: usize, bytes: u32): u32 {
  let crc: u32 = 0xffffffff;
  let end = at + bytes;
  for (; at + 8 <= end; at += 8) {
    let low = load<u32>(at) ^ crc;
    let high = load<u32>(at, 4);
    crc = entry(low & 0xff, 7) ^ entry((low >> 8) & 0xff, 6) ^ entry((low >> 16) & 0xff, 5) ^ entry(low >> 24, 4) ^
      entry(high & 0xff, 3) ^ entry((high >> 8) & 0xff, 2) ^ entry((high >> 16) & 0xff, 1) ^ entry(high >> 24, 0);
  }
  for (; at < end; at++) crc = (crc >> 8) ^ entry((crc ^ <u32>load<u8>(at)) & 0xff, 0);
  return ~crc;
}

/** Computes the checksum of `bytes` bytes anew and stores it. */
export function refreshCrc(at: usize, bytes: u32): void {
  store<u32>(at, 0, 8);
  store<u32>(at, crc32c(at, bytes), 8);
}
