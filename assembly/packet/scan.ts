// The first look at a frame, in few instructions: nearly every frame is TCP or UDP without options, and then
// everything is known that its connection is found by. What is otherwise gets a close look later (parse.ts).
//
// Frames of one family are looked at in runs, so that what only others need costs them nothing. Each
// instruction counts here: fields are read as whole words, from the frame's beginning, because an offset within a load
// costs nothing; conditions are asked one by one, as asc makes arithmetic of `||`; what is known is written at once,
// even of a frame that turns out not to be ordinary, as else it would wait on the stack; and what only the long
// road reads is left to Packet.complete().

import {
  ENTRY_BYTES, ENTRY_FLAGS, ENTRY_FRAME, ENTRY_PORT, LIST_ENTRY_BYTES, PACKET_BYTES, PORT_BYTES, PORT_FLAGS, PORT_MAC,
  PORTS_BASE,
} from "../abi/layout";
import { FrameFlag, PortFlag, Protocol, TcpState } from "../abi/enums";
import { foldAddress } from "../base/hash";
import { bucketOf, hashClient } from "../connection/table";
import { isLocal4, isLocal6 } from "../link/local";
import { receiveList } from "../memory";
import { Packet, PacketFlag } from "./packet";

const ETHERNET_BYTES: u32 = 14;
/** The IPv4 or IPv6 header lies here in a frame. */
const IP: usize = 14;
const NOT_FRAGMENT: u32 = 0xffbf; // all of flags and offset but "don't fragment", network order
/** Of TCP's flags: reset, SYN, FIN and ACK are what events are made of. */
const EVENT_FLAGS: u32 = 0x17;
const ACK: u32 = 0x10;

/** In every row of the tables an ACK leaves an established connection as it is. */
const STEADY_TCP: u32 = <u32>Protocol.Tcp | (<u32>TcpState.Established << 8);
/** A datagram leaves its connection as it is; but one without a checksum gets one, over all of it. */
export const STEADY_UDP: u32 = <u32>Protocol.Udp;
/** No connection is of this protocol. */
const NEVER_STEADY: u32 = 0xff;

const VIRTIO_NEEDS_CHECKSUM: u32 = 1;

/** Fills the packets of a group from the receive list, beginning with entry `first`. */
export function scanGroup(first: u32, count: u32): void {
  let begin = changetype<usize>(Packet.at(0));
  scanRange(begin, begin + <usize>count * PACKET_BYTES, first);
}

/** Fills a packet from one entry of the receive list. */
export function scan(packet: Packet, index: u32): void {
  let at = changetype<usize>(packet);
  scanRange(at, at + PACKET_BYTES, index);
}

function scanRange(at: usize, end: usize, index: u32): void {
  let begin = at;
  while (at < end) {
    let from = at;
    at = scan4(at, end, index + <u32>((at - begin) / PACKET_BYTES));
    if (at < end) at = scan6(at, end, index + <u32>((at - begin) / PACKET_BYTES));
    if (at != from) continue;
    scanOther(changetype<Packet>(at), index + <u32>((at - begin) / PACKET_BYTES));
    at += PACKET_BYTES;
  }
}

/** Fills packets as long as they are ordinary ones of IPv4; answers where that ended. */
function scan4(at: usize, end: usize, index: u32): usize {
  let entry = receiveList + <usize>index * LIST_ENTRY_BYTES;
  for (; at < end; at += PACKET_BYTES, entry += LIST_ENTRY_BYTES, index++) {
    let packet = changetype<Packet>(at);
    let frame = <usize>load<u32>(entry, ENTRY_FRAME);
    let bytes = load<u32>(entry, ENTRY_BYTES);
    let port = load<u32>(entry, ENTRY_PORT);
    place(packet, frame, bytes, index);
    // Ethernet type, version, header length, type of service in one word: IPv4 without options.
    if (bytes < 14 + 20 + 8) break;
    if ((load<u32>(frame, 12) & 0x00ffffff) != 0x00450008) break;
    // Two bytes turned by hand: Wasm has no instruction that turns a word.
    let totalBytes = (<u32>load<u8>(frame, IP + 2) << 8) | <u32>load<u8>(frame, IP + 3);
    if (totalBytes > bytes - ETHERNET_BYTES) break;
    packet.end = <u32>frame + ETHERNET_BYTES + totalBytes;
    // Flags and fragment, time to live (not looked at), protocol.
    let middle = load<u32>(frame, IP + 6);
    if ((middle & NOT_FRAGMENT) != 0) break;
    let protocol = middle >> 24;
    store<u32>(at, protocol | (4 << 8) | (port << 16), offsetof<Packet>("protocol"));
    if (protocol == <u32>Protocol.Tcp) {
      if (totalBytes < 40) break;
      packet.steady = steadyTcp(load<u8>(frame, IP + 20 + 13));
    } else {
      if (protocol != <u32>Protocol.Udp) break;
      if (totalBytes < 28) break;
      packet.steady = steadyUdp(load<u16>(frame, IP + 20 + 6));
    }
    if (unwelcome(frame, port) != 0) break;
    let source = load<u32>(frame, IP + 12);
    let target = load<u32>(frame, IP + 16);
    if (!isMultipleOfFfff(<u64>load<u32>(frame, IP) + <u64>load<u32>(frame, IP + 4) + <u64>load<u32>(frame, IP + 8) +
      <u64>source + <u64>target)) break;
    // Hardly anybody's: 0/8, 127/8, multicast and above. `parseRest` looks closer.
    let first = source & 0xff;
    if (first - 1 >= 223) break;
    if (first == 127) break;

    let flags = <u32>PacketFlag.Ordinary;
    let client = target;
    let clientPort = <u32>load<u16>(frame, IP + 20 + 2);
    if (isLocal4(target)) {
      flags |= <u32>PacketFlag.ToLocal;
      client = source;
      clientPort = load<u16>(frame, IP + 20);
    }
    if (port & <u32>FrameFlag.Vnet << 16) flags |= readVirtio(packet, frame);
    packet.flags = flags;
    expect(packet, hashClient(client, clientPort, protocol));
  }
  return at;
}

/** The same for IPv6. */
function scan6(at: usize, end: usize, index: u32): usize {
  let entry = receiveList + <usize>index * LIST_ENTRY_BYTES;
  for (; at < end; at += PACKET_BYTES, entry += LIST_ENTRY_BYTES, index++) {
    let packet = changetype<Packet>(at);
    let frame = <usize>load<u32>(entry, ENTRY_FRAME);
    let bytes = load<u32>(entry, ENTRY_BYTES);
    let port = load<u32>(entry, ENTRY_PORT);
    place(packet, frame, bytes, index);
    if (bytes < 14 + 40 + 8) break;
    // Ethernet type and version.
    if ((load<u32>(frame, 12) & 0x00f0ffff) != 0x0060dd86) break;
    let payloadBytes = (<u32>load<u8>(frame, IP + 4) << 8) | <u32>load<u8>(frame, IP + 5);
    if (payloadBytes > bytes - ETHERNET_BYTES - 40) break;
    packet.end = <u32>frame + ETHERNET_BYTES + 40 + payloadBytes;
    let protocol = <u32>load<u8>(frame, IP + 6);
    store<u32>(at, protocol | (6 << 8) | (port << 16), offsetof<Packet>("protocol"));
    if (protocol == <u32>Protocol.Tcp) {
      if (payloadBytes < 20) break;
      packet.steady = steadyTcp(load<u8>(frame, IP + 40 + 13));
    } else {
      if (protocol != <u32>Protocol.Udp) break;
      if (payloadBytes < 8) break;
      packet.steady = steadyUdp(load<u16>(frame, IP + 40 + 6));
    }
    if (unwelcome(frame, port) != 0) break;
    // Nobody speaks as a group or as ::1, and no group is spoken to here.
    if (load<u64>(frame, IP + 8) == 0) break;
    if (load<u8>(frame, IP + 8) == 0xff) break;
    if (load<u8>(frame, IP + 24) == 0xff) break;

    let flags = <u32>PacketFlag.Ordinary | <u32>PacketFlag.Wide;
    let client = frame + IP + 24;
    let clientPort = <u32>load<u16>(frame, IP + 40 + 2);
    if (isLocal6(client)) {
      flags |= <u32>PacketFlag.ToLocal;
      client = frame + IP + 8;
      clientPort = load<u16>(frame, IP + 40);
    }
    if (port & <u32>FrameFlag.Vnet << 16) flags |= readVirtio(packet, frame);
    packet.flags = flags;
    expect(packet, hashClient(foldAddress(client), clientPort, protocol));
  }
  return at;
}

/** What is not ordinary: all but its place is left to `parseRest`. */
function scanOther(packet: Packet, index: u32): void {
  let entry = receiveList + <usize>index * LIST_ENTRY_BYTES;
  let port = load<u32>(entry, ENTRY_PORT);
  let frame = <usize>load<u32>(entry, ENTRY_FRAME);
  place(packet, frame, load<u32>(entry, ENTRY_BYTES), index);
  packet.flags = port & <u32>FrameFlag.Vnet << 16 ? readVirtio(packet, frame) : 0;
  store<u32>(changetype<usize>(packet), port << 16, offsetof<Packet>("protocol"));
  expect(packet, 0);
}

@inline
function place(packet: Packet, frame: usize, bytes: u32, index: u32): void {
  packet.frame = <u32>frame;
  packet.bytes = bytes;
  packet.cause = index;
}

/** Where the packet's connection will be looked for. */
@inline
function expect(packet: Packet, hash: u32): void {
  packet.hash = hash;
  packet.bucket = <u32>bucketOf(hash);
}

@inline
function steadyTcp(flags: u32): u32 {
  return (flags & EVENT_FLAGS) == ACK ? STEADY_TCP : NEVER_STEADY;
}

@inline
function steadyUdp(checksum: u32): u32 {
  return checksum != 0 ? STEADY_UDP : NEVER_STEADY;
}

/**
 * What differs between the hardware address a frame was sent to and that of its port (in the low half of `port`),
 * or between the port's flags and "up": 0 when the frame is welcome.
 */
@inline
function unwelcome(frame: usize, port: u32): u64 {
  let record = <usize>(port & 0xffff) * PORT_BYTES;
  return ((load<u64>(frame) ^ load<u64>(record, PORTS_BASE + PORT_MAC)) << 16) |
    <u64>((load<u32>(record, PORTS_BASE + PORT_FLAGS) & <u32>PortFlag.Up) ^ <u32>PortFlag.Up);
}
if (ENTRY_FLAGS != ENTRY_PORT + 2) ERROR("port and flags of an entry are no longer one word");

/**
 * True when a sum, never 0 here, folds to 0xffff: then it is a multiple of 0xffff.
 *
 * 0xfffefffefffeffff is the inverse of 0xffff modulo 2^64. A multiple's product is the quotient, which is no
 * greater than (2^64 - 1) / 0xffff; all other products are greater, because multiplying is one to one.
 */
@inline
function isMultipleOfFfff(sum: u64): bool {
  return sum * 0xfffefffefffeffff <= 0x0001000100010001;
}

/** The flags by the virtio header, which lies in the ten bytes before the frame (virtio 1.2 section 5.1.6). */
function readVirtio(packet: Packet, frame: usize): u32 {
  let header = frame - 10;
  let flags: u32 = <u32>PacketFlag.Vnet;
  if (<u32>load<u8>(header) & VIRTIO_NEEDS_CHECKSUM) flags |= <u32>PacketFlag.Partial;
  let segmentType = load<u8>(header, 1);
  packet.segmentType = segmentType;
  packet.segmentBytes = load<u16>(header, 4);
  if (segmentType != 0) flags |= <u32>PacketFlag.Segments;
  return flags;
}
