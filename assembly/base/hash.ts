// One multiplicative hash for all tables, seeded by the host so that nobody can aim at a bucket.

/**
 * Mixes two words and the seed; every bit of the result depends on every bit of both.
 *
 * One product would not do: its low bits know only `b`, so clients that differ in their address alone
 * would share a bucket.
 */
export function mix(a: u32, b: u32, seed: u32): u32 {
  let value = (<u64>(a ^ seed) << 32 | <u64>b) * 0x9e3779b97f4a7c15;
  return <u32>((value ^ (value >> 32)) * 0xd6e8feb86659fd93 >> 32);
}

/** Folds a 16-byte address into a word. IPv4 keeps its own word, so both forms agree. */
export function foldAddress(at: usize): u32 {
  let high = load<u64>(at);
  if (high == 0 && load<u32>(at, 8) == 0xffff0000) return load<u32>(at, 12);
  return fold128(high, load<u64>(at, 8));
}

/** Folds an IPv6 address as it lies in a packet. */
export function fold128(high: u64, low: u64): u32 {
  let value = (high ^ rotl<u64>(low, 29)) * 0xff51afd7ed558ccd;
  return <u32>(value >> 32) ^ <u32>value;
}
