// What parsing learns of a frame. One record for each frame of a group; later steps take only this.

import { PACKET_BYTES } from "../abi/layout";
import { GROUP_MAX } from "../abi/limits";
import { copyAddress, mapAddress } from "../wire/field";
import { packets } from "../memory";

/** What a packet is, for the steps after parsing. */
export enum PacketFlag {
  /** The frame carries a virtio header. */
  Vnet = 1,
  /** The L4 checksum is only begun (virtio NEEDS_CSUM): it holds the pseudo-header's sum. */
  Partial = 2,
  /** A super-frame that the device cuts into segments (virtio GSO). */
  Segments = 4,
  /** A fragment of a datagram, first or later. */
  Fragment = 8,
  /** Put together from fragments; `pieceBytes` says how it came. */
  Reassembled = 16,
  /** The target is an address of the director. */
  ToLocal = 32,
  /** Passed the short parser: TCP or UDP without IP options or extension headers, headers checked, ports known. */
  Ordinary = 64,
  /** IPv4 with options or IPv6 with extension headers. */
  Options = 128,
  /** An engine's own frame. */
  Own = 256,
  /** Stands for the packet inside an ICMP error: only the first eight bytes of its transport header are there. */
  Embedded = 512,
  /** IPv6: its connection is looked at beyond the first line. */
  Wide = 1024,
  /** Sent to the group that the sync backup listens to. */
  ToBackup = 2048,
  /**
   * Looked at while all pieces of IPv4 are put together, whoever they are for. Those that came before are none of the same
   * datagram (as the kernel: recording tracking_begins).
   */
  Tracked = 4096,
  /** A datagram that had no checksum: NAT has given it one, over all there is. */
  Summed = 8192,
  /** Taken in by the director as the server of its NAT connection: the answer is the connection's. */
  AsServer = 16384,
  /** An IPv6 packet with a fragment header that makes no piece of it: IPVS alone looks behind it. */
  Unjoined = 32768,
}

@unmanaged
export class Packet {
  frame: u32; //           0  address of the Ethernet header
  bytes: u32; //           4  bytes of the frame
  l3: u32; //              8  address of the IP header
  l4: u32; //             12  address of the transport header
  end: u32; //            16  end of the IP packet
  flags: u32; //          20  PacketFlag
  sourcePort: u16; //     24  network order
  targetPort: u16; //     26
  protocol: u8; //        28
  family: u8; //          29  4, 6; 0 neither
  port: u16; //           30  the port it came in by
  hash: u32; //           32
  bucket: u32; //         36  address of the home bucket
  connection: u32; //     40  address of the candidate connection
  cause: u32; //          44  index in the receive list
  segmentType: u16; //    48  virtio gso_type
  segmentBytes: u16; //   50  virtio gso_size
  foreseen: u32; //       52  of one that may begin a connection: the server, see begin/foresee.ts
  steady: u32; //         56  of an ordinary packet: what its connection must be for the packet to change nothing
  fragmentOffset: u32; // 60  bytes
  sourceHigh: u64; //     64  16-byte addresses, filled by fillAddresses()
  sourceLow: u64; //      72
  targetHigh: u64; //     80
  targetLow: u64; //      88
  moreFragments: u32; //  96
  mark: u32; //          100  firewall mark
  fragmentHeader: u32; //104  IPv6: address of the fragment header
  previousNext: u32; //  108  IPv6: address of the byte that names the upper protocol
  fragmentId: u32; //    112
  aside: u32; //         116  of a bad frame the reason; of IPv4 with options what clearing behind them did to the header's checksum
  reassembly: u32; //    120  record the datagram was put together in
  replaced: u32; //      124  the connection that this packet begins anew, 0 none

  static at(index: u32): Packet {
    return changetype<Packet>(packets + <usize>index * PACKET_BYTES);
  }
  get source(): usize {
    return changetype<usize>(this) + 64;
  }
  get target(): usize {
    return changetype<usize>(this) + 80;
  }
  has(flag: PacketFlag): bool {
    return (this.flags & <u32>flag) != 0;
  }
  set(flag: PacketFlag): void {
    this.flags |= <u32>flag;
  }
  /** An ordinary packet leaves the express road: fills what that road does not read. */
  complete(): void {
    this.l3 = this.frame + 14;
    this.l4 = this.l3 + (this.family == 4 ? 20 : 40);
    this.previousNext = this.l3 + 6;
    this.sourcePort = load<u16>(this.l4);
    this.targetPort = load<u16>(this.l4, 2);
  }
  /** Bytes of the IP packet: what statistics count. */
  get ipBytes(): u32 {
    return this.end - this.l3;
  }
  get timeToLive(): u32 {
    return this.family == 4 ? <u32>load<u8>(this.l3, 8) : <u32>load<u8>(this.l3, 7);
  }
  /** Copies the addresses of the header in their 16-byte form beside the record. */
  fillAddresses(): void {
    if (this.family == 4) {
      mapAddress(this.source, load<u32>(this.l3, 12));
      mapAddress(this.target, load<u32>(this.l3, 16));
    } else {
      copyAddress(this.source, this.l3 + 8);
      copyAddress(this.target, this.l3 + 24);
    }
  }
}
/** True for a piece of a datagram, as long as it is one. */
export function isFragment(packet: Packet): bool {
  return packet.has(PacketFlag.Fragment);
}

/** True for any piece but the first: it has no header of the upper protocol. */
export function isLaterPiece(packet: Packet): bool {
  return packet.has(PacketFlag.Fragment) && packet.fragmentOffset != 0;
}

/** The record behind the group's that segments do not use. */
const STAND_IN: u32 = GROUP_MAX + 1;

/** A copy of a packet's record, to be changed into that of a packet that does not exist. There is one at a time. */
export function standIn(packet: Packet): Packet {
  let copy = Packet.at(STAND_IN);
  memory.copy(changetype<usize>(copy), changetype<usize>(packet), PACKET_BYTES);
  return copy;
}
/**
 * Whom schedulers that go by the target are told of: of a packet that an error quotes, whom it was sent to, the client
 * (as the kernel: recording scheduled_error).
 */
export function scheduledTarget(packet: Packet): usize {
  return packet.has(PacketFlag.Embedded) ? packet.source : packet.target;
}
if (offsetof<Packet>() > PACKET_BYTES) ERROR("Packet no longer fits in PACKET_BYTES");
if (offsetof<Packet>("family") != offsetof<Packet>("protocol") + 1) ERROR("family moved");
if (offsetof<Packet>("port") != offsetof<Packet>("protocol") + 2) ERROR("port moved");
if (offsetof<Packet>("sourceHigh") != 64) ERROR("source moved");
if (offsetof<Packet>("targetHigh") != 80) ERROR("target moved");
