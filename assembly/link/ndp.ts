// Neighbour discovery (RFC 4861): solicitations and advertisements, the same for IPv6 as ARP for IPv4.

import { DropReason, Protocol } from "../abi/enums";
import { Packet, PacketFlag } from "../packet/packet";
import { ownFrame } from "../packet/slot";
import { drop } from "../stats";
import { fold64, pseudo6, sum } from "../wire/checksum";
import { copyAddress, isZeroAddress } from "../wire/field";
import { ADVERTISEMENT, allNodes, beginNdp, finishNdp, multicastMac, SOLICITATION, SOURCE_LINK, TARGET_LINK } from "./ask";
import { noteConflict } from "./conflict";
import { findLocal } from "./local";
import { findNeighbor } from "./neighbor";
import { isOnLink } from "./route";
import { learn } from "./transmit";

/** ICMPv6 of the link, to us or a group: router and neighbour discovery, multicast listener reports. To others it only passes. */
export function isNdp(packet: Packet): bool {
  if (load<u8>(packet.l3, 24) == 0xff) return true;
  if (!packet.has(PacketFlag.ToLocal) || packet.has(PacketFlag.Unjoined) || packet.l4 + 8 > packet.end) return false;
  let type = <u32>load<u8>(packet.l4);
  return (type >= 130 && type <= 137) || type == 143;
}

export function receiveNdp(packet: Packet): void {
  let icmp = <usize>packet.l4;
  let bytes = packet.end - packet.l4;
  if (bytes < 24) return drop(DropReason.LocalConsumed);
  let type = <u32>load<u8>(icmp);
  if (type != SOLICITATION && type != ADVERTISEMENT) return drop(DropReason.LocalConsumed);
  if (load<u8>(packet.l3, 7) != 255 || load<u8>(icmp, 1) != 0) return drop(DropReason.NdBad);
  if (fold64(sum(icmp, bytes) + pseudo6(<usize>packet.l3 + 8, <usize>packet.l3 + 24, <u32>Protocol.Icmpv6, bytes)) != 0xffff) {
    return drop(DropReason.NdBad);
  }
  let target = icmp + 8;
  let mac = findOption(icmp + 24, packet.end, type == SOLICITATION ? SOURCE_LINK : TARGET_LINK);
  if (type == ADVERTISEMENT) {
    if (mac == 0) return;
    if (findLocal(target) != 0) noteConflict(packet.port, mac);
    else if (findNeighbor(6, packet.port, target) != 0) learn(6, packet.port, target, mac);
    return;
  }
  if (findLocal(target) == 0) return;
  if (mac != 0 && !isZeroAddress(packet.source) && findLocal(packet.source) == 0) {
    if (findNeighbor(6, packet.port, packet.source) != 0 || isOnLink(6, packet.port, packet.source)) learn(6, packet.port, packet.source, mac);
  }
  advertise(packet, target);
}

/** The hardware address that an option of this type names, 0 when none does. */
function findOption(at: usize, end: usize, type: u32): usize {
  while (at + 8 <= end) {
    let bytes = <usize>load<u8>(at, 1) << 3;
    if (bytes == 0 || at + bytes > end) return 0;
    // No interface alone has a group's hardware address.
    if (<u32>load<u8>(at) == type) return load<u8>(at, 2) & 1 ? 0 : at + 2;
    at += bytes;
  }
  return 0;
}

function advertise(packet: Packet, target: usize): void {
  let frame = ownFrame();
  if (frame == 0) return;
  let probe = isZeroAddress(packet.source); // duplicate address detection: answer to all nodes
  let ip = beginNdp(frame, packet.port);
  copyAddress(ip + 8, target);
  if (probe) allNodes(ip + 24);
  else copyAddress(ip + 24, packet.source);
  if (probe) multicastMac(frame, ip + 24);
  else memory.copy(frame, packet.frame + 6, 6);
  let icmp = ip + 40;
  store<u32>(icmp, ADVERTISEMENT);
  store<u32>(icmp, probe ? 0x20 : 0x60, 4);
  copyAddress(icmp + 8, target);
  finishNdp(packet.port, frame, TARGET_LINK);
}
