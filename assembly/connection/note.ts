// What a persistence engine finds a template by, beside the client: a text of the packet (SIP's Call-ID). It
// lies in extras, as many as it needs, one after the other.

import { EXTRA_NEXT, EXTRA_TEXT, EXTRA_TEXT_BYTES, EXTRA_TEXT_HASH } from "../abi/layout";
import { mix } from "../base/hash";
import { seed } from "../memory";
import { Connection } from "./connection";
import { Extra, giveExtra, takeExtra } from "./extra";

/** A text's hash. Every step is seeded: nobody can choose texts that meet in one bucket. */
export function hashNote(text: usize, bytes: u32): u32 {
  let hash = bytes;
  let at: u32 = 0;
  for (; at + 4 <= bytes; at += 4) hash = mix(hash, load<u32>(text + at), seed);
  for (; at < bytes; at++) hash = mix(hash, load<u8>(text + at), seed);
  return hash;
}

/** Keeps a text with a connection that is not in the table. False (counted), and nothing kept, without room. */
export function keepNote(connection: Connection, text: usize, bytes: u32): bool {
  let extra = takeExtra();
  if (extra == 0) return false;
  connection.extra = extra;
  let record = changetype<usize>(Extra.at(extra));
  store<u32>(record, hashNote(text, bytes), EXTRA_TEXT_HASH);
  store<u8>(record, <u8>bytes, EXTRA_TEXT_BYTES);
  let done = min(bytes, EXTRA_NEXT - EXTRA_TEXT);
  memory.copy(record + EXTRA_TEXT, text, done);
  while (done < bytes) {
    let next = takeExtra();
    if (next == 0) {
      giveExtra(connection);
      return false;
    }
    Extra.at(extra).next = next;
    extra = next;
    let part = min(bytes - done, EXTRA_NEXT);
    memory.copy(changetype<usize>(Extra.at(extra)), text + done, part);
    done += part;
  }
  return true;
}

/** The hash of the text kept with a connection, 0 without one. */
export function noteHash(connection: Connection): u32 {
  return connection.extra == 0 ? 0 : load<u32>(changetype<usize>(Extra.at(connection.extra)), EXTRA_TEXT_HASH);
}

/** True when the text kept with a connection is this one; without bytes, when there is none. */
export function hasNote(connection: Connection, text: usize, bytes: u32): bool {
  let extra = connection.extra;
  if (extra == 0 || bytes == 0) return extra == 0 && bytes == 0;
  let record = changetype<usize>(Extra.at(extra));
  if (<u32>load<u8>(record, EXTRA_TEXT_BYTES) != bytes) return false;
  let offset = EXTRA_TEXT;
  for (let at: u32 = 0; at < bytes; at++, offset++) {
    if (offset == EXTRA_NEXT) {
      extra = Extra.at(extra).next;
      record = changetype<usize>(Extra.at(extra));
      offset = 0;
    }
    if (load<u8>(record + offset) != load<u8>(text + at)) return false;
  }
  return true;
}

/** Copies the text kept with a connection to a place with room for TEXT_BYTES_MAX. */
export function copyNote(connection: Connection, to: usize): void {
  let extra = connection.extra;
  let record = changetype<usize>(Extra.at(extra));
  let left = <u32>load<u8>(record, EXTRA_TEXT_BYTES);
  let from = EXTRA_TEXT;
  while (left != 0) {
    let part = min(left, EXTRA_NEXT - from);
    memory.copy(to, record + from, part);
    to += part;
    left -= part;
    extra = Extra.at(extra).next;
    record = changetype<usize>(Extra.at(extra));
    from = 0;
  }
}
