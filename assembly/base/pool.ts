// A pool of equal records in the memory. Its two words lie in the memory too: the first given-back record
// (a list through the records' first words) and how many were ever taken. Index 0 is never handed out.

const FREE: usize = 0;
const FRESH: usize = 4;

/** Takes a record and zeroes it; answers its index, 0 when all `places` are in use. */
export function takeRecord(pool: usize, base: usize, bytes: u32, places: u32): u32 {
  let index = load<u32>(pool, FREE);
  if (index != 0) {
    store<u32>(pool, load<u32>(base + <usize>index * bytes), FREE);
  } else {
    index = load<u32>(pool, FRESH) + 1;
    if (index >= places) return 0;
    store<u32>(pool, index, FRESH);
  }
  memory.fill(base + <usize>index * bytes, 0, bytes);
  return index;
}

export function giveRecord(pool: usize, base: usize, bytes: u32, index: u32): void {
  store<u32>(base + <usize>index * bytes, load<u32>(pool, FREE));
  store<u32>(pool, index, FREE);
}
