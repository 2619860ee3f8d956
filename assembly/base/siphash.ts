// SipHash-1-3 of one 32-bit word, cut to 32 bits: what a 64-bit kernel's hsiphash answers. Maglev needs
// exactly this hash, so that a kernel director beside this one makes the same choices.

/** The rounds after the only block: one for it, three to finish. */
const ROUNDS: u32 = 4;

/** The hash of four bytes under a key of which both halves are `key`. */
export function siphash13(word: u32, key: u64): u32 {
  let v0 = key ^ 0x736f6d6570736575;
  let v1 = key ^ 0x646f72616e646f6d;
  let v2 = key ^ 0x6c7967656e657261;
  let v3 = key ^ 0x7465646279746573;
  // The last block holds the four bytes and, uppermost, how many they are.
  let block = (<u64>4 << 56) | <u64>word;
  v3 ^= block;
  for (let turn: u32 = 0; turn < ROUNDS; turn++) {
    // One SipRound (Aumasson and Bernstein 2012, section 2.1).
    v0 += v1;
    v1 = rotl<u64>(v1, 13) ^ v0;
    v0 = rotl<u64>(v0, 32);
    v2 += v3;
    v3 = rotl<u64>(v3, 16) ^ v2;
    v0 += v3;
    v3 = rotl<u64>(v3, 21) ^ v0;
    v2 += v1;
    v1 = rotl<u64>(v1, 17) ^ v2;
    v2 = rotl<u64>(v2, 32);
    if (turn == 0) {
      v0 ^= block;
      v2 ^= 0xff;
    }
  }
  return <u32>(v0 ^ v1 ^ v2 ^ v3);
}

/** The hashes of four words, side by side: a hash is one long chain, and four of them take little longer than one. */
@inline
export function siphash13Four(words: v128, key: u64): v128 {
  let keys = i64x2.splat(key);
  let length = i64x2.splat(<u64>4 << 56);
  let finish = i64x2.splat(0xff);
  // Two lanes have two words: `v` of the first pair, `w` of the second.
  let blockV = v128.or(i64x2.extend_low_i32x4_u(words), length);
  let blockW = v128.or(i64x2.extend_high_i32x4_u(words), length);
  let v0 = v128.xor(keys, i64x2.splat(0x736f6d6570736575)), w0 = v0;
  let v1 = v128.xor(keys, i64x2.splat(0x646f72616e646f6d)), w1 = v1;
  let v2 = v128.xor(keys, i64x2.splat(0x6c7967656e657261)), w2 = v2;
  let v3 = v128.xor(keys, i64x2.splat(0x7465646279746573)), w3 = v128.xor(v3, blockW);
  v3 = v128.xor(v3, blockV);
  for (let turn: u32 = 0; turn < ROUNDS; turn++) {
    v0 = i64x2.add(v0, v1);
    w0 = i64x2.add(w0, w1);
    v1 = v128.xor(rotate(v1, 13), v0);
    w1 = v128.xor(rotate(w1, 13), w0);
    v0 = halvesChanged(v0);
    w0 = halvesChanged(w0);
    v2 = i64x2.add(v2, v3);
    w2 = i64x2.add(w2, w3);
    v3 = v128.xor(rotate(v3, 16), v2);
    w3 = v128.xor(rotate(w3, 16), w2);
    v0 = i64x2.add(v0, v3);
    w0 = i64x2.add(w0, w3);
    v3 = v128.xor(rotate(v3, 21), v0);
    w3 = v128.xor(rotate(w3, 21), w0);
    v2 = i64x2.add(v2, v1);
    w2 = i64x2.add(w2, w1);
    v1 = v128.xor(rotate(v1, 17), v2);
    w1 = v128.xor(rotate(w1, 17), w2);
    v2 = halvesChanged(v2);
    w2 = halvesChanged(w2);
    // After the first round the blocks have been taken in, and the others finish.
    v0 = v128.xor(v0, blockV);
    w0 = v128.xor(w0, blockW);
    v2 = v128.xor(v2, finish);
    w2 = v128.xor(w2, finish);
    blockV = blockW = finish = i64x2.splat(0);
  }
  let all = v128.xor(v128.xor(v0, v1), v128.xor(v2, v3));
  let others = v128.xor(v128.xor(w0, w1), v128.xor(w2, w3));
  return v128.shuffle<u32>(all, others, 0, 2, 4, 6);
}

@inline
function rotate(value: v128, bits: i32): v128 {
  return v128.or(i64x2.shl(value, bits), i64x2.shr_u(value, 64 - bits));
}

/** Turns both lanes by 32 bits. */
@inline
function halvesChanged(value: v128): v128 {
  return v128.shuffle<u32>(value, value, 1, 0, 3, 2);
}
