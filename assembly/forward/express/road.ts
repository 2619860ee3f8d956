// The express road: packets that change nothing about their connection but counters and times, and whose next hop
// is known. Everything that could go otherwise is asked first, before anything is written; the packet that is
// otherwise takes the long road (toserver.ts, nat.ts, tunnel.ts), which says what is right: one that comes through
// here leaves the very same bytes and records (tests/oracle/express.test.ts).
//
// Packets of one family, side and method go in runs: what is the same for all of them is read once, and the sums in all
// are written once. Each run is a function of its own, and all are made of one body, in which those three are constants.

import {
  CONNECTION_GENERATION, CONNECTION_HOP_IN, CONNECTION_HOP_OUT, CONNECTION_LAST_MS, CONNECTION_PACKETS, CONNECTION_PROTOCOL,
  CONNECTION_SERVER, CONNECTION_TIMEOUT_MS, CONTROL_BASE, CONTROL_ROUTE_GENERATION, COUNTER_BYTES, COUNTER_IN_PACKETS,
  COUNTER_OUT_PACKETS, LIST_ENTRY_BYTES, NEIGHBORS_BASE, NEIGHBOR_BYTES, NEIGHBOR_NARROWEST, NEIGHBOR_STATE, PACKET_BYTES,
  SERVERS_BASE, SERVER_BYTES, SERVER_SERVICE, STATE_TRANSMIT_COUNT, TIMEOUTS_UDP, TUNNEL_GENERATION,
  TUNNEL_OUTER_BYTES,
} from "../../abi/layout";
import { SERVICES_MAX, TRANSMIT_MAX } from "../../abi/limits";
import { ConnectionFlag, Forward, NeighborState, Protocol, TcpState, UdpState } from "../../abi/enums";
import { Connection } from "../../connection/connection";
import { timeoutMs } from "../../connection/open";
import { FROM_CLIENT, FROM_SERVER } from "../../connection/table";
import { HOP_LOCAL } from "../hop";
import { connections, counters, now, state, transmitList } from "../../memory";
import { Packet, PacketFlag } from "../../packet/packet";
import { Server } from "../../service/server";
import { assure } from "../../state/advance";
import { add, packetOf } from "../../stats";
import { isMaster } from "../../sync/daemon";
import { tellOthers } from "../../sync/export";
import { hopsAt, IP } from "./fields";
import { isFresh, leave } from "./leave";
import { outerOf, wrap } from "./outer";
import { amendTcp, amendUdp, takeHop, translate } from "./rewrite";
import { difference, unsteady } from "./whose";

/** What decides by which run a packet may go: an unfinished checksum or a super-frame may not at all. */
export const FLAGS: u32 = <u32>PacketFlag.Ordinary | <u32>PacketFlag.ToLocal | <u32>PacketFlag.Wide | <u32>PacketFlag.Partial |
  <u32>PacketFlag.Segments;
const OUT4: u32 = <u32>PacketFlag.Ordinary;
const OUT6: u32 = <u32>PacketFlag.Ordinary | <u32>PacketFlag.Wide;
export const IN4: u32 = OUT4 | <u32>PacketFlag.ToLocal;
export const IN6: u32 = OUT6 | <u32>PacketFlag.ToLocal;

const NAT: u32 = <u32>Forward.Nat;
const TUNNEL: u32 = <u32>Forward.Tunnel;
const DIRECT: u32 = <u32>Forward.Direct;

/** Sends on the packets of a group from `at` to `end`; answers where it came to one that must take the long road. */
export function express(at: usize, end: usize): usize {
  while (at < end) {
    let from = at;
    let packet = changetype<Packet>(at);
    if (<usize>packet.connection == connections) break;
    let kind = packet.flags & FLAGS;
    let method = (load<u32>(packet.connection, CONNECTION_PROTOCOL) >> 16) & <u32>ConnectionFlag.ForwardMask;
    if (method == NAT) {
      if (kind == IN4) at = natIn4(at, end);
      else if (kind == OUT4) at = natOut4(at, end);
      else if (kind == IN6) at = natIn6(at, end);
      else if (kind == OUT6) at = natOut6(at, end);
    } else if (method == DIRECT) {
      if (kind == IN4) at = direct4(at, end);
      else if (kind == IN6) at = direct6(at, end);
    } else if (method == TUNNEL) {
      if (kind == IN4) at = tunnel4(at, end);
      else if (kind == IN6) at = tunnel6(at, end);
    }
    if (at == from) break;
  }
  return at;
}

function natIn4(at: usize, end: usize): usize {
  return run(at, end, 4, FROM_CLIENT, NAT);
}

function natOut4(at: usize, end: usize): usize {
  return run(at, end, 4, FROM_SERVER, NAT);
}

function direct4(at: usize, end: usize): usize {
  return run(at, end, 4, FROM_CLIENT, DIRECT);
}

function tunnel4(at: usize, end: usize): usize {
  return run(at, end, 4, FROM_CLIENT, TUNNEL);
}

function natIn6(at: usize, end: usize): usize {
  return run(at, end, 6, FROM_CLIENT, NAT);
}

function natOut6(at: usize, end: usize): usize {
  return run(at, end, 6, FROM_SERVER, NAT);
}

function direct6(at: usize, end: usize): usize {
  return run(at, end, 6, FROM_CLIENT, DIRECT);
}

function tunnel6(at: usize, end: usize): usize {
  return run(at, end, 6, FROM_CLIENT, TUNNEL);
}

/** A run of clients' packets by one method, or of servers' packets on their way back through NAT. */
@inline
function run(at: usize, end: usize, family: u32, side: u32, method: u32): usize {
  let kind = (family == 4 ? OUT4 : OUT6) | (side == FROM_CLIENT ? <u32>PacketFlag.ToLocal : 0);
  let sent = load<u32>(state, STATE_TRANSMIT_COUNT);
  end = min(end, at + <usize>(TRANSMIT_MAX - sent) * PACKET_BYTES);
  let entry = transmitList + <usize>sent * LIST_ENTRY_BYTES;
  let generation = load<u32>(CONTROL_BASE, CONTROL_ROUTE_GENERATION);
  let tcpTimeout = timeoutMs(<u32>TcpState.Established);
  let udpTimeout = timeoutMs(TIMEOUTS_UDP + <u32>UdpState.Normal);
  let nowMs = now;
  let telling = isMaster();
  let counts = counters + (side == FROM_CLIENT ? COUNTER_IN_PACKETS : COUNTER_OUT_PACKETS);
  let sum = i64x2.splat(0);
  let first = at;
  for (; at < end; at += PACKET_BYTES) {
    let packet = changetype<Packet>(at);
    if ((packet.flags & FLAGS) != kind) break;
    let connection = <usize>packet.connection;
    let frame = <usize>packet.frame;
    let what = load<u32>(connection, CONNECTION_PROTOCOL);
    if ((<u64>unsteady(what, packet, family, side, method) | difference(frame, connection, family, side)) != 0) break;
    // A removed server has no service.
    let server = <usize>load<u16>(connection, CONNECTION_SERVER);
    let service = <usize>load<u32>(server * SERVER_BYTES, SERVERS_BASE + SERVER_SERVICE);
    if (service == 0) break;
    let hop = <u32>load<u16>(connection + (side == FROM_CLIENT ? CONNECTION_HOP_IN : CONNECTION_HOP_OUT));
    // 0 is not looked up yet.
    if (hop - 1 >= HOP_LOCAL - 1) break;
    if (load<u32>(connection, CONNECTION_GENERATION) != generation) break;
    // An end brought nearer: the long road tells the sweep (connection/due.ts).
    let timeout = (what & 0xff) == <u32>Protocol.Tcp ? tcpTimeout : udpTimeout;
    if (timeout < load<u32>(connection, CONNECTION_TIMEOUT_MS)) break;
    let hops = <u32>load<u8>(frame + hopsAt(family));
    if (hops <= 1) break;
    let neighbor = <usize>hop * NEIGHBOR_BYTES;
    let bytes = packet.end - <u32>(frame + IP);
    let sentBytes = bytes;
    if (method == TUNNEL) {
      if (load<u32>(outerOf(server), TUNNEL_GENERATION) != generation) break;
      sentBytes += load<u32>(outerOf(server), TUNNEL_OUTER_BYTES);
    }
    if (sentBytes > load<u32>(neighbor, NEIGHBORS_BASE + NEIGHBOR_NARROWEST)) break;
    if (load<u8>(neighbor, NEIGHBORS_BASE + NEIGHBOR_STATE) != <u8>NeighborState.Permanent) {
      if (!isFresh(neighbor, nowMs)) break;
    }

    let one = packetOf(bytes);
    sum = i64x2.add(sum, one);
    add(counts + server * COUNTER_BYTES + SERVICES_MAX * COUNTER_BYTES, one);
    add(counts + service * COUNTER_BYTES, one);
    store<u32>(connection, nowMs, CONNECTION_LAST_MS);
    if (side == FROM_CLIENT) store<u32>(connection, load<u32>(connection, CONNECTION_PACKETS) + 1, CONNECTION_PACKETS);
    takeHop(frame, connection, hops, family, side);
    if (method == NAT) translate(frame, connection, family, side);
    store<u32>(connection, timeout, CONNECTION_TIMEOUT_MS);
    if ((what & 0xff) == <u32>Protocol.Tcp) {
      if (method == NAT) amendTcp(frame, connection, family, side);
    } else {
      if (method == NAT) amendUdp(frame, connection, family, side);
      // A datagram back from the server assures what its connection came from.
      if (side == FROM_SERVER) assure(changetype<Connection>(connection));
    }
    if (method == TUNNEL) {
      frame = wrap(frame, bytes, outerOf(server), Server.at(<u32>server), changetype<Connection>(connection), hops - 1, family);
    }
    leave(frame, sentBytes + <u32>IP, neighbor, entry, packet.cause);
    entry += LIST_ENTRY_BYTES;
    if (side == FROM_CLIENT && telling) tellOthers(changetype<Connection>(connection), load<u32>(connection, CONNECTION_PACKETS));
  }
  if (at == first) return at;
  add(counts, sum);
  store<u32>(state, sent + <u32>((at - first) / PACKET_BYTES), STATE_TRANSMIT_COUNT);
  return at;
}
