// What nobody may send: packets with our own addresses, and headers whose options make no sense or choose the way.

import { DropReason, PortFlag } from "../abi/enums";
import { handedAside } from "../handover/handover";
import { isLocal, isTransparent } from "../link/local";
import { badOption, clearBehindEnd, hasSourceRoute } from "../packet/options";
import { Packet, PacketFlag } from "../packet/packet";
import { portFlags } from "../packet/slot";
import { drop } from "../stats";
import { readHopByHop } from "./headers6";
import { PARAMETER_PROBLEM, sendIcmpError } from "./icmp";

/** False, and counted, when the sender's address is ours, or the header's options make no sense or choose the way. */
export function isWelcome(packet: Packet): bool {
  // Only our own kernel may speak with our own addresses.
  if (isLocal(packet.source) && !isTransparent(packet.source) && (portFlags(packet.port) & <u32>PortFlag.Host) == 0) {
    drop(DropReason.Martian);
    return false;
  }
  if (!packet.has(PacketFlag.Options)) return true;
  if (packet.family == 6) return readHopByHop(packet);
  let headerBytes = packet.l4 - packet.l3;
  let at = badOption(packet.l3, headerBytes);
  if (at == 0 && !hasSourceRoute(packet.l3, headerBytes)) {
    packet.aside = handedAside(packet) | clearBehindEnd(packet.l3, headerBytes);
    return true;
  }
  packet.aside = 0;
  if (at != 0) sendIcmpError(packet, PARAMETER_PROBLEM, 0, at << 24);
  drop(DropReason.BadHeader);
  return false;
}
