// Opening and closing connections: the record, its keys, its place at the server.

import { CONTROL_BASE, CONTROL_TIMEOUTS } from "../abi/layout";
import { ConnectionFlag, DropReason, Forward, Handed, ServerFlag, TemplateState } from "../abi/enums";
import { combine, difference16, difference32, fold64, sum } from "../wire/checksum";
import { ask } from "../handover/request";
import { drop } from "../stats";
import { loadChanged } from "../schedule/loads";
import { Server } from "../service/server";
import { Connection } from "./connection";
import { endAtTick } from "./early";
import { giveExtra } from "./extra";
import { give, take } from "./free";
import { insert, insertBehind, remove, vacate } from "./table";
import { lock, lookAt, now, unlock, worker, workers } from "../memory";

/** A new connection lives this long until its protocol's state says otherwise, as in the kernel. */
const FIRST_TIMEOUT_MS: u32 = 3000;

export function timeoutMs(place: u32): u32 {
  return load<u32>(CONTROL_BASE + CONTROL_TIMEOUTS + place * 4);
}

/**
 * Makes a connection to a server and puts it into the table. Answers 0 (and counts) when it is full.
 *
 * Addresses are places of 16 bytes, ports in network order. Without a server (0) it bypasses them all.
 */
export function openConnection(
  family: u32, protocol: u32, client: usize, clientPort: u32, virtual: usize, virtualPort: u32,
  server: u32, serverPort: u32, flags: u32, fwmark: u32,
): u32 {
  let index = takeFor(family, protocol, client, clientPort, virtual, virtualPort, flags, fwmark);
  if (index == 0) return 0;
  let connection = Connection.at(index);
  if (server != 0) bindServer(connection, server, serverPort);
  else bypass(connection);
  if ((flags & <u32>ConnectionFlag.OnePacket) == 0) insert(index);
  return index;
}

/** A record with everything but its server; 0 (counted) when all are in use. */
function takeFor(
  family: u32, protocol: u32, client: usize, clientPort: u32, virtual: usize, virtualPort: u32, flags: u32, fwmark: u32,
): u32 {
  let index = take();
  if (index == 0) {
    drop(DropReason.ConnectionTableFull);
    return 0;
  }
  let connection = Connection.at(index);
  connection.protocol = <u8>protocol;
  connection.clientPort = connection.clientPortAgain = <u16>clientPort;
  connection.virtualPort = <u16>virtualPort;
  connection.flags = <u16>(flags | (family == 6 ? <u32>ConnectionFlag.Ipv6 : 0));
  if (family == 6) connection.takeDetails();
  connection.setClient(client);
  connection.setVirtual(virtual);
  connection.timeoutMs = FIRST_TIMEOUT_MS;
  connection.lastMs = now;
  connection.fwmark = fwmark;
  return index;
}

/**
 * Makes a connection as another director has told of it, to a server that need not be one of ours: it is served as
 * its flags say, and counted nowhere. Answers 0 (and counts) when the table is full.
 */
export function openUnbound(
  family: u32, protocol: u32, client: usize, clientPort: u32, virtual: usize, virtualPort: u32,
  server: usize, serverPort: u32, flags: u32, fwmark: u32,
): u32 {
  let index = takeFor(family, protocol, client, clientPort, virtual, virtualPort, flags, fwmark);
  if (index == 0) return 0;
  let connection = Connection.at(index);
  connection.setServer(server);
  connection.serverPort = <u16>serverPort;
  prepareDeltas(connection);
  insert(index);
  return index;
}

/** A connection without a server goes where its client wanted; it is listed with no address. */
function bypass(connection: Connection): void {
  let flags = <u32>connection.flags & ~<u32>ConnectionFlag.ForwardMask;
  connection.flags = <u16>(flags | <u32>Forward.Bypass | <u32>ConnectionFlag.Inactive | <u32>ConnectionFlag.NoOutput);
  connection.server = 0;
  connection.serverPort = 0;
  connection.serverAddress = 0;
  if (connection.family == 6) memory.fill(connection.server16, 0, 16);
  prepareDeltas(connection);
}

/** Gives a connection its server, counts it there, and prepares what every packet of it will need. */
export function bindServer(connection: Connection, index: u32, serverPort: u32): void {
  let server = Server.at(index);
  connection.server = <u16>index;
  connection.serverPort = <u16>serverPort;
  connection.setServer(server.address);
  let flags = <u32>connection.flags & ~<u32>ConnectionFlag.ForwardMask;
  flags |= <u32>server.forward | <u32>ConnectionFlag.Inactive;
  if (server.forward != <u8>Forward.Nat) flags |= <u32>ConnectionFlag.NoOutput;
  connection.flags = <u16>flags;
  prepareDeltas(connection);

  lock();
  server.references++;
  if (connection.has(ConnectionFlag.Template)) server.persistent++;
  else server.inactive++;
  if (server.upper != 0 && server.total >= server.upper) server.flags |= <u32>ServerFlag.Overload;
  loadChanged(server);
  unlock();
}

/** Takes a connection from its server's counts, and lifts the overload when enough have left. */
@inline
export function unbindServer(connection: Connection): void {
  if (connection.server == 0) return;
  let server = Server.at(connection.server);
  lock();
  if (connection.has(ConnectionFlag.Template)) server.persistent--;
  else if (connection.has(ConnectionFlag.Inactive)) server.inactive--;
  else server.active--;
  if (server.flags & <u32>ServerFlag.Overload) reconsider(server);
  server.references--;
  if (server.loadPlace != 0) loadChanged(server);
  unlock();
  connection.server = 0;
}

/** An overloaded server takes more again below its lower threshold; without one, below three quarters of the upper. */
function reconsider(server: Server): void {
  let isStillFull = server.lower != 0 ? server.total >= server.lower : server.upper != 0 && <u64>server.total * 4 >= <u64>server.upper * 3;
  if (!isStillFull) server.flags &= ~<u32>ServerFlag.Overload;
}

/** Ends a connection of the table looked at: out of it, off its server, its record free. */
export function closeConnection(index: u32): void {
  close(index);
}

/** The same, where many end one after the other. */
@inline
export function close(index: u32): void {
  let connection = Connection.at(index);
  remove(index);
  unbindServer(connection);
  if (connection.has(ConnectionFlag.Detailed)) letGo(connection);
  give(index);
}

/** The same of one of a worker's own that is plain: nobody waits for it, nothing hangs on it. Its record is to be laid to the free. */
@inline
export function partPlain(connection: Connection): void {
  vacate(connection);
  unbindServer(connection);
}

/** What hangs on a connection, and what it hangs on, does so no more. */
function letGo(connection: Connection): void {
  if (connection.control != 0) {
    lock();
    Connection.numbered(connection.control).children--;
    unlock();
  }
  connection.control = 0;
  giveExtra(connection);
}

/**
 * Ends a connection before its time. What controlled it goes too, unless others need it or, of a template, the
 * client has been seen to be real.
 */
export function dropConnection(index: u32): void {
  lock();
  let above = Connection.at(index).control;
  closeConnection(index);
  while (above != 0 && !isNeeded(Connection.numbered(above))) above = closeNumbered(above, Handed.Drop);
  unlock();
}

/** Ends a connection whose server is gone, and what controlled it as soon as nothing lives by that. */
export function abandonConnection(index: u32): void {
  lock();
  let above = Connection.at(index).control;
  closeConnection(index);
  while (above != 0 && Connection.numbered(above).children == 0) above = closeNumbered(above, Handed.Abandon);
  unlock();
}

/** Drops a connection that controlled one of another worker's, unless it is needed again. */
export function dropUnneeded(index: u32): void {
  if (!isNeeded(Connection.at(index))) dropConnection(index);
}

/**
 * Ends a connection of this worker's or of the commons, and answers what controlled it; another worker is asked to
 * end its own. Where its ring is full, that one ends when its time is over.
 */
function closeNumbered(number: u32, how: Handed): u32 {
  let connection = Connection.numbered(number);
  let above = connection.control;
  let owner = Connection.shardOf(number);
  if (owner != worker && owner != workers) {
    ask(owner, how, connection);
    return 0;
  }
  let before = lookAt(owner);
  closeConnection(connection.index);
  lookAt(before);
  return above;
}

function isNeeded(control: Connection): bool {
  if (control.children != 0) return true;
  return control.has(ConnectionFlag.Template) && control.state == <u8>TemplateState.Assured;
}

/**
 * A client begins anew where this connection was: nobody finds it any more. Its server still counts it, so that
 * one at its upper threshold is seen to be full (as the kernel: recording reuse_at_threshold).
 */
export function retireConnection(index: u32): void {
  let connection = Connection.at(index);
  remove(index);
  if (connection.children == 0) return;
  // While it controls others it stays in the table, and under port 65535 nobody finds it.
  connection.clientPort = connection.clientPortAgain = 0;
  connection.virtualPort = connection.serverPort = 0xffff;
  connection.clear(ConnectionFlag.Helped);
  giveExtra(connection);
  insert(index);
}

/**
 * Once the new connection is in the table, or is not to be: a retired one goes behind it, where only its server's
 * packets find it, and ends at the next tick, unless one of those came (as the kernel: recording old_connection).
 * One that controls others ends when they have.
 */
export function endRetired(index: u32): void {
  let connection = Connection.at(index);
  if (connection.children != 0) return;
  connection.set(ConnectionFlag.Retired);
  insertBehind(index);
  endSoon(index);
}

/** It ends at the next tick, unless a packet comes before. */
export function endSoon(index: u32): void {
  Connection.at(index).endNow();
  if (!endAtTick(index)) closeConnection(index);
}

/** Moves a connection between its server's active and inactive counts. */
export function setActive(connection: Connection, active: bool): void {
  if (connection.has(ConnectionFlag.Inactive) != active || connection.server == 0) return;
  let server = Server.at(connection.server);
  lock();
  if (active) {
    server.active++;
    server.inactive--;
    connection.clear(ConnectionFlag.Inactive);
  } else {
    server.active--;
    server.inactive++;
    connection.set(ConnectionFlag.Inactive);
  }
  loadChanged(server);
  unlock();
}

/** One hop less: the TTL is the high byte of its word on the wire, the low one in our order. */
const HOP: u32 = 0xfffe;

/**
 * Precomputes what rewriting does to the two checksums (RFC 1624), so that a packet costs two additions.
 *
 * In: virtual -> server address and port. Out: server -> virtual. IPv4 headers also lose one hop.
 */
function prepareDeltas(connection: Connection): void {
  if (connection.forward != <u32>Forward.Nat) {
    connection.ipDeltaIn = <u16>HOP;
    return;
  }
  let ports = difference16(connection.virtualPort, connection.serverPort);
  let portsOut = difference16(connection.serverPort, connection.virtualPort);
  if (connection.family == 4) {
    let addresses = difference32(connection.virtual, connection.serverAddress);
    let addressesOut = difference32(connection.serverAddress, connection.virtual);
    connection.ipDeltaIn = <u16>combine(addresses, HOP);
    connection.ipDeltaOut = <u16>combine(addressesOut, HOP);
    connection.l4DeltaIn = <u16>combine(addresses, ports);
    connection.l4DeltaOut = <u16>combine(addressesOut, portsOut);
  } else {
    connection.l4DeltaIn = <u16>combine(addressDifference(connection.virtual16, connection.server16), ports);
    connection.l4DeltaOut = <u16>combine(addressDifference(connection.server16, connection.virtual16), portsOut);
  }
}

/** What replacing one 16-byte address by another does to a sum. */
export function addressDifference(before: usize, after: usize): u32 {
  return combine(~fold64(sum(before, 16)) & 0xffff, fold64(sum(after, 16)));
}
