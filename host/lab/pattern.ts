// Bytes that anybody can compute from their place: a transfer is right when each is.

const PERIOD_BYTES = 1 << 24;
export const CHUNK_BYTES = 1 << 16;

/** The bytes at [from, from + count) of the pattern. */
export function patternBytes(from: number, count: number): Buffer {
  const bytes = Buffer.allocUnsafe(count);
  for (let index = 0; index < count; index++) {
    const place = (from + index) % PERIOD_BYTES;
    // All three bytes of the place count: a chunk lost, doubled or exchanged shows.
    bytes[index] = place ^ (place >> 8) ^ (place >> 16);
  }
  return bytes;
}

/** The pattern's first `total` bytes, in chunks. */
export function* patternChunks(total: number): Generator<Buffer> {
  for (let from = 0; from < total; from += CHUNK_BYTES) {
    yield patternBytes(from, Math.min(CHUNK_BYTES, total - from));
  }
}
