// Somebody else who says that he has one of the director's addresses (RFC 5227): a real server of direct routing that tells the
// link, the director before this one, an address given twice. Clients then reach now the one, now the other.

import { PORT_FLAGS, PORT_MAC } from "../abi/layout";
import { DropReason, PortFlag } from "../abi/enums";
import { PORTS_MAX } from "../abi/limits";
import { drop } from "../stats";
import { portAt } from "./local";

/**
 * Counts it, unless it is the director itself, heard by another port on the same wire, or its own kernel, which has the
 * virtual address for the local node.
 */
export function noteConflict(heardOn: u32, mac: usize): void {
  if (load<u32>(portAt(heardOn), PORT_FLAGS) & <u32>PortFlag.Host) return;
  for (let port: u32 = 1; port < PORTS_MAX; port++) {
    let own = portAt(port) + PORT_MAC;
    if (load<u32>(own) == load<u32>(mac) && load<u16>(own, 4) == load<u16>(mac, 4)) return;
  }
  drop(DropReason.AddressConflict);
}
