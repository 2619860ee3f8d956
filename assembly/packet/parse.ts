// A close look at every frame that the scan (scan.ts) did not take.

import { PORT_BYTES, PORT_FLAGS, PORT_MAC, PORTS_BASE } from "../abi/layout";
import { DropReason, PortFlag, Protocol } from "../abi/enums";
import { isForBackup } from "../sync/daemon";
import { fold64, sum } from "../wire/checksum";
import { get16, isLoopback6 } from "../wire/field";
import { Packet, PacketFlag } from "./packet";

export const ETHERNET_BYTES: u32 = 14;
const IPV6_BYTES: u32 = 40;
const TYPE_IPV4: u32 = 0x0008; // network order
const TYPE_ARP: u32 = 0x0608;
const TYPE_IPV6: u32 = 0xdd86;

/** What a frame is, after the first look. */
export enum Kind {
  /** Dropped and counted under the reason that `parseRest` answered. */
  Bad = 0,
  /** IPv4 or IPv6 of another kind. */
  Ip = 2,
  Arp = 3,
}

/** True when the frame was sent to its port's own hardware address. */
function ofPort(packet: Packet): bool {
  let port = <usize>PORTS_BASE + <usize>packet.port * PORT_BYTES;
  return (load<u64>(packet.frame) & 0x0000ffffffffffff) == load<u64>(port, PORT_MAC);
}

/** Source addresses nobody may have (RFC 1812 section 5.3.7); of 0/8 and 240/4 some may (as the kernel: recording nobodys_sources). */
function isMartian4(source: u32): bool {
  return source == 0 || source == 0xffffffff || (source & 0xff) == 127 || (source & 0xf0) == 0xe0;
}

/** Looks closely at a frame that `scan` did not take. Answers its Kind; the reason of a Bad one is in `aside`. */
export function parseRest(packet: Packet): Kind {
  let port = <usize>PORTS_BASE + <usize>packet.port * PORT_BYTES;
  if ((load<u32>(port, PORT_FLAGS) & <u32>PortFlag.Up) == 0) return bad(packet, DropReason.PortDown);
  if (packet.bytes < ETHERNET_BYTES) return bad(packet, DropReason.Truncated);
  let type = <u32>load<u16>(packet.frame, 12);
  let group = (load<u8>(packet.frame) & 1) != 0;
  if (!group && !ofPort(packet)) return bad(packet, DropReason.OtherHost);
  if (type == TYPE_ARP) return Kind.Arp;
  packet.l3 = packet.frame + ETHERNET_BYTES;
  let rest = packet.bytes - ETHERNET_BYTES;
  if (type == TYPE_IPV4) return parse4(packet, rest, group);
  if (type == TYPE_IPV6) return parse6(packet, rest, group);
  return bad(packet, DropReason.EtherType);
}

function bad(packet: Packet, reason: DropReason): Kind {
  packet.aside = <u32>reason;
  return Kind.Bad;
}

function parse4(packet: Packet, rest: u32, group: bool): Kind {
  let l3 = <usize>packet.l3;
  if (rest < 20) return bad(packet, DropReason.Truncated);
  let headerBytes = (<u32>load<u8>(l3) & 0x0f) << 2;
  let totalBytes = get16(l3 + 2);
  if (load<u8>(l3) >> 4 != 4 || headerBytes < 20 || totalBytes < headerBytes) return bad(packet, DropReason.BadHeader);
  if (totalBytes > rest) return bad(packet, DropReason.Truncated);
  if (fold64(sum(l3, headerBytes)) != 0xffff) return bad(packet, DropReason.IpChecksum);
  packet.family = 4;
  packet.protocol = load<u8>(l3, 9);
  packet.l4 = packet.l3 + headerBytes;
  packet.end = packet.l3 + totalBytes;
  if (headerBytes > 20) packet.set(PacketFlag.Options);
  let target = load<u32>(l3, 16);
  if (isMartian4(load<u32>(l3, 12))) return bad(packet, DropReason.Martian);
  // Group frames are for routers' and hosts' own protocols; over IPv4 a balancer has one, the sync daemon's.
  packet.fillAddresses();
  if (isForBackup(packet.port, 4, packet.target)) packet.set(PacketFlag.ToBackup);
  else if (group || target == 0xffffffff || (target & 0xf0) == 0xe0) return bad(packet, DropReason.Broadcast);
  if ((target & 0xff) == 127 || target == 0) return bad(packet, DropReason.Martian);
  let fragment = get16(l3 + 6);
  if (fragment & 0x3fff) {
    packet.set(PacketFlag.Fragment);
    packet.fragmentOffset = (fragment & 0x1fff) << 3;
    packet.moreFragments = (fragment >> 13) & 1;
    packet.fragmentId = load<u16>(l3, 4);
  }
  return Kind.Ip;
}

function parse6(packet: Packet, rest: u32, group: bool): Kind {
  let l3 = <usize>packet.l3;
  if (rest < 40) return bad(packet, DropReason.Truncated);
  if (load<u8>(l3) >> 4 != 6) return bad(packet, DropReason.BadHeader);
  let payloadBytes = get16(l3 + 4);
  let isUnsaid = payloadBytes == 0;
  // Without a length a packet with options of every hop has all of its frame: they should say how long it is (RFC 2675 section 2).
  if (isUnsaid && load<u8>(l3, 6) == <u8>Protocol.HopByHop) payloadBytes = rest - 40;
  if (payloadBytes > rest - 40) return bad(packet, DropReason.Truncated);
  packet.family = 6;
  packet.end = packet.l3 + 40 + payloadBytes;
  if (load<u8>(l3, 8) == 0xff || isLoopback6(l3 + 8)) return bad(packet, DropReason.Martian);
  if (!findUpper6(packet)) return bad(packet, DropReason.BadHeader);
  if (isUnsaid && packet.has(PacketFlag.Fragment)) leaveFragment(packet);
  packet.fillAddresses();
  let multicast = load<u8>(l3, 24) == 0xff;
  if (multicast && isForBackup(packet.port, 6, packet.target)) {
    packet.set(PacketFlag.ToBackup);
    return Kind.Ip;
  }
  // Neighbour discovery speaks by multicast; nothing else of a group is for a balancer.
  if ((multicast || group) && packet.protocol != <u8>Protocol.Icmpv6) return bad(packet, DropReason.Broadcast);
  return Kind.Ip;
}

/**
 * A packet that does not say its length is no piece, whatever its fragment header says (as the kernel: recording cut_headers). IPVS
 * looks behind one, and behind more of them, as long as it could be a first piece's (recording unsaid_length6).
 */
function leaveFragment(packet: Packet): void {
  let header = packet.fragmentHeader;
  packet.set(PacketFlag.Unjoined);
  let isRead = true;
  for (let count: u32 = 0; isRead && packet.has(PacketFlag.Fragment); count++) {
    packet.flags &= ~<u32>PacketFlag.Fragment;
    isRead = packet.fragmentOffset == 0 && count < EXTENSIONS_MAX && walk6(packet, packet.fragmentHeader, packet.l4, packet.protocol);
  }
  packet.fragmentHeader = header;
  packet.fragmentOffset = 0;
  if (isRead) return;
  packet.protocol = <u8>Protocol.Fragment;
  packet.l4 = header;
}

/** More extension headers than anyone sends in earnest. */
const EXTENSIONS_MAX: u32 = 8;

/**
 * Headers that only the target reads and that do not fit: a router passes the packet on all the same (recording
 * unread_headers). Nobody balances it, as its protocol is that of the header.
 */
function passUnread(packet: Packet, header: u32): bool {
  packet.protocol = <u8>header;
  packet.l4 = packet.end;
  return true;
}

/** True for headers that IPVS looks behind; hop-by-hop options wherever they stand, and those that authenticate. */
export function isExtension(next: u32): bool {
  return next == <u32>Protocol.HopByHop || next == <u32>Protocol.Routing || next == <u32>Protocol.DestinationOptions ||
    next == <u32>Protocol.Authentication;
}

/** Bytes of an extension header; one that authenticates counts in words, all others in eights (RFC 4302 section 2.2). */
export function extensionBytes(next: u32, at: usize): u32 {
  let count = <u32>load<u8>(at, 1);
  return next == <u32>Protocol.Authentication ? (count + 2) << 2 : (count + 1) << 3;
}

/** Walks the extension headers to the upper protocol (RFC 8200 section 4). False when they do not fit. */
export function findUpper6(packet: Packet): bool {
  return walk6(packet, packet.l3 + 6, packet.l3 + 40, load<u8>(packet.l3, 6));
}

/** Walks on from the header at `from`, of kind `next`, which the byte at `named` names. */
function walk6(packet: Packet, named: u32, from: u32, next: u32): bool {
  let at = <usize>from;
  let end = <usize>packet.end;
  packet.previousNext = named;
  for (let count: u32 = 0; count <= EXTENSIONS_MAX; count++) {
    if (next == <u32>Protocol.Fragment) {
      if (at + 8 > end) {
        // A router does not read it, and nobody balances it.
        packet.protocol = <u8>Protocol.Fragment;
        packet.l4 = <u32>at;
        return true;
      }
      let word = get16(at + 2);
      packet.fragmentHeader = <u32>at;
      packet.fragmentOffset = word & 0xfff8;
      packet.moreFragments = word & 1;
      packet.fragmentId = load<u32>(at, 4);
      packet.set(PacketFlag.Fragment);
      next = load<u8>(at);
      packet.protocol = <u8>next;
      packet.l4 = <u32>at + 8;
      return true;
    }
    if (!isExtension(next)) {
      packet.protocol = <u8>next;
      packet.l4 = <u32>at;
      return true;
    }
    packet.set(PacketFlag.Options);
    let behind = at + (at + 8 > end ? 8 : extensionBytes(next, at));
    if (behind > end) {
      // Hop-by-hop options that come first, as they should, are read by every router. Where the header that authenticates
      // ends IPVS does not ask: what is behind it has no bytes then (recording options6).
      if (at + 8 > end || next != <u32>Protocol.Authentication) return (next != <u32>Protocol.HopByHop || count != 0) && passUnread(packet, next);
      behind = end;
    }
    packet.previousNext = <u32>at;
    next = load<u8>(at);
    at = behind;
  }
  return false;
}

/** Reads the IPv6 packet that an error quotes at `at` into the error's stand-in; false when its upper header is not there. */
export function readQuoted6(quoted: Packet, at: usize): bool {
  if (at + IPV6_BYTES > <usize>quoted.end) return false;
  quoted.l3 = <u32>at;
  quoted.flags = quoted.fragmentOffset = 0;
  return findUpper6(quoted) && quoted.fragmentOffset == 0;
}

/** What TCP, UDP and SCTP begin with: both ports. */
export const PORTS_BYTES: u32 = 4;
/** The first type of ICMPv6 that is no error (RFC 4443 section 2.1). */
const ICMPV6_QUESTIONS: u32 = 128;

/** Bytes of the transport header that must be there before anything beyond its ports may be read. */
export function minimumBytes(protocol: u32): u32 {
  if (protocol == <u32>Protocol.Tcp) return 20;
  if (protocol == <u32>Protocol.Udp) return 8;
  return 12; // SCTP's common header
}

/** True for the protocols whose packets belong to connections. */
export function isBalanced(protocol: u32): bool {
  return protocol == <u32>Protocol.Tcp || protocol == <u32>Protocol.Udp || protocol == <u32>Protocol.Sctp;
}

/** True for the types of ICMPv6's errors. */
export function isError6(type: u32): bool {
  return type < ICMPV6_QUESTIONS;
}

/** True when a packet of a balanced protocol ends within its transport header: it cannot be rewritten, nor its state seen. */
export function isShort(packet: Packet): bool {
  return packet.l4 + minimumBytes(packet.protocol) > packet.end;
}

/** Reads the ports of a balanced protocol; false when the packet is too short for them. */
export function readPorts(packet: Packet): bool {
  if (packet.l4 + PORTS_BYTES > packet.end) return false;
  packet.sourcePort = load<u16>(packet.l4);
  packet.targetPort = load<u16>(packet.l4, 2);
  return true;
}
