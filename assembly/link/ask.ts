// What the director says on a link of its own accord: who has this address, and: it is here now.

import {
  CONTROL_BASE, CONTROL_LOCALS_USED, LOCALS_BASE, LOCAL_BYTES, LOCAL_FAMILY, LOCAL_PORT, LOCAL_WHOLE, PORT_FLAGS, PORT_MAC,
} from "../abi/layout";
import { PortFlag, Protocol } from "../abi/enums";
import { ownFrame, sendPlain } from "../packet/slot";
import { ARP_BYTES, ARP_KIND, ARP_REQUEST, ARP_SENDER, ARP_SENDER_MAC, ARP_TARGET, ARP_TARGET_MAC } from "../wire/arp";
import { fold64, pseudo6, sum } from "../wire/checksum";
import { copyAddress, set16 } from "../wire/field";
import {
  ADVERTISEMENT, HOPS_ON_LINK, IP_BYTES, IP_HOPS, IP_SOURCE, IP_TARGET, NDP_BYTES, NDP_CHECKSUM, NDP_FLAGS, NDP_OPTIONS, NDP_TARGET,
  OPTION_LENGTH, OPTION_MAC, OPTION_SOURCE_LINK, OPTION_TARGET_LINK, OVERRIDE, SOLICITATION,
} from "../wire/ndp";
import { isLocal4, portAt, sourceFor } from "./local";

const ETHERNET_BYTES: u32 = 14;
export const ARP_FRAME_BYTES: u32 = ETHERNET_BYTES + ARP_BYTES;

function build(port: u32, sender: u32, target: u32): void {
  let frame = ownFrame();
  if (frame == 0) return;
  let mac = portAt(port) + PORT_MAC;
  store<u32>(frame, 0xffffffff);
  store<u16>(frame, 0xffff, 4);
  memory.copy(frame + 6, mac, 6);
  store<u16>(frame, 0x0608, 12);
  let arp = <usize>frame + ETHERNET_BYTES;
  store<u64>(arp, ARP_KIND | (<u64>ARP_REQUEST << 48));
  memory.copy(arp + ARP_SENDER_MAC, mac, 6);
  store<u32>(arp, sender, ARP_SENDER);
  memory.fill(arp + ARP_TARGET_MAC, 0, 6);
  store<u32>(arp, target, ARP_TARGET);
  sendPlain(port, frame, ARP_FRAME_BYTES);
}

/**
 * Asks who has an address (16 bytes), in the name of whom the packet that waits is from, where that is the director (as the kernel:
 * recording unanswered4).
 */
export function askArp(port: u32, address: usize, from: u32): void {
  if (!isLocal4(from)) {
    let source = sourceFor(4, port, address);
    from = source == 0 ? 0 : load<u32>(source, 12);
  }
  build(port, from, load<u32>(address, 12));
}

/** The beginning of a message of neighbour discovery, up to its addresses; answers where IP begins. */
export function beginNdp(frame: usize, port: u32): usize {
  memory.copy(frame + 6, portAt(port) + PORT_MAC, 6);
  store<u16>(frame, 0xdd86, 12);
  let ip = frame + ETHERNET_BYTES;
  store<u32>(ip, 0x60);
  set16(ip + 4, NDP_BYTES);
  store<u8>(ip, <u8>Protocol.Icmpv6, 6);
  store<u8>(ip, <u8>HOPS_ON_LINK, IP_HOPS);
  return ip;
}

/** Adds our hardware address as an option, the checksum, and sends. */
export function finishNdp(port: u32, frame: u32, option: u32): void {
  let ip = <usize>frame + ETHERNET_BYTES;
  let icmp = ip + IP_BYTES;
  store<u8>(icmp, <u8>option, NDP_OPTIONS);
  store<u8>(icmp, 1, NDP_OPTIONS + OPTION_LENGTH);
  memory.copy(icmp + NDP_OPTIONS + OPTION_MAC, portAt(port) + PORT_MAC, 6);
  store<u16>(icmp, 0, NDP_CHECKSUM);
  store<u16>(icmp, <u16>~fold64(sum(icmp, NDP_BYTES) + pseudo6(ip + IP_SOURCE, ip + IP_TARGET, <u32>Protocol.Icmpv6, NDP_BYTES)), NDP_CHECKSUM);
  sendPlain(port, frame, ETHERNET_BYTES + IP_BYTES + NDP_BYTES);
}

export function allNodes(at: usize): void {
  store<u64>(at, 0x02ff);
  store<u64>(at, 0x01 << 56, 8);
}

export function multicastMac(frame: usize, group: usize): void {
  store<u16>(frame, 0x3333);
  store<u32>(frame, load<u32>(group, 12), 2);
}

/** Asks who has an address: to its solicited-node group ff02::1:ffXX:XXXX. */
export function askNdp(port: u32, address: usize): void {
  let source = sourceFor(6, port, address);
  let frame = source == 0 ? 0 : ownFrame();
  if (frame == 0) return;
  let ip = beginNdp(frame, port);
  copyAddress(ip + IP_SOURCE, source);
  store<u64>(ip + IP_TARGET, 0x02ff);
  store<u32>(ip + IP_TARGET, 0x01000000, 8);
  store<u32>(ip + IP_TARGET, (load<u32>(address, 12) & 0xffffff00) | 0xff, 12);
  multicastMac(frame, ip + IP_TARGET);
  let icmp = ip + IP_BYTES;
  store<u32>(icmp, SOLICITATION);
  store<u32>(icmp, 0, NDP_FLAGS);
  copyAddress(icmp + NDP_TARGET, address);
  finishNdp(port, frame, OPTION_SOURCE_LINK);
}

/** Tells the link where the addresses of a port are now: gratuitous ARP, unsolicited advertisements. */
export function announce(port: u32): void {
  if ((load<u32>(portAt(port), PORT_FLAGS) & <u32>PortFlag.Up) == 0) return;
  let used = load<u32>(CONTROL_BASE, CONTROL_LOCALS_USED);
  for (let index: u32 = 1; index < used; index++) {
    let local = <usize>LOCALS_BASE + <usize>index * LOCAL_BYTES;
    if (load<u8>(local, LOCAL_WHOLE) != 0 || <u32>load<u16>(local, LOCAL_PORT) != port) continue;
    if (load<u8>(local, LOCAL_FAMILY) == 4) build(port, load<u32>(local, 12), load<u32>(local, 12));
    else if (load<u8>(local, LOCAL_FAMILY) == 6) advertiseAll(port, local);
  }
}

/** RFC 4861 section 7.2.6: to all nodes, overriding what they remember. */
function advertiseAll(port: u32, address: usize): void {
  let frame = ownFrame();
  if (frame == 0) return;
  let ip = beginNdp(frame, port);
  copyAddress(ip + IP_SOURCE, address);
  allNodes(ip + IP_TARGET);
  multicastMac(frame, ip + IP_TARGET);
  let icmp = ip + IP_BYTES;
  store<u32>(icmp, ADVERTISEMENT);
  store<u32>(icmp, OVERRIDE, NDP_FLAGS);
  copyAddress(icmp + NDP_TARGET, address);
  finishNdp(port, frame, OPTION_TARGET_LINK);
}
