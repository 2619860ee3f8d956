// The sum behind the Internet's checksums (RFC 1071): words of 16 bits in the wire's order, carries brought home. Written plainly:
// tests and benches compare with it what the engine computes by differences.

/** The sum of bytes, and of what was summed before. A last odd byte is a word's upper half; bytes with their right checksum sum to 0xffff. */
export function sum(bytes: Uint8Array, before = 0): number {
  let total = before;
  for (let at = 0; at < bytes.length; at += 2) total += ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
  while (total > 0xffff) total = (total & 0xffff) + Math.floor(total / 65536);
  return total;
}
