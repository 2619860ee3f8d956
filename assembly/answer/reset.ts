// A segment for no socket is answered with RST, as any host does (RFC 9293 section 3.10.7.1).

import { DropReason, Protocol } from "../abi/enums";
import { hopBack } from "../link/route";
import { Packet, PacketFlag } from "../packet/packet";
import { ownFrame } from "../packet/slot";
import { drop } from "../stats";
import { fold64, pseudo4, pseudo6, seal4, sum } from "../wire/checksum";
import { get32, set32 } from "../wire/field";
import { header4, HOPS, sendOwn } from "./icmp";
import { header6 } from "./icmpv6";

const FIN: u32 = 1;
const SYN: u32 = 2;
const RST: u32 = 4;
const ACK: u32 = 16;

/** The pseudo-header's sum of a packet as it lies there. */
export function pseudoOf(packet: Packet, bytes: u32): u64 {
  return packet.family == 4
    ? pseudo4(load<u32>(packet.l3, 12), load<u32>(packet.l3, 16), packet.protocol, bytes)
    : pseudo6(<usize>packet.l3 + 8, <usize>packet.l3 + 24, packet.protocol, bytes);
}

/** True when the checksum of a transport of so many bytes is right, or the device vouches for it. */
export function isIntact(packet: Packet, bytes: u32): bool {
  return packet.has(PacketFlag.Partial) || fold64(sum(packet.l4, bytes) + pseudoOf(packet, bytes)) == 0xffff;
}

/** Of a whole RST, which has no options. */
export function resetBytes(family: u32): u32 {
  return family == 4 ? 40 : 60;
}

/** True when a RST went out: not for a RST, nor for what is broken. */
export function sendReset(packet: Packet): bool {
  let tcp = <usize>packet.l4;
  let dataAt = packet.l4 + ((<u32>load<u8>(tcp, 12) >> 4) << 2);
  if (dataAt > packet.end || dataAt < packet.l4 + 20) return refused(DropReason.Truncated);
  if (!isIntact(packet, packet.end - packet.l4)) return refused(DropReason.TransportChecksum);
  let flags = <u32>load<u8>(tcp, 13);
  if (flags & RST) return refused(DropReason.LocalConsumed);
  let hop = hopBack(packet.family, packet.port, packet.source);
  let frame = hop == 0 ? 0 : ownFrame();
  if (frame == 0) return false;
  let ip = <usize>frame + 14;
  let bytes = resetBytes(packet.family);
  let ipBytes = bytes - 20;
  if (packet.family == 4) {
    store<u16>(frame, 0x0008, 12);
    // The segment's service, but for the congestion bits.
    header4(ip, load<u8>(packet.l3, 1) & 0xfc, bytes, <u32>Protocol.Tcp, HOPS, load<u32>(packet.target, 12), load<u32>(packet.source, 12));
    store<u32>(ip, 0x00400000, 4); // identification 0, don't fragment
    seal4(ip, 20);
  } else {
    header6(frame, 20, <u32>Protocol.Tcp, HOPS, packet.target, packet.source);
    // Version and traffic class as they came, but for the congestion bits: bytes 0x6t 0xt0.
    store<u16>(ip, load<u16>(packet.l3) & 0xc0ff);
  }
  let reset = ip + ipBytes;
  // As the segment has them: where no service is, nobody has read its ports (as the kernel: recording reset_unread).
  store<u16>(reset, load<u16>(tcp, 2));
  store<u16>(reset, load<u16>(tcp), 2);
  store<u64>(reset, 0, 4);
  store<u64>(reset, 0, 12);
  store<u8>(reset, 0x50, 12);
  if (flags & ACK) {
    set32(reset + 4, get32(tcp + 8));
    store<u8>(reset, <u8>RST, 13);
  } else {
    let length = packet.end - dataAt + (flags & SYN ? 1 : 0) + (flags & FIN ? 1 : 0);
    set32(reset + 8, get32(tcp + 4) + length);
    store<u8>(reset, <u8>(RST | ACK), 13);
  }
  let pseudo = packet.family == 4
    ? pseudo4(load<u32>(ip, 12), load<u32>(ip, 16), <u32>Protocol.Tcp, 20)
    : pseudo6(ip + 8, ip + 24, <u32>Protocol.Tcp, 20);
  let checksum = <u16>~fold64(sum(reset, 20) + pseudo);
  // Of the two zeros an IPv6 stack writes the other one (as the kernel: recording reset_zero6).
  store<u16>(reset, checksum == 0 && packet.family == 6 ? 0xffff : checksum, 16);
  sendOwn(hop, frame, 14 + bytes);
  return true;
}

function refused(reason: DropReason): bool {
  drop(reason);
  return false;
}
