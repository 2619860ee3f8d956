// Where an ordinary packet's fields lie: it has no options and no extension headers, so that each has its fixed place
// from the frame's beginning. The family is a constant wherever these are called, and so is the answer: an offset
// within a load costs nothing.

/** The IP header. */
export const IP: usize = 14;

@inline
export function hopsAt(family: u32): usize {
  return family == 4 ? IP + 8 : IP + 7;
}

@inline
export function sourceAt(family: u32): usize {
  return family == 4 ? IP + 12 : IP + 8;
}

@inline
export function targetAt(family: u32): usize {
  return family == 4 ? IP + 16 : IP + 24;
}

/** The transport header, which begins with both ports. */
@inline
export function transportAt(family: u32): usize {
  return family == 4 ? IP + 20 : IP + 40;
}

/** From the transport header's beginning. */
export const TARGET_PORT: usize = 2;
export const UDP_CHECKSUM: usize = 6;
export const TCP_FLAGS: usize = 13;
export const TCP_CHECKSUM: usize = 16;
