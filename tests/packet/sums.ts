// What a transport's checksum covers, and SCTP's CRC, written for reading: the tests' own, so that they can disagree with the engine.

import { sum } from "../../host/lab/sum.js";

/** A transport's bytes with the pseudo-header of its addresses before them (RFC 9293 section 3.1, RFC 8200 section 8.1). */
export function withPseudo(source: Uint8Array, target: Uint8Array, protocol: number, segment: Uint8Array): Uint8Array {
  const tail = new Uint8Array(8);
  new DataView(tail.buffer).setUint32(0, segment.length);
  tail[7] = protocol;
  return Buffer.concat([source, target, tail, segment]);
}

/** CRC32c, a bit at a time (RFC 9260 appendix A). */
export function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  }
  return ~crc >>> 0;
}
