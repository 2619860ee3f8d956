// VS-TUN: the client's packet travels inside another one.

import { Connection } from "../connection/connection";
import { DropReason, Protocol, Sysctl } from "../abi/enums";
import { Packet, PacketFlag } from "../packet/packet";
import { MTU4_MIN, MTU6_MIN } from "../packet/sizes";
import { Server } from "../service/server";
import { drop } from "../stats";
import { sysctl } from "../sysctl";
import { encapsulate } from "./encapsulate";
import { mtuToServer, refuseSize, takeHop, wireBytes } from "./hop";
import { tunnelSegments } from "./segment";
import { shimBytes } from "./shim";

/** Encapsulates and sends. Too large a packet that may not be cut is refused with the inner MTU. */
export function forwardTunnel(packet: Packet, connection: Connection, hop: u32): void {
  let server = Server.at(connection.server);
  let family = <u32>server.family;
  let overhead = shimBytes(server) + (family == 4 ? 20 : 40);
  let pathMtu = mtuToServer(connection, hop);
  // A tunnel that carries less than any path of its family must carries nothing (as the kernel: recording path_mtu6).
  if (pathMtu < overhead + (family == 4 ? MTU4_MIN : MTU6_MIN)) return drop(DropReason.TooBig);
  let mtu = pathMtu - overhead;
  let whole = mayNotCut(packet);
  takeHop(packet);
  if (wireBytes(packet) > mtu && whole) {
    packet.fillAddresses();
    return refuseSize(packet, mtu);
  }
  if (packet.has(PacketFlag.Segments)) return tunnelSegments(packet, connection, hop);
  encapsulate(packet, connection, hop);
}

/** With pmtu_disc (the default) the inner packet's "don't fragment" counts, but an error's; IPv6 is never cut underway. */
function mayNotCut(packet: Packet): bool {
  if (packet.family == 4 && packet.protocol == <u8>Protocol.Icmp) return false;
  return packet.family == 6 || (sysctl(Sysctl.PmtuDisc) != 0 && (load<u8>(packet.l3, 6) & 0x40) != 0);
}
