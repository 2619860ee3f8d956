// What a worker asks of another about a connection that only its owner may change. The connection is named by its
// key: its record may be another's when the owner reads that.

import {
  HANDED_CLIENT, HANDED_CLIENT_PORT, HANDED_FAMILY, HANDED_KEY_BYTES, HANDED_KIND, HANDED_PROTOCOL, HANDED_VIRTUAL, HANDED_VIRTUAL_PORT,
} from "../abi/layout";
import { Handed } from "../abi/enums";
import { Connection } from "../connection/connection";
import { FROM_CLIENT, lookup } from "../connection/table";
import { copyAddress } from "../wire/field";
import { giveTo, reserveFor } from "./between";

/** Asks a connection's owner to do something with it; false when the ring is full. */
export function ask(owner: u32, kind: Handed, connection: Connection): bool {
  let record = reserveFor(owner, HANDED_KEY_BYTES);
  if (record == 0) return false;
  store<u32>(record, <u32>kind, HANDED_KIND);
  copyAddress(record + HANDED_CLIENT, connection.client16);
  copyAddress(record + HANDED_VIRTUAL, connection.virtual16);
  store<u16>(record, connection.clientPort, HANDED_CLIENT_PORT);
  store<u16>(record, connection.virtualPort, HANDED_VIRTUAL_PORT);
  store<u8>(record, connection.protocol, HANDED_PROTOCOL);
  store<u8>(record, <u8>connection.family, HANDED_FAMILY);
  giveTo(owner, record);
  return true;
}

/** The connection of ours that a request is about; 0 when it has ended meanwhile. */
export function askedFor(record: usize): u32 {
  return lookup(FROM_CLIENT, load<u8>(record, HANDED_FAMILY), load<u8>(record, HANDED_PROTOCOL), record + HANDED_CLIENT,
    load<u16>(record, HANDED_CLIENT_PORT), record + HANDED_VIRTUAL, load<u16>(record, HANDED_VIRTUAL_PORT));
}
