// What an IPv6 host says about a piece that can be no part of a datagram (RFC 8200 section 4.5), as the kernel:
// recording odd_pieces6.

import { DropReason, Protocol } from "../abi/enums";
import { holdsHeader, reachesTooFar } from "../packet/fragment";
import { isFragment, Packet, PacketFlag } from "../packet/packet";
import { isServing } from "../service/service";
import { drop } from "../stats";
import { get16 } from "../wire/field";
import { sendIcmpv6Error } from "./icmpv6";

const PARAMETER_PROBLEM: u32 = 4;
/** The first piece lacks a part of the headers (RFC 7112). */
const INCOMPLETE_HEADERS: u32 = 3;
/** Where an IPv6 header has the payload's length, and a fragment header the offset. */
const PAYLOAD_LENGTH: u32 = 4;
const OFFSET: u32 = 2;

/** Tells of a piece for us. While there is a service, IPVS drops those whose headers are not all there. */
export function refuseOddPiece(packet: Packet): void {
  if (packet.has(PacketFlag.Unjoined)) {
    sendIcmpv6Error(packet, PARAMETER_PROBLEM, 0, packet.fragmentHeader - packet.l3);
  } else if (!isFragment(packet)) {
    // Not even the fragment header is there.
    if ((!isServing(6) || load<u16>(packet.l3, PAYLOAD_LENGTH) == 0) && !mayBeError(packet)) {
      sendIcmpv6Error(packet, PARAMETER_PROBLEM, 0, packet.l4 - packet.l3);
    }
  } else if (packet.fragmentOffset == 0 && !holdsHeader(packet)) {
    // What came whole, though with a fragment header (RFC 6946), is only short.
    if (!isServing(6) && packet.moreFragments != 0) sendIcmpv6Error(packet, PARAMETER_PROBLEM, INCOMPLETE_HEADERS, 0);
  } else {
    sendIcmpv6Error(packet, PARAMETER_PROBLEM, 0, reachesTooFar(packet) ? packet.fragmentHeader + OFFSET - packet.l3 : PAYLOAD_LENGTH);
  }
  drop(DropReason.FragmentBad);
}

/** True when what is there of a fragment header names ICMPv6, and a first piece: it may be an error's. */
function mayBeError(packet: Packet): bool {
  return packet.l4 + OFFSET + 2 <= packet.end && load<u8>(packet.l4) == <u8>Protocol.Icmpv6 && (get16(packet.l4 + OFFSET) & 0xfff8) == 0;
}
