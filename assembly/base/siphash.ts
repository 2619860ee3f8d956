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
