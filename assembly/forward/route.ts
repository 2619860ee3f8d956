// What belongs to no connection is routed as by any router: NAT servers use the director as their gateway.

import { DropReason, Protocol } from "../abi/enums";
import { isLocal } from "../link/local";
import { hopPort, isBroadcast, nextHop } from "../link/route";
import { reachesTooFar } from "../packet/fragment";
import { isFragment, Packet, PacketFlag } from "../packet/packet";
import { isBalanced, isError6 } from "../packet/parse";
import { isJoining, isServing } from "../service/service";
import { drop } from "../stats";
import { sendIcmpv6Error } from "../answer/icmpv6";
import { tellOnWay4 } from "../answer/rewritten";
import { hopMtu } from "../link/neighbor";
import { arrivingMtu, leavingMtu } from "../link/path";
import { get16, isLinkLocal6, isLoopback6, isZeroAddress } from "../wire/field";
import { emit } from "./emit";
import { mayNotFragment, refuseHops, refuseSize, takeHop, wireBytes } from "./hop";
import { isUncut4 } from "./pieces";
import { deliver } from "./toserver";

/** The source's scope ends here (RFC 4443 section 3.1). */
const BEYOND_SCOPE: u32 = 2;

export function routePacket(packet: Packet): void {
  let hop = wayOn(packet);
  if (hop == 0) return;
  takeHop(packet);
  // Pieces that may not be cut are put together, but not cut again (as the kernel: recording pieces_uncut).
  let mtu = leavingMtu(packet.family, packet.target, hopMtu(hop));
  if (isUncut4(packet)) return refuseSize(packet, mtu);
  // Of IPv6 the whole path is asked only when the packet leaves (as the kernel: recording path_mtu6).
  if (packet.family == 6 && wireBytes(packet) > mtu) return refuseSize(packet, mtu);
  emit(packet, hop, mtu);
}

/**
 * No router carries these on: what is for all hosts of a net behind it (RFC 2644), for nobody, or for a host itself (as the kernel:
 * recording nobodys_targets).
 */
function isNobodys4(address: usize): bool {
  let target = load<u32>(address, 12);
  // A net of several hosts has at least two bits for them, all of them set; what else passes asks for no route here.
  return target == 0 || (target & 0xff) == 127 || ((target >> 24 & 3) == 3 && isBroadcast(address));
}

/** True for an IPv6 source that means nothing on another link; who can be told is (as the kernel: recording link_local_sources). */
function staysOnLink(packet: Packet): bool {
  if (isZeroAddress(packet.source)) return true;
  if (!isLinkLocal6(packet.source)) return false;
  sendIcmpv6Error(packet, 1, BEYOND_SCOPE, 0);
  return true;
}

/** True when a passing packet can go on. Nobody is told when it cannot. */
export function mayGoOn(packet: Packet): bool {
  let hop = nextHop(packet.family, packet.target);
  if (hop == 0 || packet.timeToLive <= 1) return false;
  return !mayNotFragment(packet) || wireBytes(packet) <= arrivingMtu(packet.family, packet.target, hopMtu(hop));
}

/** The neighbour that a passing packet goes to, 0 when it cannot: then its sender has been told. */
export function wayOn(packet: Packet): u32 {
  if (packet.family == 6 && (isLinkLocal6(packet.target) || isLoopback6(packet.target))) {
    drop(DropReason.NoRoute);
    return 0;
  }
  if (packet.family == 4 && isNobodys4(packet.target)) {
    drop(DropReason.Broadcast);
    return 0;
  }
  let hop = nextHop(packet.family, packet.target);
  if (hop == 0) {
    if (packet.family == 4) tellOnWay4(packet, 3, 0, 0);
    else sendIcmpv6Error(packet, 1, 0, 0);
    drop(DropReason.NoRoute);
    return 0;
  }
  if (packet.timeToLive <= 1) {
    refuseHops(packet);
    return 0;
  }
  if (packet.family == 6 && hopPort(hop) != packet.port && staysOnLink(packet)) {
    drop(DropReason.NoRoute);
    return 0;
  }
  let mtu = arrivingMtu(packet.family, packet.target, hopMtu(hop));
  if (wireBytes(packet) <= mtu || !mayNotFragment(packet)) return hop;
  refuseSize(packet, mtu);
  return 0;
}

const ICMP_BYTES: u32 = 8;
/** Where an IPv6 header has the payload's length, and how much of a fragment header has the offset. */
const PAYLOAD_LENGTH: u32 = 4;
const OFFSET_BYTES: u32 = 4;

/** Drops what ends where IPVS, or who puts pieces together for it, wants to read on; false when it does not. */
export function dropCut(packet: Packet): bool {
  let isIcmp = isCutIcmp(packet);
  if (!isIcmp && !isCutPiece(packet)) return false;
  // IPVS sees what passes once it is known that it may go on (as the kernel: recording short_icmp).
  if (!isIcmp || packet.has(PacketFlag.ToLocal) || wayOn(packet) != 0) drop(DropReason.Truncated);
  return true;
}

/**
 * True for what ends within a fragment header of IPv6 that cannot be the first piece's, or is before an ICMP header (as the kernel:
 * recording cut_headers).
 */
function isCutPiece(packet: Packet): bool {
  if (packet.protocol != <u8>Protocol.Fragment) return false;
  if (packet.family != 6 || isFragment(packet) || !isJoining(6) || load<u16>(packet.l3, PAYLOAD_LENGTH) == 0) return false;
  return packet.l4 + OFFSET_BYTES > packet.end || (get16(packet.l4 + 2) & 0xfff8) != 0 || load<u8>(packet.l4) == <u8>Protocol.Icmpv6;
}

/** True within an ICMP header; and for an error behind a fragment header that makes no piece of it (as the kernel: recording unsaid_length6). */
function isCutIcmp(packet: Packet): bool {
  if (packet.protocol != <u8>(packet.family == 4 ? Protocol.Icmp : Protocol.Icmpv6) || !isServing(packet.family)) return false;
  return packet.l4 + ICMP_BYTES > packet.end || (packet.has(PacketFlag.Unjoined) && isError6(load<u8>(packet.l4)));
}

/** True for a first piece of IPv6 without a whole header that only passes: IPVS looks whose it is (as the kernel: recording pieces_odd_ends). */
export function isSeenOdd(packet: Packet): bool {
  return packet.fragmentOffset == 0 && isServing(6) && !isLocal(packet.target) && isBalanced(packet.protocol);
}

/** An IPv6 piece that is none: it is the target's to say what is wrong with it (as the kernel: recording odd_pieces6). */
export function passOdd(packet: Packet): void {
  if (reachesTooFar(packet) && isJoining(6)) return drop(DropReason.FragmentBad);
  return isLocal(packet.target) ? deliver(packet) : routePacket(packet);
}
