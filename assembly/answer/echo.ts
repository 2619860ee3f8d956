// Echo requests to the director are answered where they lie: the request's data with a new header before it
// (RFC 792, RFC 4443 section 4.2). Options and extension headers do not come back. What is longer than the
// way's MTU goes out in pieces.

import { DropReason, Protocol } from "../abi/enums";
import { emit } from "../forward/emit";
import { hopMtu } from "../link/neighbor";
import { pathMtu } from "../link/path";
import { hopBack } from "../link/route";
import { Packet, PacketFlag } from "../packet/packet";
import { drop } from "../stats";
import { amend, checksum, fold64, pseudo6, sum } from "../wire/checksum";
import { header4, HOPS } from "./icmp";
import { header6 } from "./icmpv6";

/** Request 8 becomes reply 0, request 128 reply 129: what that does to a checksum, in the wire's order. */
const TYPE4_DELTA: u32 = 0xfff7;
const TYPE6_DELTA: u32 = 0x0001;

export function answerEcho(packet: Packet): void {
  if (!isIcmpIntact(packet)) return drop(DropReason.IcmpBad);
  let bytes = packet.end - packet.l4;
  let hop = hopBack(packet.family, packet.port, packet.source);
  if (hop == 0) return drop(DropReason.NoRoute);
  if (packet.family == 4) writeReply4(packet, bytes);
  else writeReply6(packet, bytes);
  packet.flags &= ~(<u32>PacketFlag.Reassembled | <u32>PacketFlag.Options);
  emit(packet, hop, pathMtu(packet.source, hopMtu(hop)));
}

/** True when the checksum of an ICMP or ICMPv6 message is right. */
export function isIcmpIntact(packet: Packet): bool {
  let bytes = packet.end - packet.l4;
  let pseudo = packet.family == 4 ? 0 : pseudo6(<usize>packet.l3 + 8, <usize>packet.l3 + 24, <u32>Protocol.Icmpv6, bytes);
  return fold64(sum(packet.l4, bytes) + pseudo) == 0xffff;
}

function writeReply4(packet: Packet, bytes: u32): void {
  let service = <u32>load<u8>(packet.l3, 1);
  packet.l3 = packet.l4 - 20;
  packet.frame = packet.l3 - 14;
  store<u16>(packet.frame, 0x0008, 12);
  header4(packet.l3, service, 20 + bytes, <u32>Protocol.Icmp, HOPS, load<u32>(packet.target, 12), load<u32>(packet.source, 12));
  writeType(packet, 0, TYPE4_DELTA);
}

function writeReply6(packet: Packet, bytes: u32): void {
  packet.l3 = packet.l4 - 40;
  packet.frame = packet.l3 - 14;
  header6(packet.frame, bytes, <u32>Protocol.Icmpv6, HOPS, packet.target, packet.source);
  writeType(packet, 129, TYPE6_DELTA);
}

/** The other type, and its difference in the checksum. */
function writeType(packet: Packet, type: u32, difference: u32): void {
  store<u8>(packet.l4, <u8>type);
  amend(packet.l4 + 2, difference);
  // Of a reply that is all zeros the sum is the other zero (as the kernel: recording cut_headers).
  if (load<u16>(packet.l4, 2) == 0) store<u16>(packet.l4, <u16>checksum(packet.l4, packet.end - packet.l4), 2);
}
