// ARP (RFC 826): answers for the director's IPv4 addresses, and learns from what is said.

import { PORT_MAC } from "../abi/layout";
import { DropReason } from "../abi/enums";
import { Packet } from "../packet/packet";
import { sendPlain } from "../packet/slot";
import { drop } from "../stats";
import { mapAddress } from "../wire/field";
import { ARP_FRAME_BYTES, ARP_REQUEST, ETHERNET_IPV4 } from "./ask";
import { noteConflict } from "./conflict";
import { isLocal4, portAt } from "./local";
import { findNeighbor } from "./neighbor";
import { isOnLink } from "./route";
import { learn } from "./transmit";

const REPLY: u32 = 0x0200; // network order
const ETHERNET_IPV4_MASK: u64 = 0x0000ffffffffffff;

export function receiveArp(packet: Packet): void {
  let arp = <usize>packet.frame + 14;
  if (packet.bytes < ARP_FRAME_BYTES) return drop(DropReason.ArpBad);
  if ((load<u64>(arp) & ETHERNET_IPV4_MASK) != ETHERNET_IPV4) return drop(DropReason.ArpBad);
  let operation = <u32>load<u16>(arp, 6);
  if (operation != ARP_REQUEST && operation != REPLY) return drop(DropReason.ArpBad);
  if (load<u8>(arp, 8) & 1) return drop(DropReason.ArpBad);
  let sender = load<u32>(arp, 14);
  let target = load<u32>(arp, 24);
  let forUs = isLocal4(target);
  if (isLocal4(sender)) noteConflict(packet.port, arp + 8);
  else if (sender != 0) {
    let address = changetype<usize>(packet) + 64;
    mapAddress(address, sender);
    // Who asks for us is about to speak with us; anybody else is only noted when already known.
    if (findNeighbor(4, packet.port, address) != 0 || (forUs && isOnLink(4, packet.port, address))) learn(4, packet.port, address, arp + 8);
  }
  if (operation == ARP_REQUEST && forUs) answer(packet, arp, sender, target);
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
  sendPlain(packet.port, packet.frame, ARP_FRAME_BYTES);
}
