// What belongs to no connection is routed as by any router: NAT servers use the director as their gateway.

import { DropReason } from "../abi/enums";
import { nextHop } from "../link/route";
import { Packet } from "../packet/packet";
import { drop } from "../stats";
import { sendIcmpError } from "../answer/icmp";
import { sendIcmpv6Error } from "../answer/icmpv6";
import { hopMtu } from "../link/neighbor";
import { emit } from "./emit";
import { mayNotFragment, refuseHops, refuseSize, takeHop, wireBytes } from "./hop";

export function routePacket(packet: Packet): void {
  if (packet.family == 6 && (load<u16>(packet.target) & 0xc0ff) == 0x80fe) return drop(DropReason.NoRoute);
  let hop = nextHop(packet.family, packet.target);
  if (hop == 0) {
    if (packet.family == 4) sendIcmpError(packet, 3, 0, 0);
    else sendIcmpv6Error(packet, 1, 0, 0);
    return drop(DropReason.NoRoute);
  }
  if (packet.timeToLive <= 1) return refuseHops(packet);
  let mtu = hopMtu(hop);
  if (wireBytes(packet) > mtu && mayNotFragment(packet)) return refuseSize(packet, mtu);
  takeHop(packet);
  emit(packet, hop);
}
