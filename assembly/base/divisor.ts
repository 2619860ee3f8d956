// Whole numbers.

/** Euclid's greatest common divisor; 0 divides into nothing, so the other number is the answer. */
export function commonDivisor(a: u32, b: u32): u32 {
  while (b != 0) {
    let rest = a % b;
    a = b;
    b = rest;
  }
  return a;
}
