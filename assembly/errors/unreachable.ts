// A neighbour that never answered: the senders of what waited for it are told that it cannot be reached (RFC 1812 section
// 5.2.7.1, RFC 4443 section 3.1; as the kernel: recordings unreachable4, unreachable6).

import { PACKET_BYTES, PENDING_FRAME_BYTES } from "../abi/layout";
import { Forward } from "../abi/enums";
import { sendIcmpErrorOnWay } from "../answer/icmp";
import { sendIcmpv6Error } from "../answer/icmpv6";
import { tellClientRewritten, tellServer } from "../answer/rewritten";
import { Connection } from "../connection/connection";
import { ownerByClient } from "../connection/owner";
import { FROM_CLIENT, FROM_SERVER, lookup } from "../connection/table";
import { ownerOfError } from "../handover/owner";
import { isLocal } from "../link/local";
import { firstWaiting, GIVEN_UP, takeWaiting } from "../link/waiting";
import { lock, lookAt, unlock, worker } from "../memory";
import { isLaterPiece, Packet, PacketFlag } from "../packet/packet";
import { findUpper6, isBalanced, PORTS_BYTES } from "../packet/parse";
import { get16 } from "../wire/field";
import { tellClient, tunnelledConnection } from "./tunnelled";

const UNREACHABLE4: u32 = 3;
const HOST: u32 = 1;
const UNREACHABLE6: u32 = 1;
const ADDRESS: u32 = 3;
/** So much of a packet an error quotes; the rest of its 576 bytes is its own headers. */
const QUOTED4_BYTES_MAX: u32 = 548;
const ICMP_BYTES: u32 = 8;

/** Tells the senders of all that was given up, in the order it came. */
export function tellUnreachable(): void {
  lock();
  for (let waiting = firstWaiting(GIVEN_UP); waiting != 0; waiting = firstWaiting(GIVEN_UP)) {
    let bytes = load<u32>(waiting, PENDING_FRAME_BYTES);
    let frame = takeWaiting(waiting);
    if (frame != 0) tell(read(frame, bytes));
  }
  unlock();
}

/** A frame that was ready to leave, as a packet. Between frames no packet is in use. */
function read(frame: u32, bytes: u32): Packet {
  let packet = Packet.at(0);
  memory.fill(changetype<usize>(packet), 0, PACKET_BYTES);
  packet.frame = frame;
  packet.bytes = bytes;
  packet.l3 = frame + 14;
  packet.end = frame + bytes;
  packet.family = load<u16>(frame, 12) == 0x0008 ? 4 : 6;
  if (packet.family == 6) {
    findUpper6(packet);
  } else {
    let place = get16(packet.l3 + 6);
    packet.fragmentOffset = (place & 0x1fff) << 3;
    if ((place & 0x3fff) != 0) packet.set(PacketFlag.Fragment);
    packet.protocol = load<u8>(packet.l3, 9);
    packet.l4 = packet.l3 + ((<u32>load<u8>(packet.l3) & 15) << 2);
  }
  packet.fillAddresses();
  return packet;
}

function tell(packet: Packet): void {
  if (tellThroughNat(packet)) return;
  // About what the director said itself it would tell itself, and listens only where a client's packet is inside.
  if (isLocal(packet.source)) tellThroughTunnel(packet);
  else if (packet.family == 4) sendIcmpErrorOnWay(packet, UNREACHABLE4, HOST);
  else sendIcmpv6Error(packet, UNREACHABLE6, ADDRESS, 0);
}

/**
 * Tells the sender of a packet that NAT had rewritten; false when it is no such packet. Of IPv6 clients hear of it here, not in the
 * kernel: docs/IPVSADM.md says why.
 */
function tellThroughNat(packet: Packet): bool {
  let protocol = <u32>packet.protocol;
  if (!isBalanced(protocol) || isLaterPiece(packet) || packet.l4 + PORTS_BYTES > packet.end) return false;
  let from = <u32>load<u16>(packet.l4);
  let to = <u32>load<u16>(packet.l4, 2);
  let type = packet.family == 4 ? UNREACHABLE4 : UNREACHABLE6;
  let code = packet.family == 4 ? HOST : ADDRESS;

  let before = lookAt(ownerByClient(packet.target, to, protocol));
  let answered = translated(lookup(FROM_CLIENT, packet.family, protocol, packet.target, to, packet.source, from));
  if (answered != 0) tellServer(packet, Connection.at(answered), type, code, 0);
  lookAt(before);
  if (answered != 0) return true;

  before = lookAt(ownerByClient(packet.source, from, protocol));
  let asked = translated(lookup(FROM_SERVER, packet.family, protocol, packet.source, from, packet.target, to));
  if (asked != 0) tellClientRewritten(packet, Connection.at(asked), type, code, 0);
  lookAt(before);
  return asked != 0;
}

/** The same connection when its packets are rewritten, else 0. */
function translated(index: u32): u32 {
  return index != 0 && Connection.at(index).forward == <u32>Forward.Nat ? index : 0;
}

/** The packet becomes what an error about it quotes: the client inside is told as when a router tells of the tunnel. */
function tellThroughTunnel(packet: Packet): void {
  if (packet.family != 4) return;
  let outer = <usize>packet.l3;
  packet.end = min<u32>(packet.end, packet.l3 + QUOTED4_BYTES_MAX);
  packet.l4 = packet.l3 - ICMP_BYTES;
  packet.flags = <u32>PacketFlag.ToLocal;
  store<u32>(packet.l4, UNREACHABLE4 | (HOST << 8));
  store<u32>(packet.l4, 0, 4);
  let before = lookAt(ownerOfError(packet, worker));
  let index = tunnelledConnection(packet, outer);
  if (index != 0) tellClient(packet, index, outer);
  lookAt(before);
}
