// From bytes to a Packet. Two steps: `scan` does what nearly every frame needs, in few instructions;
// `parseRest` looks closely at what `scan` did not take.

import {
  ENTRY_BYTES, ENTRY_FLAGS, ENTRY_FRAME, ENTRY_PORT, LIST_ENTRY_BYTES, PORT_BYTES, PORT_FLAGS,
  PORT_MAC, PORTS_BASE,
} from "../abi/layout";
import { DropReason, FrameFlag, PortFlag, Protocol } from "../abi/enums";
import { bucketOf, hashClient } from "../connection/table";
import { foldAddress } from "../base/hash";
import { findLocal, isLocal4 } from "../link/local";
import { receiveList } from "../memory";
import { fold64, sum } from "../wire/checksum";
import { get16 } from "../wire/field";
import { Packet, PacketFlag } from "./packet";

export const ETHERNET_BYTES: u32 = 14;
const TYPE_IPV4: u32 = 0x0008; // network order
const TYPE_ARP: u32 = 0x0608;
const TYPE_IPV6: u32 = 0xdd86;

const VIRTIO_NEEDS_CHECKSUM: u32 = 1;
/** The IPv4 or IPv6 header lies here in a frame. */
const IP: usize = 14;
const NOT_FRAGMENT: u32 = 0xffbf; // all of flags and offset but "don't fragment", network order

/** What a frame is, after the first look. */
export enum Kind {
  /** Dropped and counted under the reason that `parseRest` answered. */
  Bad = 0,
  /** TCP or UDP with everything known: the packet may go on to the table. */
  Ordinary = 1,
  /** IPv4 or IPv6 of another kind. */
  Ip = 2,
  Arp = 3,
}

/** Fills the packets of a group from the receive list, beginning with entry `first`. */
export function scanGroup(first: u32, count: u32): void {
  let entry = receiveList + <usize>first * LIST_ENTRY_BYTES;
  for (let i: u32 = 0; i < count; i++) {
    scanEntry(Packet.at(i), entry, first + i);
    entry += LIST_ENTRY_BYTES;
  }
}

/** Fills a packet from one entry of the receive list; Ordinary when it is plain TCP or UDP over IPv4. */
export function scan(packet: Packet, index: u32): void {
  scanEntry(packet, receiveList + <usize>index * LIST_ENTRY_BYTES, index);
}

@inline
function scanEntry(packet: Packet, entry: usize, index: u32): void {
  let frame = load<u32>(entry, ENTRY_FRAME);
  let bytes = load<u32>(entry, ENTRY_BYTES);
  let portAndFlags = load<u32>(entry, ENTRY_PORT);
  packet.frame = frame;
  packet.bytes = bytes;
  packet.cause = index;
  let flags: u32 = portAndFlags & (<u32>FrameFlag.Vnet << 16) ? readVirtio(packet) : 0;
  if (!scan4(packet, frame, bytes, portAndFlags & 0xffff, flags)) scanOther(packet, portAndFlags & 0xffff, flags);
}
if (ENTRY_FLAGS != ENTRY_PORT + 2) ERROR("port and flags of an entry are no longer one word");

/** What is not ordinary: the connection it may have is foreseen, all else is left to `parseRest`. */
function scanOther(packet: Packet, port: u32, flags: u32): void {
  packet.port = <u16>port;
  packet.flags = flags;
  packet.family = 0;
  packet.bucket = <u32>bucketOf(0);
  foresee6(packet, packet.frame, packet.bytes);
}

/**
 * Fills what an ordinary packet's road needs; false when the frame is not ordinary.
 *
 * Nearly every frame comes through here, so each instruction counts: fields are read as whole words, from the
 * frame's beginning, because an offset within a load costs nothing; conditions are asked one by one, as asc makes
 * arithmetic of `||`; and what only the long road reads is left to Packet.complete().
 */
@inline
function scan4(packet: Packet, frame: usize, bytes: u32, port: u32, flags: u32): bool {
  // Ethernet type, version, header length, type of service in one word: IPv4 without options.
  if (bytes < 14 + 20 + 8) return false;
  if ((load<u32>(frame, 12) & 0x00ffffff) != 0x00450008) return false;
  // Two bytes turned by hand: Wasm has no instruction that turns a word.
  let totalBytes = (<u32>load<u8>(frame, IP + 2) << 8) | <u32>load<u8>(frame, IP + 3);
  if (totalBytes > bytes - ETHERNET_BYTES) return false;
  // Flags and fragment, time to live (not looked at), protocol.
  let middle = load<u32>(frame, IP + 6);
  if ((middle & NOT_FRAGMENT) != 0) return false;
  let protocol = middle >> 24;
  if (protocol == <u32>Protocol.Tcp) {
    if (totalBytes < 40) return false;
  } else {
    if (protocol != <u32>Protocol.Udp) return false;
    if (totalBytes < 28) return false;
  }
  let portRecord = <usize>port * PORT_BYTES;
  if ((load<u64>(frame) ^ load<u64>(portRecord, PORTS_BASE + PORT_MAC)) << 16 != 0) return false;
  if ((load<u32>(portRecord, PORTS_BASE + PORT_FLAGS) & <u32>PortFlag.Up) == 0) return false;
  let source = load<u32>(frame, IP + 12);
  let target = load<u32>(frame, IP + 16);
  if (!isMultipleOfFfff(<u64>load<u32>(frame, IP) + <u64>load<u32>(frame, IP + 4) + <u64>load<u32>(frame, IP + 8) +
    <u64>source + <u64>target)) return false;
  let first = source & 0xff;
  if (first - 1 >= 223) return false;
  if (first == 127) return false;

  packet.end = <u32>frame + ETHERNET_BYTES + totalBytes;
  store<u32>(changetype<usize>(packet), protocol | (4 << 8) | (port << 16), offsetof<Packet>("protocol"));
  let client = target;
  let clientPort = <u32>load<u16>(frame, IP + 22);
  flags |= <u32>PacketFlag.Ordinary;
  if (isLocal4(target)) {
    flags |= <u32>PacketFlag.ToLocal;
    client = source;
    clientPort = load<u16>(frame, IP + 20);
  }
  packet.flags = flags;
  let hash = hashClient(client, clientPort, protocol);
  packet.hash = hash;
  packet.bucket = <u32>bucketOf(hash);
  return true;
}
if (offsetof<Packet>("family") != offsetof<Packet>("protocol") + 1) ERROR("family moved");
if (offsetof<Packet>("port") != offsetof<Packet>("protocol") + 2) ERROR("port moved");

/**
 * True when a sum, never 0 here, folds to 0xffff: then it is a multiple of 0xffff.
 *
 * 0xfffefffefffeffff is the inverse of 0xffff modulo 2^64. A multiple's product is the quotient, which is no
 * greater than (2^64 - 1) / 0xffff; all other products are greater, because multiplying is one to one.
 */
function isMultipleOfFfff(sum: u64): bool {
  return sum * 0xfffefffefffeffff <= 0x0001000100010001;
}

/** Where an IPv6 packet's connection will probably be looked for, so that the stages touch it before. */
function foresee6(packet: Packet, frame: usize, bytes: u32): void {
  if (bytes < 14 + 40 + 4 || <u32>load<u16>(frame, 12) != TYPE_IPV6) return;
  let protocol = <u32>load<u8>(frame, IP + 6);
  if (protocol != <u32>Protocol.Tcp && protocol != <u32>Protocol.Udp) return;
  let inbound = findLocal(frame + IP + 24) != 0;
  let client = frame + IP + (inbound ? 8 : 24);
  packet.hash = hashClient(foldAddress(client), load<u16>(frame + (inbound ? 0 : 2), IP + 40), protocol);
  packet.bucket = <u32>bucketOf(packet.hash);
  packet.set(PacketFlag.Wide);
}

/** The flags by the virtio header, which lies in the ten bytes before the frame (virtio 1.2 section 5.1.6). */
function readVirtio(packet: Packet): u32 {
  let header = <usize>packet.frame - 10;
  let flags: u32 = <u32>PacketFlag.Vnet;
  if (<u32>load<u8>(header) & VIRTIO_NEEDS_CHECKSUM) flags |= <u32>PacketFlag.Partial;
  let segmentType = load<u8>(header, 1);
  packet.segmentType = segmentType;
  packet.segmentBytes = load<u16>(header, 4);
  if (segmentType != 0) flags |= <u32>PacketFlag.Segments;
  return flags;
}

/** True when the frame was sent to its port's own hardware address. */
function ofPort(packet: Packet): bool {
  let port = <usize>PORTS_BASE + <usize>packet.port * PORT_BYTES;
  return (load<u64>(packet.frame) & 0x0000ffffffffffff) == load<u64>(port, PORT_MAC);
}

/** Source addresses nobody may have: 0/8, 127/8, multicast and above (RFC 1812 section 5.3.7). */
export function isMartian4(source: u32): bool {
  let first = source & 0xff;
  return first - 1 >= 223 || first == 127;
}

/** Looks closely at a frame that `scan` did not take. Answers its Kind; the reason of a Bad one is in `spare0`. */
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
  packet.spare0 = <u32>reason;
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
  // Group frames are for routers' and hosts' own protocols; a balancer has none over IPv4.
  if (group || target == 0xffffffff || (target & 0xf0) == 0xe0) return bad(packet, DropReason.Broadcast);
  if ((target & 0xff) == 127 || (target & 0xff) == 0) return bad(packet, DropReason.Martian);
  let fragment = get16(l3 + 6);
  if (fragment & 0x3fff) {
    packet.set(PacketFlag.Fragment);
    packet.fragmentOffset = (fragment & 0x1fff) << 3;
    packet.moreFragments = (fragment >> 13) & 1;
    packet.fragmentId = load<u16>(l3, 4);
  }
  packet.fillAddresses();
  return Kind.Ip;
}

function parse6(packet: Packet, rest: u32, group: bool): Kind {
  let l3 = <usize>packet.l3;
  if (rest < 40) return bad(packet, DropReason.Truncated);
  if (load<u8>(l3) >> 4 != 6) return bad(packet, DropReason.BadHeader);
  let payloadBytes = get16(l3 + 4);
  if (payloadBytes > rest - 40) return bad(packet, DropReason.Truncated);
  packet.family = 6;
  packet.end = packet.l3 + 40 + payloadBytes;
  if (load<u8>(l3, 8) == 0xff) return bad(packet, DropReason.Martian);
  if (!findUpper6(packet)) return bad(packet, DropReason.BadHeader);
  packet.fillAddresses();
  let multicast = load<u8>(l3, 24) == 0xff;
  // Neighbour discovery speaks by multicast; nothing else of a group is for a balancer.
  if ((multicast || group) && packet.protocol != <u8>Protocol.Icmpv6) return bad(packet, DropReason.Broadcast);
  return Kind.Ip;
}

/** More extension headers than anyone sends in earnest. */
const EXTENSIONS_MAX: u32 = 8;

/** Walks the extension headers to the upper protocol (RFC 8200 section 4). False when they do not fit. */
export function findUpper6(packet: Packet): bool {
  let at = <usize>packet.l3 + 40;
  let end = <usize>packet.end;
  let next = <u32>load<u8>(packet.l3, 6);
  packet.previousNext = packet.l3 + 6;
  for (let count: u32 = 0; count <= EXTENSIONS_MAX; count++) {
    if (next == <u32>Protocol.Fragment) {
      if (at + 8 > end) return false;
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
    if (next != <u32>Protocol.HopByHop && next != <u32>Protocol.Routing && next != <u32>Protocol.DestinationOptions) {
      packet.protocol = <u8>next;
      packet.l4 = <u32>at;
      return true;
    }
    if (at + 8 > end) return false;
    packet.set(PacketFlag.Options);
    packet.previousNext = <u32>at;
    next = load<u8>(at);
    at += (<usize>load<u8>(at, 1) + 1) << 3;
    if (at > end) return false;
  }
  return false;
}

/** Bytes of the transport header that must be there before its ports may be read. */
function minimumBytes(protocol: u32): u32 {
  if (protocol == <u32>Protocol.Tcp) return 20;
  if (protocol == <u32>Protocol.Udp) return 8;
  return 12; // SCTP's common header
}

/** True for the protocols whose packets belong to connections. */
export function isBalanced(protocol: u32): bool {
  return protocol == <u32>Protocol.Tcp || protocol == <u32>Protocol.Udp || protocol == <u32>Protocol.Sctp;
}

/** Reads the ports of a balanced protocol; false when the packet is too short for them. */
export function readPorts(packet: Packet): bool {
  if (packet.l4 + minimumBytes(packet.protocol) > packet.end) return false;
  packet.sourcePort = load<u16>(packet.l4);
  packet.targetPort = load<u16>(packet.l4, 2);
  return true;
}
