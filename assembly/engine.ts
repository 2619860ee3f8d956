// The way of a packet, from the wire and back, top to bottom.

import {
  BUCKET_INDICES, CONNECTION_BYTES, CONNECTION_CLIENT16, CONTROL_BASE, CONTROL_GROUP, CONTROL_LONG_ROAD, HANDED_KIND,
  PACKET_BYTES, STATE_CAUSE, STATE_RECEIVED, STATE_TOUCHED,
} from "./abi/layout";
import { BATCH_MAX, GROUP_MAX } from "./abi/limits";
import { ConnectionFlag, DropReason, Forward, Handed, Protocol, Sysctl } from "./abi/enums";
import { isWelcome } from "./answer/welcome";
import { advance, isNewConnection, lacksChunk, mayBegin } from "./state/advance";
import { closeConnection, endSoon, retireConnection } from "./connection/open";
import { Connection } from "./connection/connection";
import { lookupAwaited } from "./connection/awaited";
import { FROM_CLIENT, FROM_SERVER, lookup, matches, tagOf } from "./connection/table";
import { giveUpReplaced, mayReuse } from "./begin/reuse";
import { receiveArp } from "./link/arp";
import { isLocal, isTransparent } from "./link/local";
import { isNdp, receiveNdp } from "./link/ndp";
import { isIcmpError, related } from "./errors/related";
import { serve, serveShort } from "./forward/serve";
import { deliver } from "./forward/toserver";
import { beginExpress } from "./begin/express";
import { foresee } from "./begin/foresee";
import { express } from "./forward/express/road";
import { isOf } from "./forward/express/whose";
import { forwardToClient } from "./forward/nat";
import { bindHelper } from "./helper/table";
import { dropCut, isSeenOdd, passOdd, routePacket, wayOn } from "./forward/route";
import { refuseUnasked } from "./forward/unasked";
import { markOf } from "./packet/mark";
import { Kind, isBalanced, isShort, parseRest, readPorts } from "./packet/parse";
import { scanGroup } from "./packet/scan";
import { Packet, PacketFlag } from "./packet/packet";
import { Joining, reassemble } from "./packet/fragment";
import { beginBatch, transmitCount } from "./packet/slot";
import { connections, lock, setNow, shared, state, unlock, worker, workers } from "./memory";
import { nextHanded } from "./handover/between";
import { countHandedIn, handedShare, handOver, listHanded, takeDatagram } from "./handover/handover";
import { heed } from "./handover/heed";
import { ownerOfError, ownerOfPacket } from "./handover/owner";
import { open, refuse, unlessBesideFtp } from "./begin/choose";
import { openBypass, REFUSED } from "./begin/open";
import { openOutward } from "./begin/outward";
import { findService, isJoining, isServing, isTracking4 } from "./service/service";
import { Server } from "./service/server";
import { countOut, drop } from "./stats";
import { isPassive } from "./sync/daemon";
import { receiveSync } from "./sync/import";
import { sysctl } from "./sysctl";

/** Handles `count` frames of the receive list; answers how many entries the transmit list has then. */
export function receive(count: u32, nowMs: u32): u32 {
  setNow(nowMs);
  beginBatch();
  let group = load<u32>(CONTROL_BASE, CONTROL_GROUP);
  if (group == 0 || group > GROUP_MAX) group = GROUP_MAX;
  for (let first: u32 = 0; first < count; first += group) handleGroup(first, min(group, count - first));
  if (shared) receiveHanded(group);
  store<u64>(state, load<u64>(state, STATE_RECEIVED) + count, STATE_RECEIVED);
  return transmitCount();
}

/** What reached other workers, and belongs to this one. */
function receiveHanded(group: u32): void {
  let frames: u32 = 0;
  let datagrams: u32 = 0;
  for (let from: u32 = 0; from < workers; from++) {
    if (from == worker) continue;
    for (let share = handedShare(); share != 0; share--) {
      let record = nextHanded(from);
      if (record == 0) break;
      let kind = load<u32>(record, HANDED_KIND);
      if (kind == <u32>Handed.Frame) listHanded(record, frames++);
      else if (kind != <u32>Handed.Datagram) heed(record);
      else {
        takeDatagram(record, Packet.at(0));
        whole(Packet.at(0));
        datagrams++;
      }
    }
  }
  if (frames + datagrams == 0) return;
  countHandedIn(frames + datagrams);
  for (let first: u32 = 0; first < frames; first += group) handleGroup(BATCH_MAX + first, min(group, frames - first));
}

/**
 * A group goes through the stages together. Each stage touches memory that the next one needs, so the
 * waits of 64 packets overlap instead of adding up: that is 5 times at a million flows.
 */
function handleGroup(first: u32, count: u32): void {
  let begin = changetype<usize>(Packet.at(0));
  let end = begin + <usize>count * PACKET_BYTES;
  let touched: u32 = 0, unknown: u32 = 0;
  scanGroup(first, count);
  for (let at = begin; at < end; at += PACKET_BYTES) touched += load<u32>(changetype<Packet>(at).bucket);
  let records = connections;
  for (let at = begin; at < end; at += PACKET_BYTES) {
    let packet = changetype<Packet>(at);
    // No match reads index 8 of the bucket, a word that is always zero: connection 0, which never matches.
    let place = ctz(matches(packet.bucket, tagOf(packet.hash)) | 256);
    let index = load<u32>(<usize>packet.bucket + (<usize>place << 2), BUCKET_INDICES);
    packet.connection = <u32>(records + <usize>index * CONNECTION_BYTES);
    unknown += <u32>(index == 0);
  }
  touched += foresee(begin, end, unknown);
  // Where all are nobody's there is nothing to touch.
  for (let at = unknown == count ? end : begin; at < end; at += PACKET_BYTES) {
    let packet = changetype<Packet>(at);
    touched += load<u32>(packet.connection);
    if (packet.has(PacketFlag.Wide)) touched += load<u32>(packet.connection, CONNECTION_CLIENT16);
  }
  store<u32>(state, touched, STATE_TOUCHED);
  let longRoad = load<u32>(CONTROL_BASE, CONTROL_LONG_ROAD) != 0 || isPassive();
  for (let at = begin; at < end;) {
    let from = at;
    if (!longRoad) at = beginExpress(express(at, end), end);
    if (at != from) continue;
    handle(changetype<Packet>(at));
    at += PACKET_BYTES;
  }
}

/** An ordinary packet whose connection the stages found; false, and nothing done, for any other. */
function handleOrdinary(packet: Packet): bool {
  if (!isServing(packet.family)) return false;
  let candidate = changetype<Connection>(<usize>packet.connection);
  if (packet.has(PacketFlag.ToLocal)) {
    if (!isOf(packet, candidate, FROM_CLIENT) || isPassive()) return false;
    toServer(packet, candidate);
    return true;
  }
  // Where NAT hides nothing, the server's packets have a longer way.
  if (!isOf(packet, candidate, FROM_SERVER) || candidate.forward != <u32>Forward.Nat) return false;
  toClient(packet, candidate);
  return true;
}

/** One packet, looked at from the beginning. */
function handle(packet: Packet): void {
  store<u32>(state, packet.cause, STATE_CAUSE);
  if (packet.has(PacketFlag.Ordinary)) {
    packet.complete();
    if (handleOrdinary(packet)) return;
    packet.fillAddresses();
    return internet(packet);
  }
  switch (parseRest(packet)) {
    case Kind.Arp: return receiveArp(packet);
    case Kind.Ip: return internet(packet);
    default: return drop(<DropReason>packet.aside);
  }
}

/** Any IP packet, looked at from the beginning. Addresses are filled, ports not yet. */
function internet(packet: Packet): void {
  if (packet.has(PacketFlag.Fragment)) {
    // Each piece's header is looked at before anything is kept of it.
    if (!isWelcome(packet)) return;
    if (isOnlyRouted(packet)) return routePacket(packet);
    // Of IPv4, a passing piece that cannot go on goes no further; of IPv6, or when all are tracked, it is put together first.
    if (packet.family == 4 && isTracking4()) packet.set(PacketFlag.Tracked);
    else if (packet.family == 4 && !isLocal(packet.target) && wayOn(packet) == 0) return;
    let joining = reassemble(packet, isJoining(packet.family));
    if (joining == Joining.Odd && !isSeenOdd(packet)) return passOdd(packet);
    if (joining == Joining.Waits) return;
  }
  whole(packet);
}

/** A packet that is all there. What is another worker's goes there, before anything is done with it. */
function whole(packet: Packet): void {
  if (isLocal(packet.target)) packet.set(PacketFlag.ToLocal);
  if (packet.protocol == <u8>Protocol.Icmpv6 && packet.family == 6 && isNdp(packet)) return receiveNdp(packet);
  if (!isWelcome(packet)) return;
  if (packet.has(PacketFlag.ToBackup)) return receiveSync(packet);
  if (dropCut(packet)) return;
  packet.mark = 0;
  if (!isServing(packet.family)) return packet.has(PacketFlag.ToLocal) ? arrive(packet) : routePacket(packet);
  if (isIcmpError(packet) && !(isPassive() && packet.has(PacketFlag.ToLocal))) {
    if (shared && isHandedOver(packet, ownerOfError(packet, worker))) return;
    if (related(packet)) return;
  }
  if (isBalanced(packet.protocol)) {
    // Too short to say whose it is: what passes is none of a connection's.
    if (!readPorts(packet)) return packet.has(PacketFlag.ToLocal) ? drop(DropReason.Truncated) : routePacket(packet);
    if (shared && isHandedOver(packet, ownerOfPacket(packet))) return;
    if (packet.has(PacketFlag.ToLocal)) return fromClient(packet);
    return fromServer(packet);
  }
  if (packet.has(PacketFlag.ToLocal)) return arrive(packet);
  routePacket(packet);
}

function isHandedOver(packet: Packet, owner: u32): bool {
  if (owner == worker) return false;
  handOver(packet, owner);
  return true;
}

/** No service's. What was only taken in for marks, and has none, goes on to where it was sent. */
function arrive(packet: Packet): void {
  if (packet.mark == 0 && isTransparent(packet.target)) return routePacket(packet);
  deliver(packet);
}

/** True for a fragment that no connection can want: a router passes it on as it is. */
function isOnlyRouted(packet: Packet): bool {
  if (isLocal(packet.target)) return false;
  if (!isJoining(packet.family)) return true;
  return packet.family == 4 && !isTracking4() && packet.protocol != <u8>Protocol.Icmp && !isBalanced(packet.protocol);
}

/** A packet to an address of ours: the client's side of a connection, or the beginning of one. */
function fromClient(packet: Packet): void {
  if (isPassive()) return isShort(packet) ? drop(DropReason.Truncated) : arrive(packet);
  let index = lookup(FROM_CLIENT, packet.family, packet.protocol, packet.source, packet.sourcePort, packet.target,
    packet.targetPort);
  if (index == 0) {
    index = lookupAwaited(FROM_CLIENT, packet.family, packet.protocol, packet.source, packet.sourcePort, packet.target,
      packet.targetPort);
  }
  if (isShort(packet)) return index != 0 ? serveShort(packet, Connection.at(index)) : drop(DropReason.Truncated);
  if (index != 0) return toServer(packet, Connection.at(index));
  begin(packet);
}

/** The service that wants this packet, 0 when none does, or when it may begin nothing. */
function wanting(packet: Packet): u32 {
  packet.fillAddresses();
  packet.mark = markOf(packet);
  if (!mayBegin(packet)) return 0;
  return unlessBesideFtp(findService(packet.family, packet.mark, packet.protocol, packet.target, packet.targetPort), packet);
}

/** Opens a connection when the packet may begin one and a service wants it. */
function begin(packet: Packet): void {
  if (lacksChunk(packet)) return drop(DropReason.Truncated);
  let service = wanting(packet);
  if (service == 0) return arrive(packet);
  lock();
  let index = open(packet, service);
  if (index == 0) index = openBypass(packet, service);
  unlock();
  if (index == 0) return refuse(packet, service);
  if (index == REFUSED) return;
  // What is said of the packet from here on is the new connection's; but as sent, it may still be the old one's behind it (as the
  // kernel: recordings answered_anew, spent_hops_beginning).
  giveUpReplaced(packet);
  let connection = Connection.at(index);
  bindHelper(connection);
  serve(packet, connection);
  if (connection.has(ConnectionFlag.OnePacket)) closeConnection(index);
}

/** A packet of a known connection's client. */
function toServer(packet: Packet, connection: Connection): void {
  let isOver = isNewConnection(packet, false) && mayReuse(connection);
  if (!isOver && connection.server != 0 && !Server.at(connection.server).available) {
    if (sysctl(Sysctl.ExpireNodestConn) == 0) return drop(DropReason.ServerGone);
    isOver = true;
  }
  if (!isOver) return serve(packet, connection);
  // Where nothing is rewritten our own answer may move it on (as the kernel: recordings forsaken, forsaken_anew).
  if (connection.forward == <u32>Forward.Nat || wanting(packet) != 0) return beginAnew(packet, connection.index);
  endSoon(connection.index);
  begin(packet);
}

/** The new connection is counted before the old one is given up. */
function beginAnew(packet: Packet, old: u32): void {
  retireConnection(old);
  packet.replaced = old;
  begin(packet);
  giveUpReplaced(packet);
}

/** A packet that is not for us: a real server's answer behind NAT, or plain traffic to route. */
function fromServer(packet: Packet): void {
  let index = lookup(FROM_SERVER, packet.family, packet.protocol, packet.target, packet.targetPort, packet.source, packet.sourcePort);
  if (index == 0) {
    index = lookupAwaited(FROM_SERVER, packet.family, packet.protocol, packet.target, packet.targetPort, packet.source, packet.sourcePort);
  }
  if (index != 0) {
    let connection = Connection.at(index);
    if (connection.forward == <u32>Forward.Nat) return toClient(packet, connection);
    if (isShort(packet)) return routePacket(packet);
    // The director's own kernel, as a real server: nothing to rewrite, but its state is seen.
    countOut(connection.server, Server.at(connection.server).service, packet.ipBytes);
    advance(packet, connection, FROM_SERVER);
    return routePacket(packet);
  }
  let begun = isShort(packet) ? 0 : openOutward(packet);
  if (begun == REFUSED) return;
  if (begun != 0) {
    toClient(packet, Connection.at(begun));
    if (Connection.at(begun).has(ConnectionFlag.OnePacket)) closeConnection(begun);
    return;
  }
  if (refuseUnasked(packet)) return;
  routePacket(packet);
}

/** A real server's packet on its way to the client: it leaves with the virtual address. */
function toClient(packet: Packet, connection: Connection): void {
  if (!forwardToClient(packet, connection)) return;
  countOut(connection.server, Server.at(connection.server).service, packet.ipBytes);
  advance(packet, connection, FROM_SERVER);
}
