// Super-frames whose port cannot cut them are cut here: each segment gets its own headers.

import { DropReason, Protocol } from "../abi/enums";
import { Connection } from "../connection/connection";
import { Packet, PacketFlag } from "../packet/packet";
import { OWN_FRAME_BYTES, OWN_PACKET_BYTES, ownFrame } from "../packet/slot";
import { packets } from "../memory";
import { GROUP_MAX } from "../abi/limits";
import { PACKET_BYTES } from "../abi/layout";
import { drop } from "../stats";
import { fold64, seal4, sum } from "../wire/checksum";
import { get16, get32, set16, set32 } from "../wire/field";
import { pseudoOf } from "../answer/reset";
import { encapsulate } from "./encapsulate";
import { send } from "./send";

const FIN_PSH: u8 = 0x09;
const CWR: u8 = 0x80;

/** Cuts a super-frame and sends each segment to a neighbour. */
export function sendSegments(packet: Packet, hop: u32, mtu: u32): void {
  cut(packet, null, hop, mtu);
}

/** Cuts a TCP packet that grew beyond what its hop takes. */
export function sendInSegments(packet: Packet, hop: u32, mtu: u32): void {
  packet.segmentBytes = <u16>(min(mtu, OWN_PACKET_BYTES) - (packet.l4 - packet.l3) - ((<u32>load<u8>(packet.l4, 12) >> 4) << 2));
  cut(packet, null, hop, mtu);
}

/** Cuts a super-frame and sends each segment through a tunnel. */
export function tunnelSegments(packet: Packet, connection: Connection, hop: u32): void {
  cut(packet, connection, hop, 0);
}

/** `mtu` is for segments that go into no tunnel: a tunnel looks for itself. */
function cut(packet: Packet, connection: Connection | null, hop: u32, mtu: u32): void {
  let tcp = packet.protocol == <u8>Protocol.Tcp;
  let headerEnd = packet.l4 + (tcp ? (<u32>load<u8>(packet.l4, 12) >> 4) << 2 : 8);
  let segmentBytes = <u32>packet.segmentBytes;
  if (headerEnd >= packet.end || segmentBytes == 0) return drop(DropReason.SegmentBad);
  let headers = headerEnd - packet.frame;
  // A stream may be cut anywhere, datagrams may not.
  if (tcp) segmentBytes = min(segmentBytes, OWN_FRAME_BYTES - headers);
  if (headers + segmentBytes > OWN_FRAME_BYTES) return drop(DropReason.SegmentBad);
  let segment = changetype<Packet>(packets + <usize>GROUP_MAX * PACKET_BYTES);
  let total = packet.end - headerEnd;
  let count: u32 = 0;
  for (let offset: u32 = 0; offset < total; offset += segmentBytes) {
    let bytes = min(segmentBytes, total - offset);
    let frame = ownFrame();
    if (frame == 0) return;
    memory.copy(frame, packet.frame, headers);
    memory.copy(frame + headers, headerEnd + offset, bytes);
    memory.copy(changetype<usize>(segment), changetype<usize>(packet), PACKET_BYTES);
    segment.frame = frame;
    segment.l3 = frame + (packet.l3 - packet.frame);
    segment.l4 = frame + (packet.l4 - packet.frame);
    segment.end = frame + headers + bytes;
    segment.flags &= ~(<u32>PacketFlag.Segments | <u32>PacketFlag.Partial | <u32>PacketFlag.Reassembled);
    writeHeaders(segment, packet, offset, offset + bytes == total, count);
    if (connection) encapsulate(segment, connection, hop);
    else send(segment, hop, mtu);
    count++;
  }
}

function writeHeaders(segment: Packet, packet: Packet, offset: u32, last: bool, count: u32): void {
  let l3 = <usize>segment.l3;
  if (segment.family == 4) {
    set16(l3 + 2, segment.end - segment.l3);
    set16(l3 + 4, get16(packet.l3 + 4) + count);
    seal4(l3, segment.l4 - segment.l3);
  } else {
    set16(l3 + 4, segment.end - segment.l3 - 40);
  }
  let l4 = <usize>segment.l4;
  let bytes = segment.end - segment.l4;
  if (segment.protocol == <u8>Protocol.Tcp) {
    set32(l4 + 4, get32(packet.l4 + 4) + offset);
    let flags = load<u8>(packet.l4, 13);
    if (!last) flags &= ~FIN_PSH;
    if (offset != 0) flags &= ~CWR;
    store<u8>(l4, flags, 13);
    store<u16>(l4, 0, 16);
    store<u16>(l4, <u16>~fold64(sum(l4, bytes) + pseudoOf(segment, bytes)), 16);
    return;
  }
  set16(l4 + 4, bytes);
  store<u16>(l4, 0, 6);
  let value = ~fold64(sum(l4, bytes) + pseudoOf(segment, bytes)) & 0xffff;
  store<u16>(l4, <u16>(value == 0 ? 0xffff : value), 6);
}
