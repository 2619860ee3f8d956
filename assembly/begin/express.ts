// The express road of beginnings: the first packet of a TCP or UDP connection that nobody knows, to a service of which
// nothing unusual is asked. The connection begins as a copy of what its server's last one looked like (prepared.ts), and
// the packet leaves as on the express road of known ones. Everything that could go otherwise is asked first; what is
// otherwise takes the long road, which stays the reference (tests/oracle/express.test.ts). A scheduler is asked once, so
// what turns out only after it has chosen goes on from there (rest.ts).

import {
  BUCKET_INDICES, CONNECTION_BYTES, CONNECTION_CLIENT, CONNECTION_CLIENT16, CONNECTION_CLIENT_AGAIN,
  CONNECTION_CLIENT_PORT, CONNECTION_CLIENT_PORT_AGAIN, CONNECTION_CONTROL, CONNECTION_HOME, CONNECTION_HOP_IN, CONNECTION_LAST_MS,
  CONNECTION_PROTOCOL, CONNECTION_SERVER16, CONNECTION_TIMEOUT_MS, CONNECTION_VIRTUAL16, CONTROL_BASE, CONTROL_COMMONS, CONTROL_DROP_RATE,
  CONTROL_MARKS_USED, CONTROL_ROUTE_GENERATION, CONTROL_WHOLES, COUNTER_IN_PACKETS, FREE_BYTES, LIST_ENTRY_BYTES, NEIGHBORS_BASE,
  NEIGHBOR_BYTES, NEIGHBOR_USED_MS, PACKET_BYTES, SERVICES_BASE, SERVICE_ADDRESS, SERVICE_BYTES, SERVICE_PORT, STATE_AWAITED, STATE_TRANSMIT_COUNT,
} from "../abi/layout";
import { TRANSMIT_MAX } from "../abi/limits";
import { ConnectionFlag, DropReason, Forward, Protocol, ServerFlag, ServiceFlag } from "../abi/enums";
import { foldAddress } from "../base/hash";
import { Connection } from "../connection/connection";
import { lookAfter } from "../connection/due";
import { ownerOf } from "../connection/owner";
import { isTableFull, taken, topOfFree } from "../connection/free";
import { FROM_CLIENT, homeAt, insert, isFurther, matchesAndEmpty, mayHavePassed, tagOf } from "../connection/table";
import { hopsAt, IP, sourceAt, TARGET_PORT, targetAt, TCP_FLAGS, transportAt } from "../forward/express/fields";
import { carries, leave } from "../forward/express/leave";
import { outerOf, wrap, wrappedBytes } from "../forward/express/outer";
import { amendTcp, amendUdp, takeHop, translate } from "../forward/express/rewrite";
import { FLAGS, IN4, IN6 } from "../forward/express/road";
import { isLocalStranger4, isLocal6 } from "../link/local";
import { connections, counters, freed, lock, now, shared, state, table, transmitList, unlock, worker } from "../memory";
import { Packet } from "../packet/packet";
import { STEADY_UDP } from "../packet/scan";
import { loadChanged } from "../schedule/loads";
import { schedule } from "../schedule/table";
import { Server } from "../service/server";
import { findExact, Service } from "../service/service";
import { add, addConnections, drop, packetOf, serverCounter, serviceCounter } from "../stats";
import { isMaster } from "../sync/daemon";
import { tellOthers } from "../sync/export";
import { sameAddress } from "../wire/field";
import { FTP_DATA } from "./choose";
import { serverForeseen } from "./foresee";
import { isPrepared, preparedOf } from "./prepared";
import { goOn } from "./rest";

const SYN: u32 = 0x02;
const RST: u32 = 0x04;

/** Begins connections with packets of a group, from `at` to `end`; answers where it came to one that takes another road. */
export function beginExpress(at: usize, end: usize): usize {
  if (at == end || <usize>changetype<Packet>(at).connection != connections || isUnusual()) return at;
  let kind = changetype<Packet>(at).flags & FLAGS;
  if (kind == IN4) return begin4(at, end);
  if (kind == IN6) return begin6(at, end);
  return at;
}

/** True while every beginning has to be looked at closely: for marks, by a defence, for an announced connection. */
function isUnusual(): bool {
  return (load<u32>(CONTROL_BASE, CONTROL_MARKS_USED) | load<u32>(CONTROL_BASE, CONTROL_WHOLES) |
    load<u32>(CONTROL_BASE, CONTROL_DROP_RATE) | load<u32>(table, STATE_AWAITED) |
    load<u32>(<usize>CONTROL_BASE + CONTROL_COMMONS, STATE_AWAITED)) != 0;
}

function begin4(at: usize, end: usize): usize {
  return run(at, end, 4);
}

function begin6(at: usize, end: usize): usize {
  return run(at, end, 6);
}

@inline
function run(at: usize, end: usize, family: u32): usize {
  let kind = family == 4 ? IN4 : IN6;
  let sent = load<u32>(state, STATE_TRANSMIT_COUNT);
  end = min(end, at + <usize>(TRANSMIT_MAX - sent) * PACKET_BYTES);
  let entry = transmitList + <usize>sent * LIST_ENTRY_BYTES;
  let generation = load<u32>(CONTROL_BASE, CONTROL_ROUTE_GENERATION);
  let telling = isMaster();
  let nowMs = now;
  // A record for each packet is taken first, and what is left is given back in the end: should the engine trap between, records
  // are lost, but none is given out twice.
  let free = topOfFree();
  let lowest = free - min<usize>((end - at) / PACKET_BYTES * FREE_BYTES, free - freed);
  taken(<i32>(free - lowest) / <i32>FREE_BYTES);
  let service: u32 = 0;
  let server: u32 = 0;
  let isChosen = false;
  let sum = i64x2.splat(0);
  for (; at < end; at += PACKET_BYTES) {
    let packet = changetype<Packet>(at);
    if ((packet.flags & FLAGS) != kind) break;
    if (<usize>packet.connection != connections) break;
    let frame = <usize>packet.frame;
    if (!isBeginning(packet, frame, family)) break;
    if (shared && ownerOf(packet.hash) != worker) break;
    let places = matchesAndEmpty(packet.bucket, tagOf(packet.hash));
    // Nobody has begun it meanwhile.
    if ((places & 0xff) != 0) break;
    if (mayHavePassed(packet.bucket, tagOf(packet.hash)) && isFurther(packet.bucket, tagOf(packet.hash))) break;
    if (!isFor(service, packet, frame, family)) {
      countBegun(service, sum);
      sum = i64x2.splat(0);
      service = serviceOf(packet, frame, family);
      if (service == 0) break;
    }
    if (free == lowest) {
      // The stage before has put there what there is, so mostly the table is full. Nobody is asked whom to take for what cannot be
      // taken: a flood must be cheap.
      if (!isTableFull()) break;
      drop(DropReason.ConnectionTableFull);
      continue;
    }

    lock();
    server = serverForeseen(packet, service);
    if (server == 0) server = choose(service, packet, frame, family);
    isChosen = true;
    let prepared = preparedOf(server);
    if (!isPrepared(prepared)) break;
    let what = load<u32>(prepared, CONNECTION_PROTOCOL);
    let method = (what >> 16) & <u32>ConnectionFlag.ForwardMask;
    let bytes = packet.end - <u32>(frame + IP);
    let sentBytes = method == <u32>Forward.Tunnel ? wrappedBytes(server, bytes, generation) : bytes;
    let neighbor = <usize>load<u16>(prepared, CONNECTION_HOP_IN) * NEIGHBOR_BYTES;
    if (!carries(neighbor, sentBytes, nowMs)) break;
    isChosen = false;

    free -= FREE_BYTES;
    let index = load<u32>(free);
    let record = open(prepared, what >> 16, packet, index, places >> 8, server, family);
    countAt(Server.at(server), what >> 16);
    unlock();
    let one = packetOf(bytes);
    sum = i64x2.add(sum, one);
    add(serverCounter(server) + COUNTER_IN_PACKETS, one);
    addConnections(serverCounter(server), 1);
    frame = rewrite(frame, record, server, bytes, what, family);
    store<u32>(neighbor, nowMs, NEIGHBORS_BASE + NEIGHBOR_USED_MS);
    leave(frame, sentBytes + <u32>IP, neighbor, entry, packet.cause);
    entry += LIST_ENTRY_BYTES;
    if (telling) tellOthers(changetype<Connection>(record), 1);
  }
  countBegun(service, sum);
  taken(<i32>(lowest - free) / <i32>FREE_BYTES);
  store<u32>(state, <u32>(entry - transmitList) / LIST_ENTRY_BYTES, STATE_TRANSMIT_COUNT);
  if (!isChosen) return at;
  goOn(changetype<Packet>(at), service, server);
  unlock();
  return at + PACKET_BYTES;
}

/** First packets and their bytes, each of a new connection to a service: counted there and in all. */
function countBegun(service: u32, sum: v128): void {
  let begun = <u32>i64x2.extract_lane(sum, 0);
  if (begun == 0) return;
  add(serviceCounter(service) + COUNTER_IN_PACKETS, sum);
  addConnections(serviceCounter(service), begun);
  add(counters + COUNTER_IN_PACKETS, sum);
  addConnections(counters, begun);
}

/** A packet that may begin a connection, and that no answer but its server's is due to. All is asked at once, without a branch. */
@inline
function isBeginning(packet: Packet, frame: usize, family: u32): bool {
  let transport = frame + transportAt(family);
  let odd = packet.protocol == <u8>Protocol.Tcp ? <u32>load<u8>(transport, TCP_FLAGS) & (SYN | RST) ^ SYN : packet.steady ^ STEADY_UDP;
  odd |= <u32>(load<u8>(frame + hopsAt(family)) <= 1) | <u32>(load<u16>(transport) == <u16>FTP_DATA);
  odd |= <u32>(family == 4 ? isLocalStranger4(load<u32>(frame + sourceAt(4))) : isLocal6(frame + sourceAt(6)));
  return odd == 0;
}

/** True when a packet is for this service; mostly it is the last packet's. */
@inline
function isFor(service: u32, packet: Packet, frame: usize, family: u32): bool {
  let port = <u32>load<u16>(frame + transportAt(family) + TARGET_PORT);
  let record = <usize>SERVICES_BASE + <usize>service * SERVICE_BYTES;
  let other = load<u32>(record, SERVICE_PORT) ^ (port | <u32>packet.protocol << 16 | family << 24);
  if (family == 4) other |= load<u32>(record, SERVICE_ADDRESS + 12) ^ load<u32>(frame + targetAt(4));
  else other |= <u32>!sameAddress(record + SERVICE_ADDRESS, frame + targetAt(6));
  return other == 0;
}

/** The service of exactly a packet's address and port, 0 when there is none of which nothing unusual is asked. */
function serviceOf(packet: Packet, frame: usize, family: u32): u32 {
  fill(packet, frame, family);
  let service = findExact(family, 0, packet.protocol, packet.target, load<u16>(frame + transportAt(family) + TARGET_PORT));
  return Service.at(service).flags & (<u32>ServiceFlag.Persistent | <u32>ServiceFlag.OnePacket) ? 0 : service;
}

/** Asks the service's scheduler. */
@inline
function choose(service: u32, packet: Packet, frame: usize, family: u32): u32 {
  fill(packet, frame, family);
  return schedule(service, packet.source, load<u16>(frame + transportAt(family)), packet.target);
}

/** Fills a packet's addresses in their 16-byte form, which not every beginning needs. */
@inline
function fill(packet: Packet, frame: usize, family: u32): void {
  v128.store(packet.source, addressAt(frame + sourceAt(family), family));
  v128.store(packet.target, addressAt(frame + targetAt(family), family));
}

/** An address of a header in its 16-byte form. */
@inline
function addressAt(at: usize, family: u32): v128 {
  return family == 4 ? i32x4.replace_lane(i32x4(0, 0, 0xffff0000, 0), 3, load<u32>(at)) : v128.load(at);
}

/** Fills a record that was free, as prepared but for the client and the times. */
@inline
function open(prepared: usize, flags: u32, packet: Packet, index: u32, empty: u32, server: u32, family: u32): usize {
  let frame = <usize>packet.frame;
  let client = family == 4 ? load<u32>(frame + sourceAt(4)) : foldAddress(frame + sourceAt(6));
  let clientPort = load<u16>(frame + transportAt(family));
  let record = connections + <usize>index * CONNECTION_BYTES;
  v128.store(record, v128.load(prepared));
  v128.store(record, v128.load(prepared, 16), 16);
  v128.store(record, v128.load(prepared, 32), 32);
  v128.store(record, v128.load(prepared, 48), 48);
  store<u32>(record, client, CONNECTION_CLIENT);
  store<u32>(record, client, CONNECTION_CLIENT_AGAIN);
  store<u16>(record, clientPort, CONNECTION_CLIENT_PORT);
  store<u16>(record, clientPort, CONNECTION_CLIENT_PORT_AGAIN);
  store<u32>(record, now, CONNECTION_LAST_MS);
  if (family == 6 || (flags & <u32>ConnectionFlag.Detailed) != 0) {
    v128.store(record, addressAt(frame + sourceAt(family), family), CONNECTION_CLIENT16);
    v128.store(record, addressAt(frame + targetAt(family), family), CONNECTION_VIRTUAL16);
    v128.store(record, v128.load(Server.at(server).address), CONNECTION_SERVER16);
    v128.store(record, i64x2.splat(0), CONNECTION_CONTROL);
  }
  enter(packet.bucket, empty, tagOf(packet.hash), index, record);
  return record;
}

/** Puts a new connection into the first empty place of its bucket, in which nobody has its tag. */
@inline
function enter(bucket: usize, empty: u32, tag: u32, index: u32, record: usize): void {
  if (empty == 0) return insert(index);
  let place = ctz(empty);
  store<u16>(bucket + (<usize>place << 1), <u16>tag);
  store<u32>(bucket + (<usize>place << 2), index, BUCKET_INDICES);
  store<u32>(record, homeAt(bucket, place), CONNECTION_HOME);
  lookAfter(index, load<u32>(record, CONNECTION_TIMEOUT_MS));
}

/** A server has one connection more. */
@inline
function countAt(server: Server, flags: u32): void {
  server.references++;
  if (flags & <u32>ConnectionFlag.Inactive) server.inactive++;
  else server.active++;
  if (server.upper != 0 && server.total >= server.upper) server.flags |= <u32>ServerFlag.Overload;
  if (server.loadPlace != 0) loadChanged(server);
}

/** What the connection's method does to the packet; answers where the frame begins then. */
@inline
function rewrite(frame: usize, record: usize, server: u32, bytes: u32, what: u32, family: u32): usize {
  let method = (what >> 16) & <u32>ConnectionFlag.ForwardMask;
  let hops = <u32>load<u8>(frame + hopsAt(family));
  takeHop(frame, record, hops, family, FROM_CLIENT);
  if (method == <u32>Forward.Tunnel) {
    return wrap(frame, bytes, outerOf(server), Server.at(server), changetype<Connection>(record), hops - 1, family);
  }
  if (method != <u32>Forward.Nat) return frame;
  translate(frame, record, family, FROM_CLIENT);
  if ((what & 0xff) == <u32>Protocol.Tcp) amendTcp(frame, record, family, FROM_CLIENT);
  else amendUdp(frame, record, family, FROM_CLIENT);
  return frame;
}
