// From the client to the server, by the connection's method.

import { PORTS_BASE, PORT_BYTES, PORT_FLAGS, PORT_MAC, PORT_PEER_MAC } from "../abi/layout";
import { PORTS_MAX } from "../abi/limits";
import { ConnectionFlag, DropReason, Forward, FrameFlag, PortFlag } from "../abi/enums";
import { answerLocal } from "../answer/local";
import { Connection } from "../connection/connection";
import { FROM_SERVER, lookup } from "../connection/table";
import { helpToServer } from "../helper/table";
import { isShort } from "../packet/parse";
import { Packet, PacketFlag } from "../packet/packet";
import { append } from "../packet/slot";
import { drop } from "../stats";
import { emit } from "./emit";
import { giveHop, HOP_LOCAL, hopToServer, mayNotFragment, mtuToServer, refuseHops, refuseSize, takeHop, wireBytes } from "./hop";
import { completeChecksum, writeVirtio } from "./send";
import { rewriteToOther, rewriteToServer } from "./nat";
import { forwardTunnel } from "./tunnel";

/** Sends a client's packet on. The checks come first, in the kernel's order: route, hops, size. */
export function forwardToServer(packet: Packet, connection: Connection): void {
  let method = connection.forward;
  if (method == <u32>Forward.Local) return deliver(packet);
  let hop = hopToServer(connection);
  if (hop == HOP_LOCAL) {
    if (isShort(packet)) return drop(DropReason.Truncated);
    if (method != <u32>Forward.Nat) return deliver(packet);
    if (hostPort() == 0) return answerAsServer(packet, connection);
    if (connection.has(ConnectionFlag.Helped) && !helpToServer(packet, connection)) return;
    rewriteToServer(packet, connection);
    return deliver(packet);
  }
  if (packet.timeToLive <= 1) {
    packet.fillAddresses();
    return refuseHops(packet);
  }
  if (hop == 0) return drop(DropReason.NoRoute);
  if (method == <u32>Forward.Tunnel) {
    // Another director's connection to a server we do not know: neither do we know its kind of tunnel.
    if (connection.server == 0) return drop(DropReason.ServerGone);
    return forwardTunnel(packet, connection, hop);
  }

  let mtu = mtuToServer(connection, hop);
  if (wireBytes(packet) > mtu && mayNotFragment(packet)) {
    packet.fillAddresses();
    takeHop(packet);
    return refuseSize(packet, mtu);
  }
  if (method == <u32>Forward.Nat && isShort(packet)) return drop(DropReason.Truncated);
  if (connection.has(ConnectionFlag.Helped) && !helpToServer(packet, connection)) return;
  if (method == <u32>Forward.Nat) rewriteToServer(packet, connection);
  else takeHop(packet);
  emit(packet, hop, mtu);
}

/**
 * Without a kernel behind us our own answer stands for the server's, and leaves as the virtual address: as that of the newest
 * connection between the two (as the kernel: recording refused_same_ends). A one-packet service's is known no more by then: where there
 * is no other, the answer stays the server's (recording refused_nat).
 */
function answerAsServer(packet: Packet, connection: Connection): void {
  // NAT seals a header anew.
  packet.aside = 0;
  let index = lookup(FROM_SERVER, connection.family, connection.protocol, connection.client16, connection.clientPort, connection.server16,
    connection.serverPort);
  if (index == 0) {
    rewriteToServer(packet, connection);
    giveHop(packet);
    return deliver(packet);
  }
  let answered = Connection.at(index);
  if (index != connection.index) rewriteToOther(packet, connection, answered);
  packet.set(PacketFlag.AsServer);
  deliver(packet, packet.family == 4 ? answered.l4DeltaIn : 0);
}

/** To the director itself: to its kernel where a port leads there, else answered here, where NAT would have changed the checksum by `rewritten`. */
export function deliver(packet: Packet, rewritten: u32 = 0): void {
  let port = hostPort();
  if (port == 0) {
    packet.fillAddresses();
    return answerLocal(packet, rewritten);
  }
  let record = <usize>PORTS_BASE + <usize>port * PORT_BYTES;
  memory.copy(packet.frame, record + PORT_PEER_MAC, 6);
  memory.copy(packet.frame + 6, record + PORT_MAC, 6);
  if (load<u32>(record, PORT_FLAGS) & <u32>PortFlag.Vnet) {
    writeVirtio(packet);
    append(port, packet.frame, packet.end - packet.frame, <u32>FrameFlag.Vnet);
    return;
  }
  if (packet.has(PacketFlag.Partial)) completeChecksum(packet);
  append(port, packet.frame, packet.end - packet.frame, 0);
}

/** The port that leads to the director's own kernel, 0 when none does. */
function hostPort(): u32 {
  for (let port: u32 = 1; port < PORTS_MAX; port++) {
    let flags = load<u32>(<usize>PORTS_BASE + <usize>port * PORT_BYTES, PORT_FLAGS);
    if ((flags & (<u32>PortFlag.Host | <u32>PortFlag.Up)) == (<u32>PortFlag.Host | <u32>PortFlag.Up)) return port;
  }
  return 0;
}
