// Encapsulation: the outer headers are written in front of the packet, in its slot's headroom.

import { STATE_IDENTIFICATION } from "../abi/layout";
import { DropReason, Sysctl, TunnelType } from "../abi/enums";
import { Connection } from "../connection/connection";
import { hopPort } from "../link/route";
import { sourceFor } from "../link/local";
import { Packet, PacketFlag } from "../packet/packet";
import { firstPieceRoom6, forgetPieces, growPieces } from "../packet/sizes";
import { Server } from "../service/server";
import { drop } from "../stats";
import { seal4 } from "../wire/checksum";
import { copyAddress, set16 } from "../wire/field";
import { state } from "../memory";
import { sysctl } from "../sysctl";
import { prepareOuter } from "./express/outer";
import { mtuToServer, wireBytes } from "./hop";
import { completeChecksum, send } from "./send";
import { outerProtocol, outerService, shimBytes, writeGre, writeGue } from "./shim";

const ETHERNET_BYTES: u32 = 14;
const IPV4_BYTES: u32 = 20;

/** Puts the outer headers before one packet (its hop already taken) and sends it. */
export function encapsulate(packet: Packet, connection: Connection, hop: u32): void {
  let server = Server.at(connection.server);
  let source = sourceFor(server.family, hopPort(hop), server.address);
  if (source == 0) return drop(DropReason.NoRoute);
  if (packet.has(PacketFlag.Partial)) completeChecksum(packet);
  let inner = packet.family;
  let service: u32;
  let hops: u32;
  let uncut: bool;
  if (inner == 4) {
    service = load<u8>(packet.l3, 1);
    hops = load<u8>(packet.l3, 8);
    uncut = (load<u8>(packet.l3, 6) & 0x40) != 0;
  } else {
    service = (<u32>bswap<u16>(load<u16>(packet.l3)) >> 4) & 0xff;
    hops = load<u8>(packet.l3, 7);
    // Around IPv6 an outer IPv4 header always may be cut (as the kernel: recording tunnels-4).
    uncut = false;
  }
  service = outerService(service);
  let shim = shimBytes(server);
  let outer = packet.l3 - shim - (server.family == 4 ? 20 : 40);
  let protocol = outerProtocol(server, inner);
  prepareOuter(connection.server, source, inner);
  if (server.tunnelType == <u8>TunnelType.Gre) writeGre(packet.l3, packet.end, server, inner);
  if (server.family == 4) writeOuter4(outer, packet.end, service, hops, uncut && sysctl(Sysctl.PmtuDisc) != 0, protocol, source, server);
  else writeOuter6(outer, packet.end, service, hops, protocol, source, server);
  if (server.tunnelType == <u8>TunnelType.Gue) writeGue(packet.l3, packet.end, server, inner, source, connection);
  let innerBytes = packet.l4 - packet.l3;
  packet.l4 = packet.l3 - shim;
  packet.l3 = outer;
  packet.frame = outer - ETHERNET_BYTES;
  packet.family = server.family;
  packet.protocol = <u8>protocol;
  store<u16>(packet.frame, server.family == 4 ? 0x0008 : 0xdd86, 12);
  packet.flags &= ~<u32>PacketFlag.Options;
  let mtu = mtuToServer(connection, hop);
  if (packet.has(PacketFlag.Reassembled)) wrapPieces(packet, inner, innerBytes + shim, mtu, uncut);
  send(packet, hop, mtu);
}

/**
 * What came in pieces leaves in pieces: of IPv4 in IPv4 no longer than the longest of them; which, does not matter any
 * more. Around IPv6 the first takes the outer header; but what fits as a whole in IPv4 goes as a whole, and what the first
 * cannot take is cut anew (as the kernel: recordings pieces_tunnelled, pieces_6in4).
 */
function wrapPieces(packet: Packet, inner: u32, moreBytes: u32, mtu: u32, uncut: bool): void {
  if (packet.family == 6 && inner == 6) {
    if (!growPieces(packet, moreBytes, firstPieceRoom6(packet))) forgetPieces(packet);
  } else if (packet.family == 4 && inner == 4) {
    forgetPieces(packet);
    // Pieces that may not be cut say so whatever pmtu_disc says (as the kernel: recording pieces_odd_ends).
    if (uncut) store<u8>(packet.l3, 0x40, 6);
  } else if (packet.family != 4 || inner != 6 || wireBytes(packet) <= mtu || !growPieces(packet, moreBytes, mtu - IPV4_BYTES)) {
    packet.flags &= ~<u32>PacketFlag.Reassembled;
  }
}

function writeOuter4(
  at: usize, end: u32, service: u32, hops: u32, whole: bool, protocol: u32, source: usize, server: Server,
): void {
  store<u8>(at, 0x45);
  store<u8>(at, <u8>service, 1);
  set16(at + 2, end - <u32>at);
  let identification: u32 = 0;
  if (!whole) {
    identification = load<u32>(state, STATE_IDENTIFICATION) + 1;
    store<u32>(state, identification, STATE_IDENTIFICATION);
  }
  set16(at + 4, identification);
  store<u16>(at, whole ? 0x0040 : 0, 6);
  store<u8>(at, <u8>hops, 8);
  store<u8>(at, <u8>protocol, 9);
  store<u32>(at, load<u32>(source, 12), 12);
  store<u32>(at, load<u32>(server.address, 12), 16);
  seal4(at, IPV4_BYTES);
}

function writeOuter6(at: usize, end: u32, service: u32, hops: u32, protocol: u32, source: usize, server: Server): void {
  store<u32>(at, bswap<u32>(0x60000000 | (service << 20)));
  set16(at + 4, end - <u32>at - 40);
  store<u8>(at, <u8>protocol, 6);
  store<u8>(at, <u8>hops, 7);
  copyAddress(at + 8, source);
  copyAddress(at + 24, server.address);
}
