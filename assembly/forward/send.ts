// One packet onto the wire: its checksum finished where the port asks for it, its virtio header before it.

import { FrameFlag, PortFlag, Protocol } from "../abi/enums";
import { hopChannel } from "../link/neighbor";
import { transmit } from "../link/transmit";
import { Packet, PacketFlag } from "../packet/packet";
import { fold64, sum } from "../wire/checksum";
import { needsPieces, sendPieces } from "./pieces";

/** Sends a packet that needs no cutting into segments; pieces it may need, of `mtu` bytes. */
export function send(packet: Packet, hop: u32, mtu: u32): void {
  let channel = hopChannel(hop);
  if (packet.has(PacketFlag.Partial) && (channel & <u32>PortFlag.Vnet) == 0) completeChecksum(packet);
  if (needsPieces(packet, mtu)) return sendPieces(packet, hop, mtu);
  if (channel & <u32>PortFlag.Vnet) {
    writeVirtio(packet);
    transmit(hop, packet.frame, packet.end - packet.frame, <u32>FrameFlag.Vnet);
  } else {
    transmit(hop, packet.frame, packet.end - packet.frame, 0);
  }
}

/** Puts the virtio header before the frame, wherever encapsulation has moved it. */
export function writeVirtio(packet: Packet): void {
  let header = <usize>packet.frame - 10;
  if (!packet.has(PacketFlag.Partial)) {
    store<u64>(header, 0);
    store<u16>(header, 0, 8);
    return;
  }
  store<u8>(header, 1);
  store<u8>(header, <u8>packet.segmentType, 1);
  let tcp = packet.protocol == <u8>Protocol.Tcp;
  let transport = packet.l4 - packet.frame;
  let headerBytes = transport + (tcp ? (<u32>load<u8>(packet.l4, 12) >> 4) << 2 : 8);
  store<u16>(header, <u16>headerBytes, 2);
  store<u16>(header, packet.segmentType != 0 ? packet.segmentBytes : 0, 4);
  store<u16>(header, <u16>transport, 6);
  store<u16>(header, tcp ? 16 : 6, 8);
}

/** Finishes a checksum that the sender's kernel only began: the pseudo-header's sum is in the field. */
export function completeChecksum(packet: Packet): void {
  let field = <usize>packet.l4 + (packet.protocol == <u8>Protocol.Tcp ? 16 : 6);
  let value = ~fold64(sum(packet.l4, packet.end - packet.l4)) & 0xffff;
  if (value == 0 && packet.protocol == <u8>Protocol.Udp) value = 0xffff;
  store<u16>(field, <u16>value);
  packet.flags &= ~(<u32>PacketFlag.Partial);
}
