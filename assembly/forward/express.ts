// The express road: a packet that changes nothing about its connection but counters and times, and whose
// next hop is known. Everything that could go otherwise is asked first, and then the packet takes the long
// road (toserver.ts, nat.ts, emit.ts), which says what is right: a packet that comes through here leaves
// the very same bytes and records (tests/oracle/express.test.ts).

import {
  CONNECTION_CLIENT, CONNECTION_CLIENT_PORT, CONNECTION_FLAGS, CONNECTION_PROTOCOL, CONNECTION_SERVER_ADDRESS,
  CONNECTION_SERVER_PORT, CONTROL_BASE, CONTROL_ROUTE_GENERATION, ENTRY_BYTES, ENTRY_CAUSE, ENTRY_FLAGS, ENTRY_FRAME, ENTRY_PORT, LIST_ENTRY_BYTES,
  NEIGHBOR_CHANNEL, NEIGHBOR_CONFIRMED_MS, NEIGHBOR_MACS, NEIGHBOR_MTU, NEIGHBOR_PORT, NEIGHBOR_STATE, STATE_TRANSMIT_COUNT,
  TIMEOUTS_UDP,
} from "../abi/layout";
import { TRANSMIT_MAX } from "../abi/limits";
import { ConnectionFlag, Forward, FrameFlag, NeighborState, PortFlag, Protocol, TcpState, UdpState } from "../abi/enums";
import { Connection } from "../connection/connection";
import { timeoutMs } from "../connection/open";
import { FRESH_MS, neighborAt } from "../link/neighbor";
import { oneHopLess } from "./hop";
import { now, state, transmitList } from "../memory";
import { Packet, PacketFlag } from "../packet/packet";
import { Server } from "../service/server";
import { assure } from "../state/advance";
import { countIn, countOut } from "../stats";
import { amend, fold32 } from "../wire/checksum";

// An ordinary packet has no options: its fields lie at fixed places of the frame. Offsets given to a load
// as its last argument cost nothing, so everything is reached from the frame's beginning.
const IP: usize = 14;
const IP_HOPS: usize = IP + 8;
const IP_SOURCE: usize = IP + 12;
const IP_TARGET: usize = IP + 16;
const L4: usize = IP + 20;
const SOURCE_PORT: usize = L4;
const TARGET_PORT: usize = L4 + 2;
const UDP_CHECKSUM: usize = L4 + 6;
const TCP_FLAGS: usize = L4 + 13;
const TCP_CHECKSUM: usize = L4 + 16;

const ACK: u32 = 0x10;
/** Reset, SYN, FIN and ACK: the flags that events are made of. */
const EVENT_FLAGS: u32 = 0x17;
/** What decides whether a packet may try the express road: an unfinished checksum or a super-frame may not. */
export const EXPRESS_FLAGS: u32 = <u32>PacketFlag.Ordinary | <u32>PacketFlag.ToLocal | <u32>PacketFlag.Partial |
  <u32>PacketFlag.Segments;
export const EXPRESS_IN: u32 = <u32>PacketFlag.Ordinary | <u32>PacketFlag.ToLocal;
export const EXPRESS_OUT: u32 = <u32>PacketFlag.Ordinary;

const NOT_FAST: u32 = <u32>ConnectionFlag.Template | <u32>ConnectionFlag.Ipv6 | <u32>ConnectionFlag.Helped;

/**
 * True when an ordinary packet was sent by this connection's client (`key` is CONNECTION_CLIENT), or by its
 * server (CONNECTION_SERVER_ADDRESS).
 *
 * Both keys of a connection, the client's and the server's, lie in the order in which a packet of that side
 * has its addresses and ports. Protocol and flags share a word.
 */
@inline
export function isOf(packet: Packet, connection: Connection, key: usize): bool {
  let record = changetype<usize>(connection);
  let frame = <usize>packet.frame;
  let addresses = load<u64>(record + key) ^ load<u64>(frame, IP_SOURCE);
  let ports = load<u32>(record + key, CONNECTION_CLIENT_PORT - CONNECTION_CLIENT) ^ load<u32>(frame, SOURCE_PORT);
  let rest = (load<u32>(record, CONNECTION_PROTOCOL) & (0xff | NOT_FAST << 16)) ^ <u32>packet.protocol;
  return (addresses | <u64>(ports | rest)) == 0;
}
if (CONNECTION_SERVER_PORT - CONNECTION_SERVER_ADDRESS != CONNECTION_CLIENT_PORT - CONNECTION_CLIENT) ERROR("the keys differ in shape");
if (CONNECTION_FLAGS != CONNECTION_PROTOCOL + 2) ERROR("protocol and flags are no longer one word");

/** A bit for each Forward that a client's packet may take by express. */
const EXPRESS_METHODS: u32 = 1 << <u32>Forward.Nat | 1 << <u32>Forward.Direct;

/** A client's packet, by NAT or by direct routing. False, and nothing done, when it must take the long road. */
@inline
export function expressToServer(packet: Packet, connection: Connection): bool {
  if (!isOf(packet, connection, CONNECTION_CLIENT)) return false;
  let method = connection.forward;
  if ((EXPRESS_METHODS >> method & 1) == 0) return false;
  let server = Server.at(connection.server);
  if (!server.available) return false;
  let timeout = steadyTimeoutMs(packet, connection);
  if (timeout == 0) return false;
  let ipBytes = packet.end - packet.frame - <u32>IP;
  let neighbor = readyNeighbor(packet, connection, connection.hopIn, ipBytes);
  if (neighbor == 0) return false;

  countIn(connection.server, server.service, ipBytes);
  touch(connection, timeout);
  connection.packets++;
  let frame = <usize>packet.frame;
  if (method == <u32>Forward.Nat) {
    store<u32>(frame, connection.serverAddress, IP_TARGET);
    store<u16>(frame, connection.serverPort, TARGET_PORT);
    rewriteHops(frame, connection.ipDeltaIn);
    amendTransport(packet, frame, connection.l4DeltaIn);
  } else {
    oneHopLess(frame + IP);
  }
  leave(packet, neighbor);
  return true;
}

/** Where NAT hides nothing, or a server's first packet is still news, its packets take the long road. */
const NAT_SEEN: u32 = <u32>ConnectionFlag.ForwardMask | <u32>ConnectionFlag.NoOutput;

/** A server's packet behind NAT. False, and nothing done, when it must take the long road. */
export function expressToClient(packet: Packet, connection: Connection): bool {
  if (!isOf(packet, connection, CONNECTION_SERVER_ADDRESS)) return false;
  if ((<u32>connection.flags & NAT_SEEN) != <u32>Forward.Nat) return false;
  let timeout = steadyTimeoutMs(packet, connection);
  if (timeout == 0) return false;
  let ipBytes = packet.end - packet.frame - <u32>IP;
  let neighbor = readyNeighbor(packet, connection, connection.hopOut, ipBytes);
  if (neighbor == 0) return false;

  let frame = <usize>packet.frame;
  store<u32>(frame, connection.virtual, IP_SOURCE);
  store<u16>(frame, connection.virtualPort, SOURCE_PORT);
  rewriteHops(frame, connection.ipDeltaOut);
  amendTransport(packet, frame, connection.l4DeltaOut);
  leave(packet, neighbor);
  countOut(connection.server, Server.at(connection.server).service, ipBytes);
  touch(connection, timeout);
  if (packet.protocol == <u8>Protocol.Udp) assure(connection);
  return true;
}

/**
 * The timeout of a connection that this packet leaves in its state; 0 when there is more to it.
 *
 * Of TCP only the commonest is known here: in every row of the tables an ACK leaves Established as it is.
 */
@inline
function steadyTimeoutMs(packet: Packet, connection: Connection): u32 {
  let frame = <usize>packet.frame;
  if (packet.protocol == <u8>Protocol.Udp) {
    // A datagram without a checksum gets one, over all of it.
    return load<u16>(frame, UDP_CHECKSUM) == 0 ? 0 : timeoutMs(TIMEOUTS_UDP + <u32>UdpState.Normal);
  }
  if ((<u32>load<u8>(frame, TCP_FLAGS) & EVENT_FLAGS) != ACK) return 0;
  return <u32>connection.state == <u32>TcpState.Established ? timeoutMs(<u32>TcpState.Established) : 0;
}

/** The next hop's record when the packet can leave to it at once; 0 when anything must happen before. */
@inline
function readyNeighbor(packet: Packet, connection: Connection, hop: u32, ipBytes: u32): usize {
  // 0 is not looked up yet, 0xffff is the director itself.
  if (hop - 1 >= 0xfffe) return 0;
  if (connection.generation != load<u32>(CONTROL_BASE, CONTROL_ROUTE_GENERATION)) return 0;
  if (load<u8>(packet.frame, IP_HOPS) <= 1) return 0;
  if (load<u32>(state, STATE_TRANSMIT_COUNT) >= TRANSMIT_MAX) return 0;
  let neighbor = neighborAt(hop);
  if (ipBytes > load<u32>(neighbor, NEIGHBOR_MTU)) return 0;
  let what = load<u8>(neighbor, NEIGHBOR_STATE);
  if (what == <u8>NeighborState.Permanent) return neighbor;
  if (what != <u8>NeighborState.Reachable) return 0;
  return now - load<u32>(neighbor, NEIGHBOR_CONFIRMED_MS) <= FRESH_MS ? neighbor : 0;
}

@inline
function touch(connection: Connection, timeout: u32): void {
  connection.lastMs = now;
  connection.timeoutMs = timeout;
}

/** One hop less and the header's checksum, which share a word; the difference knows of the hop. */
@inline
function rewriteHops(frame: usize, difference: u32): void {
  let word = load<u32>(frame, IP_HOPS);
  let checksum = ~fold32((~word >> 16) + difference);
  store<u32>(frame, ((word & 0xffff) - 1) | (checksum << 16), IP_HOPS);
}

@inline
function amendTransport(packet: Packet, frame: usize, difference: u32): void {
  if (packet.protocol == <u8>Protocol.Tcp) return amend(frame + TCP_CHECKSUM, difference);
  amend(frame + UDP_CHECKSUM, difference);
  if (load<u16>(frame, UDP_CHECKSUM) == 0) store<u16>(frame, 0xffff, UDP_CHECKSUM);
}

/** Hardware addresses, the virtio header where the port wants one, and the entry of the transmit list. */
@inline
function leave(packet: Packet, neighbor: usize): void {
  let frame = <usize>packet.frame;
  store<u64>(frame, load<u64>(neighbor, NEIGHBOR_MACS));
  store<u32>(frame, load<u32>(neighbor, NEIGHBOR_MACS + 8), 8);
  let flags: u32 = 0;
  if (load<u32>(neighbor, NEIGHBOR_CHANNEL) & <u32>PortFlag.Vnet) {
    store<u64>(frame - 10, 0);
    store<u16>(frame - 10, 0, 8);
    flags = <u32>FrameFlag.Vnet;
  }
  let count = load<u32>(state, STATE_TRANSMIT_COUNT);
  let entry = transmitList + <usize>count * LIST_ENTRY_BYTES;
  store<u32>(entry, <u32>frame, ENTRY_FRAME);
  store<u32>(entry, packet.end - <u32>frame, ENTRY_BYTES);
  store<u32>(entry, <u32>load<u16>(neighbor, NEIGHBOR_PORT) | (flags << 16), ENTRY_PORT);
  store<u32>(entry, packet.cause, ENTRY_CAUSE);
  store<u32>(state, count + 1, STATE_TRANSMIT_COUNT);
}
if (ENTRY_FLAGS != ENTRY_PORT + 2) ERROR("port and flags of an entry are no longer one word");
