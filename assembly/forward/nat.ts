// VS-NAT: the client sees only the virtual address, the server only the client.

import { ConnectionFlag, DropReason, Protocol } from "../abi/enums";
import { addressDifference } from "../connection/open";
import { Connection } from "../connection/connection";
import { isShort, minimumBytes } from "../packet/parse";
import { Packet, PacketFlag } from "../packet/packet";
import { forgetPieces, pieceBytes, pieceCount } from "../packet/sizes";
import { drop } from "../stats";
import { amend, amendPartial, difference32, fold64, pseudo4, pseudo6, sum } from "../wire/checksum";
import { copyAddress } from "../wire/field";
import { refreshCrc } from "../wire/sctp";
import { helpToClient } from "../helper/table";
import { hopMtu } from "../link/neighbor";
import { arrivingMtu, leavingMtu } from "../link/path";
import { refuseRewritten, restoreEnd } from "../answer/rewritten";
import { emit } from "./emit";
import { hopToClient, mayNotFragment, refuseHops, refuseSize, wireBytes } from "./hop";
import { isUncut4 } from "./pieces";
import { sendInSegments } from "./segment";

/** Where the checksum lies in a TCP and in a UDP header. */
const TCP_CHECKSUM: u32 = 16;
const UDP_CHECKSUM: u32 = 6;

/** Rewrites the target to the server. The hop has been taken from IPv6 already; IPv4's is in the delta. */
export function rewriteToServer(packet: Packet, connection: Connection): void {
  if (packet.family == 4) {
    if (packet.has(PacketFlag.Partial)) {
      amendPartial(checksumField(packet), difference32(connection.virtual, connection.serverAddress));
    }
    store<u32>(packet.l3, connection.serverAddress, 16);
    oneHopLess(packet, connection.ipDeltaIn);
  } else {
    if (packet.has(PacketFlag.Partial)) {
      amendPartial(checksumField(packet), addressDifference(connection.virtual16, connection.server16));
    }
    copyAddress(packet.l3 + 24, connection.server16);
    store<u8>(packet.l3, load<u8>(packet.l3, 7) - 1, 7);
  }
  store<u16>(packet.l4, connection.serverPort, 2);
  if (!packet.has(PacketFlag.Partial)) amendTransport(packet, connection, connection.l4DeltaIn);
}

/** Rewrites the source to the virtual address. */
function rewriteToClient(packet: Packet, connection: Connection): void {
  if (packet.family == 4) {
    if (packet.has(PacketFlag.Partial)) {
      amendPartial(checksumField(packet), difference32(connection.serverAddress, connection.virtual));
    }
    store<u32>(packet.l3, connection.virtual, 12);
    oneHopLess(packet, connection.ipDeltaOut);
  } else {
    if (packet.has(PacketFlag.Partial)) {
      amendPartial(checksumField(packet), addressDifference(connection.server16, connection.virtual16));
    }
    copyAddress(packet.l3 + 8, connection.virtual16);
    store<u8>(packet.l3, load<u8>(packet.l3, 7) - 1, 7);
  }
  store<u16>(packet.l4, connection.virtualPort);
  if (!packet.has(PacketFlag.Partial)) amendTransport(packet, connection, connection.l4DeltaOut);
}

/** Makes of a client's packet what it would be, had it gone to the same server by another connection. */
export function rewriteToOther(packet: Packet, connection: Connection, other: Connection): void {
  let field = checksumField(packet);
  if (packet.protocol != <u8>Protocol.Sctp && (packet.protocol != <u8>Protocol.Udp || load<u16>(field) != 0)) {
    amend(field, connection.l4DeltaIn);
    amend(field, ~other.l4DeltaIn & 0xffff);
  }
  restoreEnd(packet, 1, other.virtual16, other.virtualPort);
  packet.targetPort = other.virtualPort;
}

function checksumField(packet: Packet): usize {
  return <usize>packet.l4 + (packet.protocol == <u8>Protocol.Tcp ? TCP_CHECKSUM : UDP_CHECKSUM);
}

function oneHopLess(packet: Packet, difference: u32): void {
  store<u8>(packet.l3, load<u8>(packet.l3, 8) - 1, 8);
  amend(<usize>packet.l3 + 10, difference);
}

/**
 * Ports are already rewritten. A wrong checksum stays wrong by as much; UDP's "none" becomes a real one; SCTP's, which knows of no
 * addresses, is made anew where a port changed (as the kernel: recording sctp_chunks).
 */
function amendTransport(packet: Packet, connection: Connection, difference: u32): void {
  // A header that lies in two pieces is joined to be written, which ends the old pieces (as the kernel: recording pieces_odd_ends).
  if (packet.has(PacketFlag.Reassembled) && pieceCount(packet) != 0 && pieceBytes(packet, 0) < minimumBytes(packet.protocol)) forgetPieces(packet);
  if (packet.protocol == <u8>Protocol.Tcp) return amend(<usize>packet.l4 + TCP_CHECKSUM, difference);
  if (packet.protocol == <u8>Protocol.Sctp) {
    if (connection.virtualPort != connection.serverPort) refreshCrc(packet.l4, packet.end - packet.l4);
    return;
  }
  let field = <usize>packet.l4 + UDP_CHECKSUM;
  if (load<u16>(field) == 0) {
    let bytes = packet.end - packet.l4;
    let pseudo = packet.family == 4
      ? pseudo4(load<u32>(packet.l3, 12), load<u32>(packet.l3, 16), <u32>Protocol.Udp, bytes)
      : pseudo6(<usize>packet.l3 + 8, <usize>packet.l3 + 24, <u32>Protocol.Udp, bytes);
    store<u16>(field, <u16>~fold64(sum(packet.l4, bytes) + pseudo));
    packet.set(PacketFlag.Summed);
  } else {
    amend(field, difference);
  }
  if (load<u16>(field) == 0) store<u16>(field, 0xffff);
}

/** A server's packet to its client. A router stands between: hops and sizes are its business first. */
export function forwardToClient(packet: Packet, connection: Connection): bool {
  let hop = hopToClient(connection);
  if (packet.timeToLive <= 1) {
    packet.fillAddresses();
    refuseHops(packet);
    return false;
  }
  if (hop == 0) {
    drop(DropReason.NoRoute);
    return false;
  }
  let mtu = arrivingMtu(packet.family, connection.client16, hopMtu(hop));
  if (wireBytes(packet) > mtu && mayNotFragment(packet) && !isUncut4(packet)) {
    packet.fillAddresses();
    refuseSize(packet, mtu);
    return false;
  }
  // What cannot be rewritten is the connection's all the same: it lives on (as the kernel: recording short_answer).
  if (isShort(packet)) {
    connection.touch();
    drop(DropReason.Truncated);
    return false;
  }
  if (connection.has(ConnectionFlag.Helped) && !helpToClient(packet, connection)) {
    connection.touch();
    return false;
  }
  rewriteToClient(packet, connection);
  // A helper may have made the packet longer than fits; the server, who did not, cannot be blamed.
  let leastMtu = leavingMtu(packet.family, connection.client16, mtu);
  if (isUncut4(packet) || (packet.family == 6 && leastMtu < mtu && wireBytes(packet) > leastMtu)) refuseRewritten(packet, connection, leastMtu);
  else if (wireBytes(packet) > mtu && mayNotFragment(packet)) sendInSegments(packet, hop, mtu);
  else emit(packet, hop, leastMtu);
  return true;
}
