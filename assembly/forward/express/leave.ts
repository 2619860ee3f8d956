// The end of the express road: the next hop is asked whether it is ready, and gets the frame.

import {
  ENTRY_BYTES, ENTRY_CAUSE, ENTRY_FLAGS, ENTRY_FRAME, ENTRY_PORT, NEIGHBORS_BASE, NEIGHBOR_CHANNEL, NEIGHBOR_CONFIRMED_MS,
  NEIGHBOR_MACS, NEIGHBOR_NARROWEST, NEIGHBOR_PORT, NEIGHBOR_STATE,
} from "../../abi/layout";
import { FrameFlag, NeighborState, PortFlag } from "../../abi/enums";
import { FRESH_MS } from "../../link/transmit";

/** True when a neighbour (a place within their list) answered not long ago: a frame may leave, and nobody is asked. */
@inline
export function isFresh(neighbor: usize, nowMs: u32): bool {
  let reachable = load<u8>(neighbor, NEIGHBORS_BASE + NEIGHBOR_STATE) == <u8>NeighborState.Reachable;
  let fresh = nowMs - load<u32>(neighbor, NEIGHBORS_BASE + NEIGHBOR_CONFIRMED_MS) <= FRESH_MS;
  return <bool>(<u32>reachable & <u32>fresh);
}

/** True when every path through a neighbour carries a packet of so many bytes, and it may leave at once. */
@inline
export function carries(neighbor: usize, bytes: u32, nowMs: u32): bool {
  let fits = bytes <= load<u32>(neighbor, NEIGHBORS_BASE + NEIGHBOR_NARROWEST);
  let isPermanent = load<u8>(neighbor, NEIGHBORS_BASE + NEIGHBOR_STATE) == <u8>NeighborState.Permanent;
  return <bool>(<u32>fits & (<u32>isPermanent | <u32>isFresh(neighbor, nowMs)));
}

/** Hardware addresses, the virtio header where the port wants one, and an entry of the transmit list. */
@inline
export function leave(frame: usize, bytes: u32, neighbor: usize, entry: usize, cause: u32): void {
  store<u64>(frame, load<u64>(neighbor, NEIGHBORS_BASE + NEIGHBOR_MACS));
  store<u32>(frame, load<u32>(neighbor, NEIGHBORS_BASE + NEIGHBOR_MACS + 8), 8);
  let port = <u32>load<u16>(neighbor, NEIGHBORS_BASE + NEIGHBOR_PORT);
  if (load<u32>(neighbor, NEIGHBORS_BASE + NEIGHBOR_CHANNEL) & <u32>PortFlag.Vnet) {
    store<u64>(frame - 10, 0);
    store<u16>(frame - 10, 0, 8);
    port |= <u32>FrameFlag.Vnet << 16;
  }
  store<u32>(entry, <u32>frame, ENTRY_FRAME);
  store<u32>(entry, bytes, ENTRY_BYTES);
  store<u32>(entry, port, ENTRY_PORT);
  store<u32>(entry, cause, ENTRY_CAUSE);
}
if (ENTRY_FLAGS != ENTRY_PORT + 2) ERROR("port and flags of an entry are no longer one word");
