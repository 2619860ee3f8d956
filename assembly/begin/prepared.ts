// What a new connection to each server looks like: kept when the long road has opened one, so that the next begins as a
// copy. It is the first line of a record, everything in it but the client and the times; its home is the state of
// all settings at that time (CONTROL_CHANGES), and it is of one generation of routes.

import {
  CONNECTION_GENERATION, CONNECTION_HOME, CONTROL_BASE, CONTROL_CHANGES, CONTROL_ROUTE_GENERATION, PREPARED_BYTES,
} from "../abi/layout";
import { ConnectionFlag, Forward } from "../abi/enums";
import { Connection } from "../connection/connection";
import { HOP_LOCAL } from "../forward/hop";
import { prepared } from "../memory";

/** Nothing else hangs on a connection that is only this; in its details are long addresses. */
const PLAIN_FLAGS: u32 = <u32>ConnectionFlag.ForwardMask | <u32>ConnectionFlag.Ipv6 | <u32>ConnectionFlag.Inactive |
  <u32>ConnectionFlag.NoOutput | <u32>ConnectionFlag.Hashed | <u32>ConnectionFlag.Detailed;

/** Where a server's lies. */
@inline
export function preparedOf(server: u32): usize {
  return prepared + <usize>server * PREPARED_BYTES;
}

/** True when what is kept there is not out of date. */
@inline
export function isPrepared(at: usize): bool {
  return ((load<u32>(at, CONNECTION_HOME) ^ load<u32>(CONTROL_BASE, CONTROL_CHANGES)) |
    (load<u32>(at, CONNECTION_GENERATION) ^ load<u32>(CONTROL_BASE, CONTROL_ROUTE_GENERATION))) == 0;
}

/** Keeps what a connection looks like after its first packet, if others may begin as this one; by CONTROL_CHANGES before it. */
export function prepare(connection: Connection, changes: u32): void {
  if (connection.forward == <u32>Forward.Local || connection.forward == <u32>Forward.Bypass) return;
  if (<u32>connection.hopIn - 1 >= HOP_LOCAL - 1) return;
  let untold = <u32>connection.flags & ~<u32>ConnectionFlag.ToldMask;
  if ((untold & ~PLAIN_FLAGS) != 0) return;
  let at = preparedOf(connection.server);
  memory.copy(at, changetype<usize>(connection), PREPARED_BYTES);
  let kept = changetype<Connection>(at);
  kept.flags = <u16>untold;
  kept.synced = 0;
  kept.home = changes;
}
