// Random numbers without a random source: the host gives a seed, the state lies in the memory.

/** Marsaglia's xorshift32, period 2^32 - 1. The state must not be 0; answers the next state. */
export function xorshift(state: u32): u32 {
  state ^= state << 13;
  state ^= state >> 17;
  return state ^ (state << 5);
}
