// A packet that cannot leave once NAT has rewritten it: its sender is told about the packet it sent. To a server the kernel
// means to tell the one it seems to come from, which is the virtual address, so itself; and as a client's error about the
// connection that goes on to the server (as the kernel: recordings pieces_uncut_nat, path_mtu6, unreachable4, unreachable6).

import { Forward } from "../abi/enums";
import { Connection } from "../connection/connection";
import { ownerByClient } from "../connection/owner";
import { FROM_SERVER, lookup } from "../connection/table";
import { lookAt } from "../memory";
import { isLaterPiece, Packet, PacketFlag } from "../packet/packet";
import { isBalanced, PORTS_BYTES } from "../packet/parse";
import { Server } from "../service/server";
import { countIn, countOut } from "../stats";
import { seal4 } from "../wire/checksum";
import { copyAddress } from "../wire/field";
import { HOPS, sendIcmpError, sendIcmpErrorFrom } from "./icmp";
import { sendIcmpv6ErrorFrom } from "./icmpv6";

/** To a server it has come to the director and gone on from there. */
const HOPS_TO_SERVER: u32 = 63;

/** Tells the server that its packet, rewritten to `packet`, is larger than `mtu`. The transport's checksum stays rewritten. */
export function refuseRewritten(packet: Packet, connection: Connection, mtu: u32): void {
  if (packet.family == 4) tellServer(packet, connection, 3, 4, mtu);
  else tellServer(packet, connection, 2, 0, mtu);
}

/** Tells the server of its packet to a client, rewritten to `packet`. */
export function tellServer(packet: Packet, connection: Connection, type: u32, code: u32, extra: u32): void {
  restoreEnd(packet, 0, connection.server16, connection.serverPort);
  let bytes = send(packet, type, code, extra, connection.virtual16, HOPS_TO_SERVER);
  if (bytes != 0) countIn(connection.server, Server.at(connection.server).service, bytes);
}

/** Tells the client of its packet to the server, rewritten to `packet`. */
export function tellClientRewritten(packet: Packet, connection: Connection, type: u32, code: u32, extra: u32): void {
  restoreEnd(packet, 1, connection.virtual16, connection.virtualPort);
  let bytes = send(packet, type, code, extra, connection.virtual16, HOPS);
  if (bytes != 0) countOut(connection.server, Server.at(connection.server).service, bytes);
}

/**
 * Tells the sender of an IPv4 packet that cannot go on. One that it sent to a NAT server's own address, from where it speaks with that
 * server through the service, is taken for a packet of that connection (as the kernel: recording own_errors_nat).
 */
export function tellOnWay4(packet: Packet, type: u32, code: u32, extra: u32): void {
  if (packet.has(PacketFlag.ToLocal) || !isBalanced(packet.protocol) || isLaterPiece(packet) || packet.l4 + PORTS_BYTES > packet.end) {
    return sendIcmpError(packet, type, code, extra);
  }
  let port = <u32>load<u16>(packet.l4);
  let before = lookAt(ownerByClient(packet.source, port, packet.protocol));
  let index = lookup(FROM_SERVER, 4, packet.protocol, packet.source, port, packet.target, load<u16>(packet.l4, 2));
  let isNat = index != 0 && Connection.at(index).forward == <u32>Forward.Nat;
  if (isNat) tellClientRewritten(packet, Connection.at(index), type, code, extra);
  lookAt(before);
  if (!isNat) sendIcmpError(packet, type, code, extra);
}

/** Puts the address and port of one end in place: 0 the source, 1 the target. */
export function restoreEnd(packet: Packet, end: u32, address: usize, port: u16): void {
  if (packet.family == 4) {
    store<u32>(<usize>packet.l3 + (<usize>end << 2), load<u32>(address, 12), 12);
    seal4(packet.l3, packet.l4 - packet.l3);
    packet.aside = 0;
  } else {
    copyAddress(<usize>packet.l3 + 8 + (<usize>end << 4), address);
  }
  store<u16>(<usize>packet.l4 + (<usize>end << 1), port);
  packet.fillAddresses();
}

function send(packet: Packet, type: u32, code: u32, extra: u32, source: usize, hops: u32): u32 {
  if (packet.family == 4) return sendIcmpErrorFrom(packet, type, code, extra, source, hops);
  return sendIcmpv6ErrorFrom(packet, type, code, extra, source, hops);
}
