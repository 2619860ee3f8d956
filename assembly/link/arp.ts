// ARP (RFC 826): answers for the director's IPv4 addresses, asks for neighbours, announces.

import {
  CONTROL_BASE, CONTROL_LOCALS_USED, LOCALS_BASE, LOCAL_BYTES, LOCAL_FAMILY, LOCAL_PORT, LOCAL_WHOLE, PORT_FLAGS, PORT_MAC,
} from "../abi/layout";
import { DropReason, PortFlag } from "../abi/enums";
import { Packet } from "../packet/packet";
import { ownFrame, sendPlain } from "../packet/slot";
import { drop } from "../stats";
import { mapAddress } from "../wire/field";
import { isLocal4, portAt, sourceFor } from "./local";
import { findNeighbor, learn } from "./neighbor";

const ARP_BYTES: u32 = 28;
const FRAME_BYTES: u32 = 14 + ARP_BYTES;
const REQUEST: u32 = 0x0100; // network order
const REPLY: u32 = 0x0200;
/** Hardware type 1, protocol 0x0800, lengths 6 and 4. */
const ETHERNET_IPV4: u64 = 0x0406000801 << 8;
const ETHERNET_IPV4_MASK: u64 = 0x0000ffffffffffff;

export function receiveArp(packet: Packet): void {
  let arp = <usize>packet.frame + 14;
  if (packet.bytes < FRAME_BYTES) return drop(DropReason.ArpBad);
  if ((load<u64>(arp) & ETHERNET_IPV4_MASK) != ETHERNET_IPV4) return drop(DropReason.ArpBad);
  let operation = <u32>load<u16>(arp, 6);
  if (operation != REQUEST && operation != REPLY) return drop(DropReason.ArpBad);
  if (load<u8>(arp, 8) & 1) return drop(DropReason.ArpBad);
  let sender = load<u32>(arp, 14);
  let target = load<u32>(arp, 24);
  let forUs = isLocal4(target);
  if (sender != 0 && !isLocal4(sender)) {
    let address = changetype<usize>(packet) + 64;
    mapAddress(address, sender);
    // Who asks for us is about to speak with us; anybody else is only noted when already known.
    if (forUs || findNeighbor(4, packet.port, address) != 0) learn(4, packet.port, address, arp + 8);
  }
  if (operation == REQUEST && forUs) answer(packet, arp, sender, target);
}

function answer(packet: Packet, arp: usize, sender: u32, target: u32): void {
  let mac = portAt(packet.port) + PORT_MAC;
  memory.copy(packet.frame, arp + 8, 6);
  memory.copy(packet.frame + 6, mac, 6);
  store<u16>(arp, <u16>REPLY, 6);
  memory.copy(arp + 18, arp + 8, 6);
  store<u32>(arp, sender, 24);
  memory.copy(arp + 8, mac, 6);
  store<u32>(arp, target, 14);
  sendPlain(packet.port, packet.frame, FRAME_BYTES);
}

function build(port: u32, sender: u32, target: u32): void {
  let frame = ownFrame();
  if (frame == 0) return;
  let mac = portAt(port) + PORT_MAC;
  store<u32>(frame, 0xffffffff);
  store<u16>(frame, 0xffff, 4);
  memory.copy(frame + 6, mac, 6);
  store<u16>(frame, 0x0608, 12);
  let arp = <usize>frame + 14;
  store<u64>(arp, ETHERNET_IPV4 | (<u64>REQUEST << 48));
  memory.copy(arp + 8, mac, 6);
  store<u32>(arp, sender, 14);
  store<u32>(arp, 0, 18);
  store<u16>(arp, 0, 22);
  store<u32>(arp, target, 24);
  sendPlain(port, frame, FRAME_BYTES);
}

/** Asks who has an address (16 bytes). */
export function askArp(port: u32, address: usize): void {
  let source = sourceFor(4, port, address);
  build(port, source == 0 ? 0 : load<u32>(source, 12), load<u32>(address, 12));
}

/** Gratuitous ARP for every address of a port: neighbours learn where the VIP is now. */
export function announceArp(port: u32): void {
  if ((load<u32>(portAt(port), PORT_FLAGS) & <u32>PortFlag.Up) == 0) return;
  let used = load<u32>(CONTROL_BASE, CONTROL_LOCALS_USED);
  for (let index: u32 = 1; index < used; index++) {
    let local = <usize>LOCALS_BASE + <usize>index * LOCAL_BYTES;
    if (load<u8>(local, LOCAL_FAMILY) != 4 || load<u8>(local, LOCAL_WHOLE) != 0) continue;
    if (<u32>load<u16>(local, LOCAL_PORT) == port) build(port, load<u32>(local, 12), load<u32>(local, 12));
  }
}
