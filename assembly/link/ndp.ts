// Neighbour discovery (RFC 4861): solicitations and advertisements, the same for IPv6 as ARP for IPv4.

import { PORT_MAC } from "../abi/layout";
import { DropReason, Protocol } from "../abi/enums";
import { Packet } from "../packet/packet";
import { ownFrame, sendPlain } from "../packet/slot";
import { drop } from "../stats";
import { fold64, pseudo6, sum } from "../wire/checksum";
import { copyAddress, isZeroAddress, set16 } from "../wire/field";
import { findLocal, portAt, sourceFor } from "./local";
import { findNeighbor, learn } from "./neighbor";

const SOLICITATION: u32 = 135;
const ADVERTISEMENT: u32 = 136;
const SOURCE_LINK: u32 = 1;
const TARGET_LINK: u32 = 2;
const BYTES: u32 = 32; // with one link-layer address option

/** ICMPv6 of the link: router and neighbour discovery, multicast listener reports. */
export function isNdp(packet: Packet): bool {
  if (packet.l4 + 8 > packet.end) return load<u8>(packet.l3, 24) == 0xff;
  let type = <u32>load<u8>(packet.l4);
  return (type >= 130 && type <= 137) || type == 143 || load<u8>(packet.l3, 24) == 0xff;
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
    if (mac != 0 && findNeighbor(6, packet.port, target) != 0) learn(6, packet.port, target, mac);
    return;
  }
  if (findLocal(target) == 0) return;
  if (mac != 0 && !isZeroAddress(packet.source)) learn(6, packet.port, packet.source, mac);
  advertise(packet, target);
}

function findOption(at: usize, end: usize, type: u32): usize {
  while (at + 8 <= end) {
    let bytes = <usize>load<u8>(at, 1) << 3;
    if (bytes == 0 || at + bytes > end) return 0;
    if (<u32>load<u8>(at) == type) return at + 2;
    at += bytes;
  }
  return 0;
}

function advertise(packet: Packet, target: usize): void {
  let frame = ownFrame();
  if (frame == 0) return;
  let probe = isZeroAddress(packet.source); // duplicate address detection: answer to all nodes
  let ip = header(frame, packet.port);
  copyAddress(ip + 8, target);
  if (probe) allNodes(ip + 24);
  else copyAddress(ip + 24, packet.source);
  if (probe) multicastMac(frame, ip + 24);
  else memory.copy(frame, packet.frame + 6, 6);
  let icmp = ip + 40;
  store<u32>(icmp, ADVERTISEMENT);
  store<u32>(icmp, probe ? 0x20 : 0x60, 4);
  copyAddress(icmp + 8, target);
  finish(packet.port, frame, TARGET_LINK);
}

function header(frame: usize, port: u32): usize {
  memory.copy(frame + 6, portAt(port) + PORT_MAC, 6);
  store<u16>(frame, 0xdd86, 12);
  let ip = frame + 14;
  store<u32>(ip, 0x60);
  set16(ip + 4, BYTES);
  store<u8>(ip, <u8>Protocol.Icmpv6, 6);
  store<u8>(ip, 255, 7);
  return ip;
}

function finish(port: u32, frame: u32, option: u32): void {
  let ip = <usize>frame + 14;
  let icmp = ip + 40;
  store<u8>(icmp, <u8>option, 24);
  store<u8>(icmp, 1, 25);
  memory.copy(icmp + 26, portAt(port) + PORT_MAC, 6);
  store<u16>(icmp, 0, 2);
  store<u16>(icmp, <u16>~fold64(sum(icmp, BYTES) + pseudo6(ip + 8, ip + 24, <u32>Protocol.Icmpv6, BYTES)), 2);
  sendPlain(port, frame, 14 + 40 + BYTES);
}

function allNodes(at: usize): void {
  store<u64>(at, 0x02ff);
  store<u64>(at, 0x01 << 56, 8);
}

function multicastMac(frame: usize, group: usize): void {
  store<u16>(frame, 0x3333);
  store<u32>(frame, load<u32>(group, 12), 2);
}

/** Asks who has an address: to its solicited-node group ff02::1:ffXX:XXXX. */
export function askNdp(port: u32, address: usize): void {
  let source = sourceFor(6, port, address);
  let frame = source == 0 ? 0 : ownFrame();
  if (frame == 0) return;
  let ip = header(frame, port);
  copyAddress(ip + 8, source);
  store<u64>(ip + 24, 0x02ff);
  store<u32>(ip + 24, 0x01000000, 8);
  store<u32>(ip + 24, (load<u32>(address, 12) & 0xffffff00) | 0xff, 12);
  multicastMac(frame, ip + 24);
  let icmp = ip + 40;
  store<u32>(icmp, SOLICITATION);
  store<u32>(icmp, 0, 4);
  copyAddress(icmp + 8, address);
  finish(port, frame, SOURCE_LINK);
}
