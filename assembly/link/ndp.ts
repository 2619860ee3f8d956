// Neighbour discovery (RFC 4861): solicitations and advertisements, the same for IPv6 as ARP for IPv4.

import { DropReason, Protocol } from "../abi/enums";
import { Packet, PacketFlag } from "../packet/packet";
import { ownFrame } from "../packet/slot";
import { drop } from "../stats";
import { fold64, pseudo6, sum } from "../wire/checksum";
import { copyAddress, isZeroAddress } from "../wire/field";
import {
  ADVERTISEMENT, HOPS_ON_LINK, IP_BYTES, IP_HOPS, IP_SOURCE, IP_TARGET, NDP_CODE, NDP_FLAGS, NDP_OPTIONS, NDP_TARGET, OPTION_LENGTH, OPTION_MAC,
  OPTION_SOURCE_LINK, OPTION_TARGET_LINK, OVERRIDE, SOLICITATION, SOLICITED,
} from "../wire/ndp";
import { allNodes, beginNdp, finishNdp, multicastMac } from "./ask";
import { noteConflict } from "./conflict";
import { findLocal } from "./local";
import { findNeighbor } from "./neighbor";
import { isOnLink } from "./route";
import { learn } from "./transmit";

/** ICMPv6 of the link, to us or a group: router and neighbour discovery, multicast listener reports. To others it only passes. */
export function isNdp(packet: Packet): bool {
  if (load<u8>(packet.l3, IP_TARGET) == 0xff) return true;
  if (!packet.has(PacketFlag.ToLocal) || packet.has(PacketFlag.Unjoined) || packet.l4 + 8 > packet.end) return false;
  let type = <u32>load<u8>(packet.l4);
  return (type >= 130 && type <= 137) || type == 143;
}

export function receiveNdp(packet: Packet): void {
  let icmp = <usize>packet.l4;
  let bytes = packet.end - packet.l4;
  if (bytes < <u32>NDP_OPTIONS) return drop(DropReason.LocalConsumed);
  let type = <u32>load<u8>(icmp);
  if (type != SOLICITATION && type != ADVERTISEMENT) return drop(DropReason.LocalConsumed);
  if (load<u8>(packet.l3, IP_HOPS) != <u8>HOPS_ON_LINK || load<u8>(icmp, NDP_CODE) != 0) return drop(DropReason.NdBad);
  if (fold64(sum(icmp, bytes) + pseudo6(<usize>packet.l3 + IP_SOURCE, <usize>packet.l3 + IP_TARGET, <u32>Protocol.Icmpv6, bytes)) != 0xffff) {
    return drop(DropReason.NdBad);
  }
  let target = icmp + NDP_TARGET;
  let mac = findOption(icmp + NDP_OPTIONS, packet.end, type == SOLICITATION ? OPTION_SOURCE_LINK : OPTION_TARGET_LINK);
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
    let bytes = <usize>load<u8>(at, OPTION_LENGTH) << 3;
    if (bytes == 0 || at + bytes > end) return 0;
    // No interface alone has a group's hardware address.
    if (<u32>load<u8>(at) == type) return load<u8>(at, OPTION_MAC) & 1 ? 0 : at + OPTION_MAC;
    at += bytes;
  }
  return 0;
}

function advertise(packet: Packet, target: usize): void {
  let frame = ownFrame();
  if (frame == 0) return;
  let probe = isZeroAddress(packet.source); // duplicate address detection: answer to all nodes
  let ip = beginNdp(frame, packet.port);
  copyAddress(ip + IP_SOURCE, target);
  if (probe) allNodes(ip + IP_TARGET);
  else copyAddress(ip + IP_TARGET, packet.source);
  if (probe) multicastMac(frame, ip + IP_TARGET);
  else memory.copy(frame, packet.frame + 6, 6);
  let icmp = ip + IP_BYTES;
  store<u32>(icmp, ADVERTISEMENT);
  store<u32>(icmp, probe ? OVERRIDE : SOLICITED | OVERRIDE, NDP_FLAGS);
  copyAddress(icmp + NDP_TARGET, target);
  finishNdp(packet.port, frame, OPTION_TARGET_LINK);
}
