// The Internet checksum (RFC 1071) and its incremental update (RFC 1624).
//
// One's-complement sums do not care about byte order, so words are summed as they lie in memory and
// the result is stored without turning it.

/** Folds a sum into 16 bits. Rotating adds both halves at once and brings the carry home. */
export function fold32(sum: u32): u32 {
  return (sum + rotl<u32>(sum, 16)) >> 16;
}

export function fold64(sum: u64): u32 {
  return fold32(<u32>((sum + rotl<u64>(sum, 32)) >> 32));
}

/** The one's-complement sum of `bytes` bytes, not folded, not inverted. */
export function sum(at: usize, bytes: u32): u64 {
  let total: u64 = 0;
  let end = at + bytes;
  if (bytes >= 64) {
    let low = i32x4.splat(0);
    let high = i32x4.splat(0);
    // Each pass adds at most 4 * 0xffff to a 32-bit lane: 64 KB stay far below its end.
    for (; at + 32 <= end; at += 32) {
      low = i32x4.add(low, i32x4.extadd_pairwise_i16x8_u(v128.load(at)));
      high = i32x4.add(high, i32x4.extadd_pairwise_i16x8_u(v128.load(at, 16)));
    }
    let both = i32x4.add(low, high);
    total = <u64><u32>i32x4.extract_lane(both, 0) + <u64><u32>i32x4.extract_lane(both, 1) +
      <u64><u32>i32x4.extract_lane(both, 2) + <u64><u32>i32x4.extract_lane(both, 3);
  }
  for (; at + 4 <= end; at += 4) total += <u64>load<u32>(at);
  if (at + 2 <= end) {
    total += <u64>load<u16>(at);
    at += 2;
  }
  if (at < end) total += <u64>load<u8>(at);
  return total;
}

/** The checksum field's value for `bytes` bytes whose checksum field is zero. */
export function checksum(at: usize, bytes: u32): u32 {
  return ~fold64(sum(at, bytes)) & 0xffff;
}

/** Writes the checksum of an IPv4 header of `bytes` bytes anew. */
export function seal4(header: usize, bytes: u32): void {
  store<u16>(header, 0, 10);
  store<u16>(header, <u16>checksum(header, bytes), 10);
}

/** The pseudo-header sum of IPv4 (RFC 793 section 3.1), not folded. `protocol` and `bytes` are host numbers. */
export function pseudo4(source: u32, target: u32, protocol: u32, bytes: u32): u64 {
  return <u64>source + <u64>target + <u64>(protocol << 8) + <u64>bswap<u16>(<u16>bytes);
}

/** The pseudo-header sum of IPv6 (RFC 8200 section 8.1), addresses at the two places, not folded. */
export function pseudo6(source: usize, target: usize, protocol: u32, bytes: u32): u64 {
  let total: u64 = 0;
  for (let i: usize = 0; i < 16; i += 4) total += <u64>load<u32>(source + i) + <u64>load<u32>(target + i);
  return total + <u64>bswap<u32>(bytes) + <u64>(protocol << 24);
}

/**
 * What changing `before` into `after` does to a sum: ~m + m' (RFC 1624 equation 3), folded to 16 bits.
 *
 * The field becomes ~(~field + difference).
 */
export function difference32(before: u32, after: u32): u32 {
  return fold64(<u64>(~before) + <u64>after);
}

export function difference16(before: u32, after: u32): u32 {
  return fold32((~before & 0xffff) + (after & 0xffff));
}

/** Adds two folded sums. */
export function combine(a: u32, b: u32): u32 {
  return fold32(a + b);
}

/**
 * Applies a difference to the checksum field at `at`.
 *
 * ~(~field + difference) in one's complement is the field less the difference (RFC 1624 equation 4); what was
 * borrowed is taken from the lowest bit. Of the two zeros the same comes out (tests/unit/wire/checksum.spec.ts).
 */
@inline
export function amend(at: usize, difference: u32): void {
  let value = <i32>load<u16>(at) - <i32>difference;
  store<u16>(at, <u16>(value + (value >> 31)));
}

/** Applies a difference to a partial checksum: the folded pseudo-header sum, not inverted. */
export function amendPartial(at: usize, difference: u32): void {
  store<u16>(at, <u16>fold32(<u32>load<u16>(at) + difference));
}
