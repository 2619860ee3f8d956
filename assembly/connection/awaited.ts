// Connections that a command connection has announced (FTP's data). With several workers nobody knows yet whose
// they will be: they wait in the commons, and the worker that their first packet comes to takes them over.

import { CONNECTION_BYTES, CONTROL_BASE, CONTROL_COMMONS, STATE_AWAITED } from "../abi/layout";
import { ConnectionFlag } from "../abi/enums";
import { enterCommons, leaveCommons, lock, shared, table, unlock } from "../memory";
import { Connection } from "./connection";
import { give, take } from "./free";
import { FROM_CLIENT, insert, lookup, remove } from "./table";

/** The announced connection that a packet begins, as lookup() is asked; 0 when there is none. */
export function lookupAwaited(
  from: u32, family: u32, protocol: u32, client: usize, clientPort: u32, other: usize, otherPort: u32,
): u32 {
  if (shared) return takeOver(from, family, protocol, client, clientPort, other, otherPort);
  if (from != FROM_CLIENT || load<u32>(table, STATE_AWAITED) == 0) return 0;
  let index = lookupPortless(family, protocol, client, other, otherPort);
  if (index == 0) return 0;
  remove(index);
  fillClientPort(Connection.at(index), clientPort);
  insert(index);
  return index;
}

/** One whose client's port is not known yet. */
function lookupPortless(family: u32, protocol: u32, client: usize, virtual: usize, virtualPort: u32): u32 {
  let index = lookup(FROM_CLIENT, family, protocol, client, 0, virtual, virtualPort);
  return index != 0 && Connection.at(index).has(ConnectionFlag.NoClientPort) ? index : 0;
}

/** The announced client has come: from now on its connection is found by its port, as every other. */
function fillClientPort(connection: Connection, port: u32): void {
  if (!connection.has(ConnectionFlag.NoClientPort)) return;
  connection.clientPort = connection.clientPortAgain = <u16>port;
  connection.clear(ConnectionFlag.NoClientPort);
}

function takeOver(
  from: u32, family: u32, protocol: u32, client: usize, clientPort: u32, other: usize, otherPort: u32,
): u32 {
  if (load<u32>(<usize>CONTROL_BASE + CONTROL_COMMONS, STATE_AWAITED) == 0) return 0;
  lock();
  enterCommons();
  let index = lookup(from, family, protocol, client, clientPort, other, otherPort);
  if (index == 0 && from == FROM_CLIENT) index = lookupPortless(family, protocol, client, other, otherPort);
  let awaited = Connection.at(index);
  leaveCommons();
  let taken = index == 0 ? 0 : take();
  if (taken != 0) {
    let connection = Connection.at(taken);
    memory.copy(changetype<usize>(connection), changetype<usize>(awaited), CONNECTION_BYTES);
    connection.clear(ConnectionFlag.Hashed);
    fillClientPort(connection, clientPort);
    insert(taken);
    enterCommons();
    remove(index);
    give(index);
    leaveCommons();
  }
  unlock();
  return taken;
}
