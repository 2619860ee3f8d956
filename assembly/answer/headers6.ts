// Extension headers of IPv6, read by whom they are for: hop-by-hop options by every router, the others by the target
// alone, once no service wants the packet (RFC 8200 section 4; as the kernel: recording options6).

import { DropReason, Protocol } from "../abi/enums";
import { Packet } from "../packet/packet";
import { Options6, readOptions6 } from "../packet/options6";
import { drop } from "../stats";
import { sendIcmpv6Error } from "./icmpv6";

const PARAMETER_PROBLEM: u32 = 4;
const ERRONEOUS_FIELD: u32 = 0;
const UNKNOWN_HEADER: u32 = 1;
const IPV6_BYTES: u32 = 40;
const NEXT: u32 = 6;
/** Where a routing header has its type, and how many hosts it has still to see. */
const ROUTING_TYPE: u32 = 2;
const ROUTING_LEFT: u32 = 3;
/** Mobile hosts', lossy networks' and segment routing, which nobody has switched on. */
const ROUTING_MOBILE: u32 = 2;
const ROUTING_SEGMENTS: u32 = 4;

function headerBytes(at: usize): u32 {
  return (<u32>load<u8>(at, 1) + 1) << 3;
}

function refuse(packet: Packet, code: u32, offset: u32): bool {
  sendIcmpv6Error(packet, PARAMETER_PROBLEM, code, offset);
  drop(DropReason.BadHeader);
  return false;
}

function silence(): bool {
  drop(DropReason.BadHeader);
  return false;
}

function areSound(packet: Packet, at: usize, isHopByHop: bool): bool {
  let found = readOptions6(packet.l3, at, at + headerBytes(at), isHopByHop);
  if (found == <u32>Options6.Sound) return true;
  return found == <u32>Options6.Silence ? silence() : refuse(packet, found >> 16, found & 0xffff);
}

/** False, and counted, when hop-by-hop options forbid that a packet goes on. Parsing has seen that the header fits. */
export function readHopByHop(packet: Packet): bool {
  return load<u8>(packet.l3, NEXT) != <u8>Protocol.HopByHop || areSound(packet, packet.l3 + IPV6_BYTES, true);
}

/** False, and counted, when a header before the upper one keeps a packet for us from being taken in. */
export function readHeaders6(packet: Packet): bool {
  let at = <usize>packet.l3 + IPV6_BYTES;
  let named = <usize>packet.l3 + NEXT;
  if (load<u8>(named) == <u8>Protocol.HopByHop) {
    named = at;
    at += headerBytes(at);
  }
  let next = <u32>load<u8>(named);
  while (next == <u32>Protocol.Routing || next == <u32>Protocol.DestinationOptions) {
    if (at + 8 > <usize>packet.end || at + headerBytes(at) > <usize>packet.end) return silence();
    if (next == <u32>Protocol.Routing ? !isThere(packet, at) : !areSound(packet, at, false)) return false;
    named = at;
    next = load<u8>(named);
    at += headerBytes(at);
  }
  // Hop-by-hop options come first or not at all; and nobody here authenticates.
  if (next != <u32>Protocol.HopByHop && next != <u32>Protocol.Authentication) return true;
  return refuse(packet, UNKNOWN_HEADER, <u32>named - packet.l3);
}

/** True when a routing header has no host left to see: nobody is sent on from here (RFC 5095). */
function isThere(packet: Packet, at: usize): bool {
  let type = <u32>load<u8>(at, ROUTING_TYPE);
  if (type >= ROUTING_MOBILE && type <= ROUTING_SEGMENTS) return silence();
  return load<u8>(at, ROUTING_LEFT) == 0 || refuse(packet, ERRONEOUS_FIELD, <u32>at + ROUTING_TYPE - packet.l3);
}
