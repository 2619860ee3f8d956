// A datagram that nobody here listens for: its sender is told, when it is all there (RFC 1122 section 4.1.3.1).

import { DropReason, Protocol } from "../abi/enums";
import { Packet, PacketFlag } from "../packet/packet";
import { isShort } from "../packet/parse";
import { drop } from "../stats";
import { amend, fold64, pseudo4, sum } from "../wire/checksum";
import { get16 } from "../wire/field";
import { sendIcmpError } from "./icmp";
import { sendIcmpv6Error } from "./icmpv6";
import { isIntact } from "./reset";

const UDP_BYTES: u32 = 8;
const UDP_LENGTH: usize = 4;
const UDP_CHECKSUM: usize = 6;

/** Answers port unreachable. `rewritten` is what NAT would have done to the checksum on the way to the director as a server. */
export function answerDatagram(packet: Packet, rewritten: u32): void {
  let bytes = isShort(packet) ? 0 : bytesOf(packet);
  if (bytes == 0) return drop(DropReason.Truncated);
  if (!isDatagramIntact(packet, bytes)) return drop(DropReason.TransportChecksum);
  if (rewritten != 0) rewriteSum(packet, rewritten);
  // What lies behind is no part of it, and its sender is not told of that.
  packet.end = packet.l4 + bytes;
  if (packet.family == 4) sendIcmpError(packet, 3, 3, 0);
  else sendIcmpv6Error(packet, 1, 4, 0);
  drop(DropReason.LocalConsumed);
}

/**
 * Bytes of a datagram as it says, of IPv6 all there are where it says none (RFC 2675 section 4); 0 when it says more than there are, or
 * less than its header has (as the kernel: recording odd_datagrams).
 */
function bytesOf(packet: Packet): u32 {
  let bytes = packet.end - packet.l4;
  let said = get16(<usize>packet.l4 + UDP_LENGTH);
  if (said == 0 && packet.family == 6) return bytes;
  return said < UDP_BYTES || said > bytes ? 0 : said;
}

/** A datagram of IPv4 may have no checksum (RFC 768), one of IPv6 may not (RFC 8200 section 8.1). One that NAT gave it is not looked at. */
function isDatagramIntact(packet: Packet, bytes: u32): bool {
  if (packet.has(PacketFlag.Summed)) return true;
  return load<u16>(<usize>packet.l4 + UDP_CHECKSUM) == 0 ? packet.family == 4 : isIntact(packet, bytes);
}

/** An error's quotation gets its addresses and ports back on the way to the client, not its checksum (as the kernel: recording refused_nat). */
function rewriteSum(packet: Packet, rewritten: u32): void {
  let field = <usize>packet.l4 + UDP_CHECKSUM;
  if (load<u16>(field) == 0) {
    let bytes = packet.end - packet.l4;
    let pseudo = pseudo4(load<u32>(packet.l3, 12), load<u32>(packet.l3, 16), <u32>Protocol.Udp, bytes);
    store<u16>(field, <u16>~fold64(sum(packet.l4, bytes) + pseudo));
  }
  amend(field, rewritten);
  if (load<u16>(field) == 0) store<u16>(field, 0xffff);
}
