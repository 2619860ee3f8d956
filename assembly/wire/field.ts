// The only file that knows byte order. Ports and addresses are compared and stored as they lie on
// the wire; only sizes and offsets are turned into numbers.

export function get16(at: usize): u32 {
  return bswap<u16>(load<u16>(at));
}

export function set16(at: usize, value: u32): void {
  store<u16>(at, bswap<u16>(<u16>value));
}

export function get32(at: usize): u32 {
  return bswap<u32>(load<u32>(at));
}

export function set32(at: usize, value: u32): void {
  store<u32>(at, bswap<u32>(value));
}

/** A port number as it lies on the wire. */
export function port(number: u32): u32 {
  return bswap<u16>(<u16>number);
}

/** Two 16-byte addresses, equal. */
export function sameAddress(a: usize, b: usize): bool {
  return load<u64>(a) == load<u64>(b) && load<u64>(a, 8) == load<u64>(b, 8);
}

export function copyAddress(to: usize, from: usize): void {
  store<u64>(to, load<u64>(from));
  store<u64>(to, load<u64>(from, 8), 8);
}

/** Writes an IPv4 address (as on the wire) in its 16-byte form ::ffff:a.b.c.d. */
export function mapAddress(to: usize, address: u32): void {
  store<u64>(to, 0);
  store<u32>(to, 0xffff0000, 8);
  store<u32>(to, address, 12);
}

/** True for an IPv4 address in its 16-byte form. */
export function isMapped(at: usize): bool {
  return load<u64>(at) == 0 && load<u32>(at, 8) == 0xffff0000;
}

/** True for an address of fe80::/10, which is its link's alone (RFC 4291 section 2.5.6). */
export function isLinkLocal6(at: usize): bool {
  return (load<u16>(at) & 0xc0ff) == 0x80fe;
}

/** True for ::1, which no wire carries (RFC 4291 section 2.5.3). */
export function isLoopback6(at: usize): bool {
  return load<u64>(at) == 0 && load<u64>(at, 8) == 0x0100000000000000;
}

export function isZeroAddress(at: usize): bool {
  return (load<u64>(at) | load<u64>(at, 8)) == 0;
}

/** True when the first `bits` bits of two 16-byte addresses are equal. */
export function samePrefix(a: usize, b: usize, bits: u32): bool {
  let high = bswap<u64>(load<u64>(a) ^ load<u64>(b));
  if (bits < 64) return bits == 0 || high >> (64 - bits) == 0;
  if (high != 0) return false;
  let low = bswap<u64>(load<u64>(a, 8) ^ load<u64>(b, 8));
  return bits == 64 || low >> (128 - bits) == 0;
}
