// The way of a packet, from the wire and back, top to bottom.

import {
  BUCKET_INDICES, CONNECTION_CLIENT, CONNECTION_CLIENT_PORT, CONNECTION_FLAGS, CONNECTION_PROTOCOL,
  CONNECTION_SERVER_ADDRESS, CONNECTION_SERVER_PORT, CONTROL_BASE, CONTROL_GROUP, STATE_CAUSE, STATE_TOUCHED,
} from "./abi/layout";
import { GROUP_MAX } from "./abi/limits";
import { ConnectionFlag, DropReason, Forward, PortFlag, Protocol, Sysctl } from "./abi/enums";
import { answerLocal } from "./answer/local";
import { sendIcmpError } from "./answer/icmp";
import { sendIcmpv6Error } from "./answer/icmpv6";
import { advance, isNewConnection } from "./state/advance";
import { closeConnection, retireConnection } from "./connection/open";
import { Connection } from "./connection/connection";
import { fillClientPort, FROM_CLIENT, FROM_SERVER, lookup, lookupAwaited, matches, tagOf } from "./connection/table";
import { mayReuse } from "./connection/reuse";
import { receiveArp } from "./link/arp";
import { isLocal, isTransparent } from "./link/local";
import { isNdp, receiveNdp } from "./link/ndp";
import { isIcmpError, related } from "./forward/related";
import { deliver, forwardToServer } from "./forward/toserver";
import { forwardToClient } from "./forward/nat";
import { bindHelper } from "./helper/table";
import { refuseHops, takeHop } from "./forward/emit";
import { routePacket } from "./forward/route";
import { markOf } from "./packet/mark";
import { Kind, isBalanced, parseRest, readPorts, scan } from "./packet/parse";
import { Packet, PacketFlag } from "./packet/packet";
import { reassemble } from "./packet/fragment";
import { beginBatch, portFlags, transmitCount } from "./packet/slot";
import { setNow, state } from "./memory";
import { open, openBypass, refuse, REFUSED } from "./service/choose";
import { findService } from "./service/service";
import { findServerAt, Server } from "./service/server";
import { countIn, countOut, drop } from "./stats";
import { sysctl } from "./sysctl";

/** Handles `count` frames of the receive list; answers how many entries the transmit list has then. */
export function receive(count: u32, nowMs: u32): u32 {
  setNow(nowMs);
  beginBatch();
  let group = load<u32>(CONTROL_BASE, CONTROL_GROUP);
  if (group == 0 || group > GROUP_MAX) group = GROUP_MAX;
  for (let first: u32 = 0; first < count; first += group) handleGroup(first, min(group, count - first));
  return transmitCount();
}

/**
 * A group goes through the stages together. Each stage touches memory that the next one needs, so the
 * waits of 64 packets overlap instead of adding up: that is 5 times at a million flows.
 */
function handleGroup(first: u32, count: u32): void {
  let touched: u32 = 0;
  for (let i: u32 = 0; i < count; i++) scan(Packet.at(i), first + i);
  for (let i: u32 = 0; i < count; i++) touched += load<u32>(Packet.at(i).bucket);
  for (let i: u32 = 0; i < count; i++) {
    let packet = Packet.at(i);
    // No match reads index 8 of the bucket, a word that is always zero: connection 0, which never matches.
    let place = ctz(matches(packet.bucket, tagOf(packet.hash)) | 256);
    let index = load<u32>(<usize>packet.bucket + (<usize>place << 2), BUCKET_INDICES);
    packet.connection = <u32>changetype<usize>(Connection.at(index));
  }
  for (let i: u32 = 0; i < count; i++) touched += load<u32>(Packet.at(i).connection);
  store<u32>(state, touched, STATE_TOUCHED);
  for (let i: u32 = 0; i < count; i++) handle(Packet.at(i));
}

/** One packet, with what the stages found. */
function handle(packet: Packet): void {
  store<u32>(state, packet.cause, STATE_CAUSE);
  if (packet.has(PacketFlag.Ordinary)) {
    if (portFlags(packet.port) & <u32>PortFlag.Up) {
      let candidate = changetype<Connection>(<usize>packet.connection);
      if (isClients(packet, candidate)) return toServer(packet, candidate);
      if (isServers(packet, candidate)) return toClient(packet, candidate);
      packet.fillAddresses();
      return internet(packet);
    }
    packet.flags &= ~(<u32>PacketFlag.Ordinary);
  }
  switch (parseRest(packet)) {
    case Kind.Arp: return receiveArp(packet);
    case Kind.Ip: return internet(packet);
    default: return drop(<DropReason>packet.spare0);
  }
}

const NOT_FAST: u32 = <u32>ConnectionFlag.Template | <u32>ConnectionFlag.Ipv6 | <u32>ConnectionFlag.Helped;

/** True when an ordinary packet was sent by this connection's client. */
function isClients(packet: Packet, connection: Connection): bool {
  let record = changetype<usize>(connection);
  if (!packet.has(PacketFlag.ToLocal)) return false;
  return load<u64>(record, CONNECTION_CLIENT) == load<u64>(packet.l3, 12) &&
    load<u32>(record, CONNECTION_CLIENT_PORT) == load<u32>(packet.l4) &&
    load<u8>(record, CONNECTION_PROTOCOL) == packet.protocol &&
    (<u32>load<u16>(record, CONNECTION_FLAGS) & NOT_FAST) == 0;
}

/** True when an ordinary packet was sent by this connection's server, and NAT must hide it. */
function isServers(packet: Packet, connection: Connection): bool {
  let record = changetype<usize>(connection);
  if (packet.has(PacketFlag.ToLocal)) return false;
  return load<u64>(record, CONNECTION_SERVER_ADDRESS) == load<u64>(packet.l3, 12) &&
    load<u32>(record, CONNECTION_SERVER_PORT) == load<u32>(packet.l4) &&
    load<u8>(record, CONNECTION_PROTOCOL) == packet.protocol &&
    (<u32>load<u16>(record, CONNECTION_FLAGS) & (NOT_FAST | <u32>ConnectionFlag.ForwardMask)) == 0;
}

/** Any IP packet, looked at from the beginning. Addresses are filled, ports not yet. */
function internet(packet: Packet): void {
  if (packet.has(PacketFlag.Fragment) && !reassemble(packet)) return;
  if (packet.protocol == <u8>Protocol.Icmpv6 && packet.family == 6 && isNdp(packet)) {
    receiveNdp(packet);
    return;
  }
  if (isLocal(packet.target)) packet.set(PacketFlag.ToLocal);
  // Only our own kernel may speak with our own addresses.
  if (isLocal(packet.source) && !isTransparent(packet.source) && (portFlags(packet.port) & <u32>PortFlag.Host) == 0) {
    return drop(DropReason.Martian);
  }
  if (isIcmpError(packet) && related(packet)) return;
  if (isBalanced(packet.protocol)) {
    if (!readPorts(packet)) return drop(DropReason.Truncated);
    if (packet.has(PacketFlag.ToLocal)) return fromClient(packet);
    return fromServer(packet);
  }
  packet.mark = 0;
  if (packet.has(PacketFlag.ToLocal)) return arrive(packet);
  routePacket(packet);
}

/** No service's. What was only taken in for marks, and has none, goes on to where it was sent. */
function arrive(packet: Packet): void {
  if (packet.mark == 0 && isTransparent(packet.target)) return routePacket(packet);
  deliver(packet);
}

/** A packet to an address of ours: the client's side of a connection, or the beginning of one. */
function fromClient(packet: Packet): void {
  let index = lookup(FROM_CLIENT, packet.family, packet.protocol, packet.source, packet.sourcePort, packet.target,
    packet.targetPort);
  if (index == 0) {
    index = lookupAwaited(packet.family, packet.protocol, packet.source, packet.target, packet.targetPort);
    if (index != 0) fillClientPort(index, packet.sourcePort);
  }
  if (index != 0) return toServer(packet, Connection.at(index));
  begin(packet);
}

/** Opens a connection when the packet may begin one and a service wants it. */
function begin(packet: Packet): void {
  packet.fillAddresses();
  packet.mark = markOf(packet);
  if (!mayBegin(packet)) return arrive(packet);
  let service = findService(packet.family, packet.mark, packet.protocol, packet.target, packet.targetPort);
  if (service == 0) return arrive(packet);
  let index = open(packet, service);
  if (index == 0) index = openBypass(packet, service);
  if (index == 0) return refuse(packet, service);
  if (index == REFUSED) return;
  let connection = Connection.at(index);
  bindHelper(connection);
  serve(packet, connection);
  if (connection.has(ConnectionFlag.OnePacket)) closeConnection(index);
}

/** A TCP connection begins with SYN, an SCTP one with INIT, unless the operator says "sloppy". */
function mayBegin(packet: Packet): bool {
  if (packet.protocol == <u8>Protocol.Udp) return true;
  return isNewConnection(packet, true);
}

/** A packet of a known connection's client. */
function toServer(packet: Packet, connection: Connection): void {
  if (isNewConnection(packet, false) && mayReuse(connection)) {
    retireConnection(connection.index);
    return begin(packet);
  }
  if (connection.server != 0 && !Server.at(connection.server).available) {
    if (sysctl(Sysctl.ExpireNodestConn) == 0) return drop(DropReason.ServerGone);
    retireConnection(connection.index);
    return begin(packet);
  }
  serve(packet, connection);
}

/** Counts, advances the state, forwards. */
function serve(packet: Packet, connection: Connection): void {
  countIn(connection.server, Server.at(connection.server).service, packet.ipBytes);
  advance(packet, connection, FROM_CLIENT);
  connection.packets++;
  forwardToServer(packet, connection);
}

/** A packet that is not for us: a real server's answer behind NAT, or plain traffic to route. */
function fromServer(packet: Packet): void {
  let index = lookup(FROM_SERVER, packet.family, packet.protocol, packet.target, packet.targetPort, packet.source,
    packet.sourcePort);
  if (index != 0) {
    let connection = Connection.at(index);
    if (connection.forward == <u32>Forward.Nat) return toClient(packet, connection);
    // The director's own kernel, as a real server: nothing to rewrite, but its state is seen.
    countOut(connection.server, Server.at(connection.server).service, packet.ipBytes);
    advance(packet, connection, FROM_SERVER);
    return routePacket(packet);
  }
  if (sysctl(Sysctl.NatIcmpSend) != 0 && !isReset(packet) &&
    findServerAt(packet.family, packet.protocol, packet.source, packet.sourcePort) != 0) {
    // The kernel looks at it on its way out, as a router has already taken its hop: the answer quotes it so.
    if (packet.timeToLive <= 1) return refuseHops(packet);
    takeHop(packet);
    if (packet.family == 4) sendIcmpError(packet, 3, 3, 0);
    else sendIcmpv6Error(packet, 1, 4, 0);
    return drop(DropReason.NoConnection);
  }
  routePacket(packet);
}

const TCP_RESET: u32 = 0x04;
const SCTP_ABORT: u32 = 6;

function isReset(packet: Packet): bool {
  if (packet.protocol == <u8>Protocol.Tcp) return (load<u8>(packet.l4, 13) & TCP_RESET) != 0;
  if (packet.protocol == <u8>Protocol.Sctp) return packet.l4 + 13 <= packet.end && load<u8>(packet.l4, 12) == SCTP_ABORT;
  return false;
}

/** A real server's packet on its way to the client: it leaves with the virtual address. */
function toClient(packet: Packet, connection: Connection): void {
  if (!forwardToClient(packet, connection)) return;
  countOut(connection.server, Server.at(connection.server).service, packet.ipBytes);
  advance(packet, connection, FROM_SERVER);
}
