// ARP (RFC 826): answers for the director's IPv4 addresses, and learns from what is said.

import { PORT_MAC } from "../abi/layout";
import { DropReason } from "../abi/enums";
import { Packet } from "../packet/packet";
import { sendPlain } from "../packet/slot";
import { drop } from "../stats";
import {
  ARP_KIND, ARP_KIND_MASK, ARP_OPERATION, ARP_REPLY, ARP_REQUEST, ARP_SENDER, ARP_SENDER_MAC, ARP_TARGET, ARP_TARGET_MAC,
} from "../wire/arp";
import { mapAddress } from "../wire/field";
import { ARP_FRAME_BYTES } from "./ask";
import { noteConflict } from "./conflict";
import { isLocal4, portAt } from "./local";
import { findNeighbor } from "./neighbor";
import { isOnLink } from "./route";
import { learn } from "./transmit";

export function receiveArp(packet: Packet): void {
  let arp = <usize>packet.frame + 14;
  if (packet.bytes < ARP_FRAME_BYTES) return drop(DropReason.ArpBad);
  if ((load<u64>(arp) & ARP_KIND_MASK) != ARP_KIND) return drop(DropReason.ArpBad);
  let operation = <u32>load<u16>(arp, ARP_OPERATION);
  if (operation != ARP_REQUEST && operation != ARP_REPLY) return drop(DropReason.ArpBad);
  // No host has a group's hardware address.
  if (load<u8>(arp, ARP_SENDER_MAC) & 1) return drop(DropReason.ArpBad);
  let sender = load<u32>(arp, ARP_SENDER);
  let target = load<u32>(arp, ARP_TARGET);
  let forUs = isLocal4(target);
  if (isLocal4(sender)) noteConflict(packet.port, arp + ARP_SENDER_MAC);
  else if (sender != 0) {
    let address = changetype<usize>(packet) + 64;
    mapAddress(address, sender);
    // Who asks for us is about to speak with us; anybody else is only noted when already known.
    if (findNeighbor(4, packet.port, address) != 0 || (forUs && isOnLink(4, packet.port, address))) learn(4, packet.port, address, arp + ARP_SENDER_MAC);
  }
  if (operation == ARP_REQUEST && forUs) answer(packet, arp, sender, target);
}

function answer(packet: Packet, arp: usize, sender: u32, target: u32): void {
  let mac = portAt(packet.port) + PORT_MAC;
  memory.copy(packet.frame, arp + ARP_SENDER_MAC, 6);
  memory.copy(packet.frame + 6, mac, 6);
  store<u16>(arp, <u16>ARP_REPLY, ARP_OPERATION);
  memory.copy(arp + ARP_TARGET_MAC, arp + ARP_SENDER_MAC, 6);
  store<u32>(arp, sender, ARP_TARGET);
  memory.copy(arp + ARP_SENDER_MAC, mac, 6);
  store<u32>(arp, target, ARP_SENDER);
  sendPlain(packet.port, packet.frame, ARP_FRAME_BYTES);
}
