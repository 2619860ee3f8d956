// SCTP's checksum: CRC32c over the whole packet with the field zero (RFC 9260 appendix A).

/** The reflected Castagnoli polynomial. */
const POLYNOMIAL: u32 = 0x82f63b78;

/** Computes the checksum of `bytes` bytes anew and stores it. */
export function refreshCrc(at: usize, bytes: u32): void {
  store<u32>(at, 0, 8);
  let crc: u32 = 0xffffffff;
  for (let i: u32 = 0; i < bytes; i++) {
    crc ^= <u32>load<u8>(at + i);
    for (let bit: u32 = 0; bit < 8; bit++) crc = (crc >> 1) ^ (POLYNOMIAL & (0 - (crc & 1)));
  }
  store<u32>(at, ~crc, 8);
}
