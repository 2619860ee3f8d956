// What a server behind NAT sends that belongs to no connection: with nat_icmp_send it is told so.

import { DropReason, Sysctl } from "../abi/enums";
import { sendIcmpError } from "../answer/icmp";
import { sendIcmpv6Error } from "../answer/icmpv6";
import { Packet } from "../packet/packet";
import { isShort } from "../packet/parse";
import { natServerAt } from "../service/ends";
import { isReset } from "../state/advance";
import { drop } from "../stats";
import { sysctl } from "../sysctl";
import { takeHop } from "./hop";
import { wayOn } from "./route";

/** True when such a packet has been refused. Of other servers no answer passes here (as the kernel: recording unasked_direct). */
export function refuseUnasked(packet: Packet): bool {
  // One too short to say whether it is a reset is taken for none.
  if (sysctl(Sysctl.NatIcmpSend) == 0 || (!isShort(packet) && isReset(packet))) return false;
  if (natServerAt(packet.family, packet.protocol, packet.source, packet.sourcePort) == 0) return false;
  // The kernel looks at it on its way out, when a router has let it go on and taken its hop: the answer quotes it so.
  if (wayOn(packet) == 0) return true;
  takeHop(packet);
  if (packet.family == 4) sendIcmpError(packet, 3, 3, 0);
  else sendIcmpv6Error(packet, 1, 4, 0);
  drop(DropReason.NoConnection);
  return true;
}
