// ICMPv6 messages the director itself sends (RFC 4443).

import { DropReason, Protocol } from "../abi/enums";
import { isLocal, sourceFor } from "../link/local";
import { hopBack, hopPort } from "../link/route";
import { isLaterPiece, Packet } from "../packet/packet";
import { isError6 } from "../packet/parse";
import { ownFrame } from "../packet/slot";
import { drop } from "../stats";
import { fold64, pseudo6, sum } from "../wire/checksum";
import { copyAddress, isZeroAddress, set16, set32 } from "../wire/field";
import { countError } from "./count";
import { HOPS, sendOwn } from "./icmp";
import { isWithheld } from "./quoted";

/** An error message fits the smallest MTU of IPv6 (RFC 4443 section 2.4 c). */
const ERROR_BYTES_MAX: u32 = 1280;
const TIME_EXCEEDED: u32 = 3;

export function sendIcmpv6Error(packet: Packet, type: u32, code: u32, extra: u32): void {
  if (packet.family != 6 || isError(packet)) {
    return drop(DropReason.ErrorSilenced);
  }
  let hop = hopBack(6, packet.port, packet.source);
  if (hop == 0) return;
  let source = isLocal(packet.target) ? packet.target : sourceFor(6, hopPort(hop), packet.source);
  let bytes = source == 0 ? 0 : sendIcmpv6ErrorFrom(packet, type, code, extra, source, HOPS);
  if (bytes != 0) countError(packet, bytes, type == TIME_EXCEEDED);
}

/** The same from a given address, with so many hops, counted as nobody's. Answers the message's bytes, 0 when none left. */
export function sendIcmpv6ErrorFrom(packet: Packet, type: u32, code: u32, extra: u32, source: usize, hops: u32): u32 {
  let embedded = min<u32>(packet.end - packet.l3, ERROR_BYTES_MAX - 48);
  // Who is nobody cannot be told (RFC 4443 section 2.4 e).
  if (isZeroAddress(packet.source) || isWithheld(6, packet.l3, packet.l3 + embedded)) {
    drop(DropReason.ErrorSilenced);
    return 0;
  }
  let hop = hopBack(6, packet.port, packet.source);
  let frame = hop == 0 ? 0 : ownFrame();
  if (frame == 0) return 0;
  let ip = <usize>frame + 14;
  header6(frame, 8 + embedded, <u32>Protocol.Icmpv6, hops, source, packet.source);
  let icmp = ip + 40;
  store<u32>(icmp, type | (code << 8));
  set32(icmp + 4, extra);
  memory.copy(icmp + 8, packet.l3, embedded);
  finish(ip, 8 + embedded);
  sendOwn(hop, frame, 14 + 48 + embedded);
  return 48 + embedded;
}

/** Ethernet type and IPv6 header of the director's own, before `bytes` bytes. */
export function header6(frame: usize, bytes: u32, protocol: u32, hops: u32, source: usize, target: usize): void {
  store<u16>(frame, 0xdd86, 12);
  let ip = frame + 14;
  store<u32>(ip, 0x60);
  set16(ip + 4, bytes);
  store<u8>(ip, <u8>protocol, 6);
  store<u8>(ip, <u8>hops, 7);
  copyAddress(ip + 8, source);
  copyAddress(ip + 24, target);
}

function finish(ip: usize, bytes: u32): void {
  let icmp = ip + 40;
  store<u16>(icmp, <u16>~fold64(sum(icmp, bytes) + pseudo6(ip + 8, ip + 24, <u32>Protocol.Icmpv6, bytes)), 2);
}

/**
 * A later piece does not say that it is one: its sender is told of it, as of any other (as the kernel: recording later_pieces6). One byte
 * says it (recording unsaid_length6).
 */
function isError(packet: Packet): bool {
  if (packet.protocol != <u8>Protocol.Icmpv6 || isLaterPiece(packet)) return false;
  return packet.l4 >= packet.end || isError6(load<u8>(packet.l4));
}
