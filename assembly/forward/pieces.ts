// Packets that leave in pieces: with the sizes they came in where those fit, else as large as the way allows.

import { DropReason } from "../abi/enums";
import { nextIdentification6, sendOwn } from "../answer/icmp";
import { isLocal } from "../link/local";
import { Packet, PacketFlag } from "../packet/packet";
import { cameAsIpv4, largestPiece, pieceBytes, pieceCount, pieceOffset, recutMtu } from "../packet/sizes";
import { OWN_PACKET_BYTES, ownFrame } from "../packet/slot";
import { isTracking4 } from "../service/service";
import { drop } from "../stats";
import { seal4 } from "../wire/checksum";
import { get16, set16 } from "../wire/field";
import { mayNotFragment, wireBytes } from "./hop";

/** Where an IPv6 header has the source. */
const SOURCE6: u32 = 8;

/**
 * True when a packet leaves in pieces: it is too large as a whole, or came so. Of IPv6 it has become whole when that is no larger
 * than a piece was, which had a header more (as the kernel: recording pieces_outgrown6).
 */
export function needsPieces(packet: Packet, mtu: u32): bool {
  if (wireBytes(packet) > mtu) return true;
  return packet.has(PacketFlag.Reassembled) && (packet.family == 4 || packet.ipBytes > largestPiece(packet));
}

/** True for pieces of IPv4 that may not be cut: they were put together after their sizes were looked at, and are not cut again. */
export function isUncut4(packet: Packet): bool {
  return packet.family == 4 && packet.has(PacketFlag.Reassembled) && mayNotFragment(packet) && !isTracking4();
}

/** Sends a packet in pieces: those it came in when they fit, else as large as the way allows. */
export function sendPieces(packet: Packet, hop: u32, mtu: u32): void {
  let headerBytes: u32 = packet.family == 4 ? (<u32>load<u8>(packet.l3) & 15) << 2 : 40;
  let dataAt = packet.l3 + headerBytes;
  let total = packet.end - dataAt;
  mtu = min(mtu, OWN_PACKET_BYTES);
  // What leaves with an address of ours (a tunnel's, a service's) has a name of ours: two senders' may be the same.
  if (packet.family == 6 && isLocal(packet.l3 + SOURCE6)) packet.fragmentId = nextIdentification6();
  if (packet.has(PacketFlag.Reassembled) && largestPiece(packet) <= mtu && dataAt == packet.l4) {
    let count: u32 = isMerged(packet) ? 0 : pieceCount(packet);
    if (count == 0) mtu = recutMtu(packet);
    // Only what is cut anew remembers that it may not be cut (as the kernel: recording pieces_uncut).
    else if (packet.family == 4) store<u16>(packet.l3, load<u16>(packet.l3, 6) & ~0x0040, 6);
    for (let piece: u32 = 0; piece < count; piece++) {
      sendPiece(packet, hop, headerBytes, pieceOffset(packet, piece), pieceBytes(packet, piece), total);
    }
    if (count != 0) return;
  } else if (packet.family == 4 && !packet.has(PacketFlag.Reassembled)) {
    // Only an error is cut though it may not be: its pieces do not say so (as the kernel: recording errors_cut).
    store<u8>(packet.l3, load<u8>(packet.l3, 6) & ~0x40, 6);
  }
  // The last one's bytes need not come to eights (as the kernel: recording pieces_odd_ends).
  let room = mtu - headerBytes - (packet.family == 6 ? 8 : 0);
  for (let offset: u32 = 0, bytes: u32 = 0; offset < total; offset += bytes) {
    bytes = total - offset > room ? room & ~7 : total - offset;
    sendPiece(packet, hop, headerBytes, offset, bytes, total);
  }
}

/** A target of its own merges the pieces of IPv4 as they come, so what IPVS sends on is cut anew, the largest piece being the measure. */
function isMerged(packet: Packet): bool {
  return packet.has(PacketFlag.ToLocal) && cameAsIpv4(packet) && !isTracking4();
}

function sendPiece(packet: Packet, hop: u32, headerBytes: u32, offset: u32, bytes: u32, total: u32): void {
  let extra: u32 = packet.family == 6 ? 8 : 0;
  if (headerBytes + extra + bytes > OWN_PACKET_BYTES) return drop(DropReason.TooBig);
  let frame = ownFrame();
  if (frame == 0) return;
  let l3 = <usize>frame + 14;
  memory.copy(frame, packet.frame, 14 + headerBytes);
  memory.copy(l3 + headerBytes + extra, packet.l3 + headerBytes + offset, bytes);
  if (packet.family == 4) writePiece4(packet, l3, headerBytes, offset, bytes, offset + bytes < total);
  else writePiece6(packet, l3, offset, bytes, offset + bytes < total);
  sendOwn(hop, frame, 14 + headerBytes + extra + bytes);
}

function writePiece4(packet: Packet, l3: usize, headerBytes: u32, offset: u32, bytes: u32, more: bool): void {
  if (offset != 0) blankOptions(l3, headerBytes);
  set16(l3 + 2, headerBytes + bytes);
  let before = get16(packet.l3 + 6);
  set16(l3 + 6, (before & 0x4000) | ((before & 0x2000) | (more ? 0x2000 : 0)) | ((before & 0x1fff) + (offset >> 3)));
  seal4(l3, headerBytes);
}

function writePiece6(packet: Packet, l3: usize, offset: u32, bytes: u32, more: bool): void {
  let fragment = l3 + 40;
  store<u8>(fragment, load<u8>(l3, 6));
  store<u8>(fragment, 0, 1);
  set16(fragment + 2, offset | (more ? 1 : 0));
  store<u32>(fragment, packet.fragmentId, 4);
  store<u8>(l3, 44, 6);
  set16(l3 + 4, 8 + bytes);
}

/** Options that are not to be copied become "no operation" in later pieces (RFC 791 section 3.1). */
function blankOptions(l3: usize, headerBytes: u32): void {
  let at = l3 + 20;
  let end = l3 + headerBytes;
  while (at < end) {
    let type = <u32>load<u8>(at);
    if (type == 0) return;
    let bytes: usize = type == 1 ? 1 : <usize>load<u8>(at, 1);
    if (bytes == 0 || (type != 1 && bytes < 2) || at + bytes > end) return;
    if (type != 1 && (type & 0x80) == 0) memory.fill(at, 1, bytes);
    at += bytes;
  }
}
