// What the director's own stack does with a packet that no service took.

import { DropReason, Forward, Protocol } from "../abi/enums";
import { Connection } from "../connection/connection";
import { FROM_CLIENT, lookup } from "../connection/table";
import { isFragment, Packet, PacketFlag } from "../packet/packet";
import { Server } from "../service/server";
import { isServing } from "../service/service";
import { advanceReset } from "../state/advance";
import { countOut, drop } from "../stats";
import { isPassive } from "../sync/daemon";
import { answerDatagram } from "./datagram";
import { answerEcho, isIcmpIntact } from "./echo";
import { readHeaders6 } from "./headers6";
import { sendIcmpError } from "./icmp";
import { sendIcmpv6Error } from "./icmpv6";
import { refuseOddPiece } from "./oddpiece";
import { resetBytes, sendReset } from "./reset";
import { heedTooBig } from "./toobig";

const ECHO: u8 = 8;
const ECHO6: u8 = 128;

/**
 * Answers what is for the director itself, where no port leads to a kernel. `rewritten` is what NAT would do to the packet's checksum on
 * its way to the director as a server.
 */
export function answerLocal(packet: Packet, rewritten: u32): void {
  if (packet.family == 6 && packet.has(PacketFlag.Options) && !readHeaders6(packet)) return;
  if (packet.family == 6 && (isFragment(packet) || packet.has(PacketFlag.Unjoined) || packet.protocol == <u8>Protocol.Fragment)) return refuseOddPiece(packet);
  switch (<i32>packet.protocol) {
    case Protocol.Icmp:
      if (packet.family != 4) return refuseProtocol(packet);
      if (packet.l4 + 8 <= packet.end && load<u8>(packet.l4) == ECHO) return answerEcho(packet);
      return hear(packet);
    case Protocol.Icmpv6:
      if (packet.family != 6) return refuseProtocol(packet);
      if (packet.l4 + 8 <= packet.end && load<u8>(packet.l4) == ECHO6) return answerEcho(packet);
      return hear(packet);
    case Protocol.Tcp: return resetLocal(packet);
    case Protocol.Udp: return answerDatagram(packet, rewritten);
    // A kernel knows these and has nobody for them: no next header (RFC 8200 section 4.7), multicast's membership and
    // routers of IPv4 (of IPv6 it does not: recording router_multicast6), and UDP's other kind, whose sums are of its own.
    case Protocol.NoNext:
      return packet.family == 6 ? drop(DropReason.LocalConsumed) : refuseProtocol(packet);
    case Protocol.Igmp:
    case Protocol.Pim:
      return packet.family == 4 ? drop(DropReason.LocalConsumed) : refuseProtocol(packet);
    case Protocol.UdpLite: return drop(DropReason.LocalConsumed);
    default: return refuseProtocol(packet);
  }
}

/** An ICMP message that asks for no answer. */
function hear(packet: Packet): void {
  if (packet.l4 + 8 <= packet.end && isIcmpIntact(packet)) heedTooBig(packet);
  drop(DropReason.LocalConsumed);
}

function refuseProtocol(packet: Packet): void {
  if (packet.family == 4) sendIcmpError(packet, 3, 2, 0);
  else sendIcmpv6Error(packet, 4, 1, packet.previousNext - packet.l3);
  drop(DropReason.LocalConsumed);
}

/** A segment nobody here listens for. When a service sent it here, its connection has been refused: the answer is the server's. */
function resetLocal(packet: Packet): void {
  // Where a family has no service, IPVS sees nothing of what leaves either (as the kernel: recording nothing_served).
  if (!sendReset(packet) || isPassive() || !isServing(packet.family)) return;
  let index = lookup(FROM_CLIENT, packet.family, packet.protocol, packet.source, packet.sourcePort, packet.target, packet.targetPort);
  if (index == 0) return;
  let connection = Connection.at(index);
  // A NAT server's it is only where the director is that server, and has the segment as such: one as sent names none (as the kernel: recording forsaken_own).
  if (connection.forward == <u32>Forward.Nat && !packet.has(PacketFlag.AsServer)) return;
  countOut(connection.server, Server.at(connection.server).service, resetBytes(packet.family));
  advanceReset(connection);
}
