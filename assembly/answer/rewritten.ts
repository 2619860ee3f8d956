// A server's packet that cannot leave for its client once NAT has rewritten it. The kernel then tells the one it seems to
// come from, which is the virtual address, so itself; and as a client's error about the connection that goes on to the
// server (as the kernel: recordings pieces_uncut_nat, path_mtu6).

import { Connection } from "../connection/connection";
import { Packet } from "../packet/packet";
import { Server } from "../service/server";
import { countIn } from "../stats";
import { checksum } from "../wire/checksum";
import { copyAddress } from "../wire/field";
import { sendIcmpErrorFrom } from "./icmp";
import { sendIcmpv6ErrorFrom } from "./icmpv6";

/** It has come to the director and gone on from there. */
const HOPS: u32 = 63;

/** Tells the server that its packet, rewritten to `packet`, is larger than `mtu`. The transport's checksum stays rewritten. */
export function refuseRewritten(packet: Packet, connection: Connection, mtu: u32): void {
  if (packet.family == 4) {
    store<u32>(packet.l3, connection.serverAddress, 12);
    store<u16>(packet.l3, 0, 10);
    store<u16>(packet.l3, <u16>checksum(packet.l3, packet.l4 - packet.l3), 10);
  } else {
    copyAddress(packet.l3 + 8, connection.server16);
  }
  store<u16>(packet.l4, connection.serverPort);
  packet.fillAddresses();
  let bytes = packet.family == 4
    ? sendIcmpErrorFrom(packet, 3, 4, mtu, connection.virtual16, HOPS)
    : sendIcmpv6ErrorFrom(packet, 2, 0, mtu, connection.virtual16, HOPS);
  if (bytes != 0) countIn(connection.server, Server.at(connection.server).service, bytes);
}
