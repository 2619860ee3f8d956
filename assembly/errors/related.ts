// ICMP errors about packets of a connection: both the error and the packet inside it are rewritten.

import { ConnectionFlag, DropReason, Forward, Protocol, Sysctl } from "../abi/enums";
import { isIcmpIntact } from "../answer/echo";
import { Connection } from "../connection/connection";
import { closeConnection } from "../connection/open";
import { FROM_CLIENT, FROM_SERVER, lookup } from "../connection/table";
import { STATE_EMBEDDED } from "../abi/layout";
import { lock, state, unlock } from "../memory";
import { markOf } from "../packet/mark";
import { Packet, PacketFlag, standIn } from "../packet/packet";
import { isBalanced, isError6, readQuoted6 } from "../packet/parse";
import { forgetPieces, pieceBytes } from "../packet/sizes";
import { isFtpData, open } from "../begin/choose";
import { REFUSED } from "../begin/open";
import { Server } from "../service/server";
import { findService } from "../service/service";
import { countIn, countOut, drop } from "../stats";
import { sysctl } from "../sysctl";
import { checksum, fold64, pseudo6, seal4, sum } from "../wire/checksum";
import { copyAddress, mapAddress } from "../wire/field";
import { hopMtu } from "../link/neighbor";
import { emit } from "../forward/emit";
import { hopToServer, HOP_LOCAL, mtuToServer, refuseHops, refuseSize, takeHop } from "../forward/hop";
import { mayGoOn, wayOn } from "../forward/route";
import { deliver } from "../forward/toserver";
import { forwardTunnel } from "../forward/tunnel";
import { tellClient, tunnelledConnection } from "./tunnelled";

const IPV4_BYTES: u32 = 20;

/** Errors that speak of a connection: unreachable, source quench, time exceeded; all of ICMPv6's errors. */
export function isIcmpError(packet: Packet): bool {
  if (packet.l4 + 8 > packet.end) return false;
  let type = <u32>load<u8>(packet.l4);
  if (packet.family == 4) return packet.protocol == <u8>Protocol.Icmp && (type == 3 || type == 4 || type == 11);
  return packet.protocol == <u8>Protocol.Icmpv6 && isError6(type);
}

/** Handles an error about a connection's packet; false when it belongs to none. */
export function related(packet: Packet): bool {
  lock();
  let handled = handleError(packet);
  unlock();
  return handled;
}

function handleError(packet: Packet): bool {
  let inner = <usize>packet.l4 + 8;
  let family = <u32>packet.family;
  if (family == 4 && inner + IPV4_BYTES > packet.end) return false;
  if (family == 4 && headerBytes4(inner) >= IPV4_BYTES && isToldThroughTunnel(packet, inner)) return true;
  let quoted = standIn(packet);
  if (!readQuoted(quoted, inner)) return false;
  let source = state + STATE_EMBEDDED;
  let target = source + 16;
  let protocol = <u32>quoted.protocol;
  let ports = <usize>quoted.l4;
  // The ports are enough: behind a header with options routers send no more than four bytes of the rest.
  if (!isBalanced(protocol)) return false;
  if (ports + 4 > <usize>packet.end) {
    // Whoever would schedule errors wants to see the ports (as the kernel: recording scheduled_error).
    if (sysctl(Sysctl.ScheduleIcmp) == 0) return false;
    drop(DropReason.Truncated);
    return true;
  }

  // From the servers' side: about what the client sent, as the director forwarded it.
  let index = lookup(FROM_SERVER, family, protocol, source, load<u16>(ports), target, load<u16>(ports, 2));
  if (index != 0) {
    let connection = Connection.at(index);
    if (connection.forward == <u32>Forward.Nat) return errorToClient(packet, connection, inner, ports);
    countPassing(packet, connection);
    return false;
  }
  // To us about a later piece of UDP: the tunnels' look at errors ends there (as the kernel: recording scheduled_error).
  if (family == 4 && protocol == <u32>Protocol.Udp && packet.has(PacketFlag.ToLocal) && (load<u16>(inner, 6) & 0xff1f) != 0) return false;
  // From the clients' side: about what the service sent.
  index = lookup(FROM_CLIENT, family, protocol, target, load<u16>(ports, 2), source, load<u16>(ports));
  if (index == 0 && sysctl(Sysctl.ScheduleIcmp) != 0) {
    index = openEmbedded(packet, protocol, ports);
    if (index == REFUSED) return true;
  }
  if (index == 0) return false;
  let connection = Connection.at(index);
  let handled = errorToServer(packet, connection, inner, ports);
  if (connection.has(ConnectionFlag.OnePacket)) closeConnection(index);
  return handled;
}

function headerBytes4(header: usize): u32 {
  return (<u32>load<u8>(header) & 15) << 2;
}

/** True for an error about a tunnel of ours: whose packet was inside has been told, or nobody, when the error is damaged. */
function isToldThroughTunnel(packet: Packet, outer: usize): bool {
  let tunnelled = tunnelledConnection(packet, outer);
  if (tunnelled == 0) return false;
  if (isIntact(packet)) {
    tellClient(packet, tunnelled, outer);
    drop(DropReason.LocalConsumed);
  }
  return true;
}

/** Reads what an error quotes at `inner` into its stand-in, the addresses to STATE_EMBEDDED; false when its upper header is not there. */
function readQuoted(quoted: Packet, inner: usize): bool {
  let source = state + STATE_EMBEDDED;
  if (quoted.family == 6) {
    if (!readQuoted6(quoted, inner)) return false;
    copyAddress(source, inner + 8);
    copyAddress(source + 16, inner + 24);
    return true;
  }
  // A quoted piece is taken for the first, whatever its offset says, and a header may be shorter than any is (as the kernel: recordings
  // errors_quoted, quoted_no_header).
  quoted.l4 = <u32>inner + headerBytes4(inner);
  quoted.protocol = load<u8>(inner, 9);
  mapAddress(source, load<u32>(inner, 12));
  mapAddress(source + 16, load<u32>(inner, 16));
  return true;
}

/**
 * With schedule_icmp: opens the connection that the packet inside the error would belong to, as when another
 * director began it. Answers 0 when no service wants it, REFUSED when the error has been dropped and counted.
 */
function openEmbedded(packet: Packet, protocol: u32, ports: usize): u32 {
  let mark = markOf(packet);
  let service = findService(packet.family, mark, protocol, state + STATE_EMBEDDED, load<u16>(ports));
  if (service == 0) return 0;
  // The embedded packet went to the client, so its ends are the other way round.
  let embedded = standIn(packet);
  embedded.set(PacketFlag.Embedded);
  embedded.protocol = <u8>protocol;
  embedded.mark = mark;
  embedded.l4 = <u32>ports;
  embedded.sourcePort = load<u16>(ports, 2);
  embedded.targetPort = load<u16>(ports);
  copyAddress(embedded.source, state + STATE_EMBEDDED + 16);
  copyAddress(embedded.target, state + STATE_EMBEDDED);
  if (isFtpData(embedded)) return 0;
  let index = open(embedded, service);
  if (index != 0) return index;
  drop(DropReason.NoServer);
  return REFUSED;
}

function isIntact(packet: Packet): bool {
  if (isIcmpIntact(packet)) return true;
  drop(DropReason.IcmpBad);
  return false;
}

/** Where nothing is rewritten an error only passes, to the client or to us; it counts as the server's answer. */
function countPassing(packet: Packet, connection: Connection): void {
  if (connection.server == 0 || (!packet.has(PacketFlag.ToLocal) && !mayGoOn(packet))) return;
  countOut(connection.server, Server.at(connection.server).service, packet.ipBytes);
}

/** About what a client sent through NAT. It leaves as from the virtual address, wherever it goes; to us, too. */
function errorToClient(packet: Packet, connection: Connection, inner: usize, ports: usize): bool {
  if (!isIntact(packet)) return true;
  let hop = packet.has(PacketFlag.ToLocal) ? HOP_LOCAL : wayOn(packet);
  if (hop == 0) return true;
  countOut(connection.server, Server.at(connection.server).service, packet.ipBytes);
  replaceEnd(packet, inner, ports, true, connection.virtual16);
  store<u16>(ports, connection.virtualPort, 2);
  if (hop != HOP_LOCAL) takeHop(packet);
  sumAnew(packet, inner);
  sendOn(packet, hop, hopMtu(hop));
  return true;
}

/** About what a service sent its client: to the server, as the client's packets travel. */
function errorToServer(packet: Packet, connection: Connection, inner: usize, ports: usize): bool {
  // Of IPv6 the sum is the server's to look at, where no new one would make it good.
  if ((packet.family == 4 || connection.forward == <u32>Forward.Nat) && !isIntact(packet)) return true;
  // One that was only passing has been routed before the connection takes it: that is another hop (recording errors_passing_on).
  if (!packet.has(PacketFlag.ToLocal)) {
    if (wayOn(packet) == 0) return true;
    takeHop(packet);
  }
  countIn(connection.server, Server.at(connection.server).service, packet.ipBytes);
  let hop = connection.forward == <u32>Forward.Local ? HOP_LOCAL : hopToServer(connection);
  if (hop != HOP_LOCAL && !mayGo(packet, connection, hop)) return true;
  if (hop != HOP_LOCAL && connection.forward == <u32>Forward.Tunnel) {
    forwardTunnel(packet, connection, hop);
    return true;
  }
  if (hop != HOP_LOCAL) takeHop(packet);
  if (connection.forward == <u32>Forward.Nat) {
    replaceEnd(packet, inner, ports, false, connection.server16);
    store<u16>(ports, connection.serverPort);
    sumAnew(packet, inner);
  }
  sendOn(packet, hop, mtuToServer(connection, hop));
  return true;
}

/**
 * False when an error cannot go on to the server. Nobody is told of it: it is an error itself. One of IPv4 that is too large is cut,
 * whatever it says (as the kernel: recording errors_cut).
 */
function mayGo(packet: Packet, connection: Connection, hop: u32): bool {
  if (packet.timeToLive <= 1) refuseHops(packet);
  else if (hop == 0) drop(DropReason.NoRoute);
  else if (connection.forward == <u32>Forward.Tunnel) {
    // Another director's connection to a server we do not know: neither do we know its kind of tunnel.
    if (connection.server != 0) return true;
    drop(DropReason.ServerGone);
  } else if (packet.family == 6 && packet.ipBytes > mtuToServer(connection, hop)) refuseSize(packet, mtuToServer(connection, hop));
  else return true;
  return false;
}

/** Puts an address in place of that of one end: of the error's sender, or its target, and across from it in what it quotes. */
function replaceEnd(packet: Packet, inner: usize, ports: usize, isSender: bool, address: usize): void {
  let bytes: usize = packet.family == 4 ? 4 : 16;
  let source: usize = packet.family == 4 ? 12 : 8;
  let target = source + bytes;
  memory.copy(<usize>packet.l3 + (isSender ? source : target), address + 16 - bytes, bytes);
  memory.copy(inner + (isSender ? target : source), address + 16 - bytes, bytes);
  // What is written beyond its first piece ends an IPv6 datagram's old pieces (as the kernel: recording errors_in_pieces).
  if (packet.family == 6 && packet.has(PacketFlag.Reassembled) && ports + 4 > <usize>packet.l4 + pieceBytes(packet, 0)) forgetPieces(packet);
}
/** All three checksums anew: both IP headers' and ICMP's. The inner transport's stays. */
function sumAnew(packet: Packet, inner: usize): void {
  let icmp = <usize>packet.l4;
  let bytes = packet.end - packet.l4;
  store<u16>(icmp, 0, 2);
  if (packet.family == 6) {
    let pseudo = pseudo6(<usize>packet.l3 + 8, <usize>packet.l3 + 24, <u32>Protocol.Icmpv6, bytes);
    let anew = ~fold64(sum(icmp, bytes) + pseudo) & 0xffff;
    // Of the two zeros the kernel writes the other one, as for UDP (recording error_zero_sum6).
    store<u16>(icmp, <u16>(anew == 0 ? 0xffff : anew), 2);
    return;
  }
  if (headerBytes4(inner) >= IPV4_BYTES) seal4(inner, headerBytes4(inner));
  // What a kernel's sum comes to over less than a header.
  else store<u16>(inner, load<u16>(inner), 10);
  store<u16>(icmp, <u16>checksum(icmp, bytes), 2);
  seal4(packet.l3, packet.l4 - packet.l3);
}

function sendOn(packet: Packet, hop: u32, mtu: u32): void {
  if (hop == HOP_LOCAL) deliver(packet);
  else emit(packet, hop, mtu);
}
