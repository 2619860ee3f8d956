// VS-TUN: the client's packet travels inside another one.

import { Sysctl } from "../abi/enums";
import { Connection } from "../connection/connection";
import { hopMtu } from "../link/neighbor";
import { Packet, PacketFlag } from "../packet/packet";
import { Server } from "../service/server";
import { sysctl } from "../sysctl";
import { encapsulate } from "./encapsulate";
import { refuseSize, takeHop, wireBytes } from "./hop";
import { pathMtu } from "./pathmtu";
import { tunnelSegments } from "./segment";
import { shimBytes } from "./shim";

/** Encapsulates and sends. Too large a packet that may not be cut is refused with the inner MTU. */
export function forwardTunnel(packet: Packet, connection: Connection, hop: u32): void {
  let server = Server.at(connection.server);
  let family = <u32>server.family;
  let overhead = shimBytes(server) + (family == 4 ? 20 : 40);
  let mtu = pathMtu(server, hopMtu(hop)) - overhead;
  let whole = mayNotCut(packet);
  takeHop(packet);
  if (wireBytes(packet) > mtu && whole) {
    packet.fillAddresses();
    return refuseSize(packet, mtu);
  }
  if (packet.has(PacketFlag.Segments)) return tunnelSegments(packet, connection, hop);
  encapsulate(packet, connection, hop);
}

/** With pmtu_disc (the default) the inner packet's "don't fragment" counts; IPv6 is never cut underway. */
function mayNotCut(packet: Packet): bool {
  return packet.family == 6 || (sysctl(Sysctl.PmtuDisc) != 0 && (load<u8>(packet.l3, 6) & 0x40) != 0);
}
