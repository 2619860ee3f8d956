// ICMP messages the director itself sends (RFC 792, RFC 1812 section 4.3).

import { STATE_IDENTIFICATION } from "../abi/layout";
import { DropReason, Protocol } from "../abi/enums";
import { WORKERS_MAX } from "../abi/limits";
import { isLocal, sourceFor } from "../link/local";
import { hopPort, nextHop } from "../link/route";
import { hopMtu } from "../link/neighbor";
import { pathMtu } from "../link/path";
import { transmit } from "../link/transmit";
import { Packet, PacketFlag } from "../packet/packet";
import { ownFrame, portFlags } from "../packet/slot";
import { PortFlag, FrameFlag } from "../abi/enums";
import { drop } from "../stats";
import { state, worker } from "../memory";
import { amend, checksum, seal4 } from "../wire/checksum";
import { set16, set32 } from "../wire/field";
import { countError } from "./count";
import { isWithheld } from "./quoted";

/** An error message is 576 bytes at most, so that it needs no fragments anywhere (RFC 1812 section 4.3.2.3). */
const ERROR_BYTES_MAX: u32 = 576;
/** A byte of the header makes no sense; the message says which. */
const TIME_EXCEEDED: u32 = 11;
export const PARAMETER_PROBLEM: u32 = 12;
/** What the director's own packets begin with. */
export const HOPS: u32 = 64;
const IDENTIFICATION_BITS: u32 = 29;
const IDENTIFICATION_MASK: u32 = (1 << IDENTIFICATION_BITS) - 1;
if (WORKERS_MAX > 1 << (32 - IDENTIFICATION_BITS)) ERROR("a worker's number no longer fits before an identification");

/** The name of an IPv4 packet that may be cut. */
export function nextIdentification(): u32 {
  return countIdentification() & 0xffff;
}

/** The name of an IPv6 packet's pieces (RFC 8200 section 4.5). The same of two workers' would meet at one receiver. */
export function nextIdentification6(): u32 {
  return worker << IDENTIFICATION_BITS | (countIdentification() & IDENTIFICATION_MASK);
}

function countIdentification(): u32 {
  let value = load<u32>(state, STATE_IDENTIFICATION) + 1;
  store<u32>(state, value, STATE_IDENTIFICATION);
  return value;
}

/** Sends an own frame whose IP packet is complete to a neighbour. */
export function sendOwn(hop: u32, frame: u32, bytes: u32): void {
  let vnet = (portFlags(hopPort(hop)) & <u32>PortFlag.Vnet) != 0;
  store<u64>(<usize>frame - 10, 0);
  store<u16>(<usize>frame - 2, 0);
  transmit(hop, frame, bytes, vnet ? <u32>FrameFlag.Vnet : 0);
}

/**
 * Tells a packet's sender of an error. `extra` is the second word, host order (an MTU).
 * Never about errors, later fragments, or group addresses.
 */
export function sendIcmpError(packet: Packet, type: u32, code: u32, extra: u32): void {
  tellSender(packet, type, code, extra, isLocal(packet.target));
}

/** The same of a packet that has been on its way already: then it was no longer for the director. */
export function sendIcmpErrorOnWay(packet: Packet, type: u32, code: u32): void {
  tellSender(packet, type, code, 0, false);
}

function tellSender(packet: Packet, type: u32, code: u32, extra: u32, asTarget: bool): void {
  if (packet.family != 4 || isError(packet) || (packet.has(PacketFlag.Fragment) && packet.fragmentOffset != 0)) {
    return drop(DropReason.ErrorSilenced);
  }
  let hop = nextHop(4, packet.source);
  if (hop == 0) return;
  let source = asTarget ? packet.target : sourceFor(4, hopPort(hop), packet.source);
  let bytes = source == 0 ? 0 : sendIcmpErrorFrom(packet, type, code, extra, source, HOPS);
  // A problem with the header is nobody's answer (as the kernel: recording header_problem); of IPv6 it is.
  if (bytes != 0 && type != PARAMETER_PROBLEM) countError(packet, bytes, type == TIME_EXCEEDED);
}

/** The same from a given address (16 bytes), with so many hops, counted as nobody's. Answers the message's bytes, 0 when none left. */
export function sendIcmpErrorFrom(packet: Packet, type: u32, code: u32, extra: u32, source: usize, hops: u32): u32 {
  let hop = nextHop(4, packet.source);
  if (hop == 0) return 0;
  // It needs no fragments on the way that is known (as the kernel: recording path_mtu4).
  let room = min<u32>(ERROR_BYTES_MAX, pathMtu(packet.source, hopMtu(hop)));
  let embedded = min<u32>(packet.end - packet.l3, room - 28);
  if (isWithheld(4, packet.l3, packet.l3 + embedded)) {
    drop(DropReason.ErrorSilenced);
    return 0;
  }
  let frame = ownFrame();
  if (frame == 0) return 0;
  let ip = <usize>frame + 14;
  store<u16>(frame, 0x0008, 12);
  // The precedence of internetwork control, the rest as the packet's (RFC 1812 section 4.3.2.5).
  let service = 0xc0 | (<u32>load<u8>(packet.l3, 1) & 0x1e);
  header4(ip, service, 28 + embedded, <u32>Protocol.Icmp, hops, load<u32>(source, 12), load<u32>(packet.source, 12));
  let icmp = ip + 20;
  store<u32>(icmp, type | (code << 8));
  set32(icmp + 4, extra);
  memory.copy(icmp + 8, packet.l3, embedded);
  // What was cleared behind options is quoted with the checksum from before (as the kernel: recording behind_options_quoted).
  if (packet.has(PacketFlag.Options) && packet.aside != 0) amend(icmp + 8 + 10, packet.aside);
  store<u16>(icmp, <u16>checksum(icmp, 8 + embedded), 2);
  sendOwn(hop, frame, 14 + 28 + embedded);
  return 28 + embedded;
}

/** An IPv4 header of the director's own, for a packet of `bytes` bytes; addresses in network order. */
export function header4(ip: usize, service: u32, bytes: u32, protocol: u32, hops: u32, source: u32, target: u32): void {
  store<u8>(ip, 0x45);
  store<u8>(ip, <u8>service, 1);
  set16(ip + 2, bytes);
  set16(ip + 4, nextIdentification());
  store<u16>(ip, 0, 6);
  store<u8>(ip, <u8>hops, 8);
  store<u8>(ip, <u8>protocol, 9);
  store<u32>(ip, source, 12);
  store<u32>(ip, target, 16);
  seal4(ip, 20);
}

/** Whatever is no question, nor an answer to one, may be an error: echo, timestamp, information, address mask are (as the kernel: recording silenced). */
function isError(packet: Packet): bool {
  if (packet.protocol != <u8>Protocol.Icmp) return false;
  if (packet.l4 >= packet.end) return true;
  let type = <u32>load<u8>(packet.l4);
  return type != 0 && type != 8 && (type < 13 || type > 18);
}
