// Messages of a master: one that is filled for each of sync_ports, and those that wait to be sent. They lie in the
// worker's ring, in the order they were begun. A full one leaves a moment later, any one two seconds after its
// first entry (as the kernel: recording sync_master_full).

import {
  CONTROL_BASE, CONTROL_SYNC_MASTER, SYNC_EPOCH, SYNC_HEAD, SYNC_ID, SYNC_MESSAGE_BYTES, SYNC_OPEN, SYNC_QUEUED, SYNC_QUEUES_BASE,
  SYNC_QUEUE_BYTES, SYNC_RECORD_BYTES, SYNC_RECORD_FIRST_MS, SYNC_RECORD_MESSAGE, SYNC_RECORD_MESSAGE_BYTES, SYNC_RECORD_PORT,
  SYNC_RECORD_QUEUED_MS, SYNC_RECORD_STATE, SYNC_RING, SYNC_SEEN, SYNC_TAIL, SYNC_TEXT, SYNC_USED, SYNC_WORKER_BYTES,
} from "../abi/layout";
import { DropReason, SyncRecord, Sysctl } from "../abi/enums";
import { SYNC_PORTS_MAX } from "../abi/limits";
import { now, worker } from "../memory";
import { drop } from "../stats";
import { sysctl } from "../sysctl";
import { set16 } from "../wire/field";
import { HEADER_BYTES, OLD_HEADER_BYTES } from "./message";
import { sendMessage } from "./send";

const FILL_MS: u32 = 2000;
/** Two ticks of a kernel that ticks a hundred times a second, and what is left of the one at hand. */
const SEND_MS: u32 = 30;
/** The count of entries is one byte. */
const ENTRIES_MAX: u32 = 255;
const LINE: u32 = 64;
/** What a record takes beside its message. */
const ROUNDED: u32 = SYNC_RECORD_MESSAGE + LINE - 1;

/** Where this worker's words lie (SYNC_TAIL and the like). */
function words(): usize {
  return <usize>SYNC_QUEUES_BASE + <usize>worker * SYNC_WORKER_BYTES;
}

function ring(): usize {
  return words() + SYNC_RING;
}

/** Room for a text of TEXT_BYTES_MAX. */
export function textPlace(): usize {
  return words() + SYNC_TEXT;
}

function openAt(port: u32): usize {
  return words() + SYNC_OPEN + (<usize>port << 2);
}

/** A daemon that was started or stopped meanwhile: nothing of the one before is sent. */
function followEpoch(): void {
  let epoch = load<u32>(CONTROL_BASE, CONTROL_SYNC_MASTER + SYNC_EPOCH);
  if (load<u32>(words(), SYNC_SEEN) == epoch) return;
  memory.fill(words(), 0, SYNC_OPEN + 4 * SYNC_PORTS_MAX);
  store<u32>(words(), epoch, SYNC_SEEN);
}

/** Where an entry of so many bytes goes, in a message of this version; 0 (counted) when there is no room. */
export function addEntry(port: u32, bytes: u32, version: u32): usize {
  followEpoch();
  let record = <usize>load<u32>(openAt(port));
  if (record != 0 && !hasRoom(record, bytes, version)) {
    close(port, record);
    record = 0;
  }
  if (record == 0) record = begin(port, bytes, version);
  if (record == 0) {
    drop(DropReason.SyncQueueFull);
    return 0;
  }
  let message = record + SYNC_RECORD_MESSAGE;
  let used = load<u32>(record, SYNC_RECORD_MESSAGE_BYTES);
  let at = used + padding(used, version);
  memory.fill(message + used, 0, at - used);
  let count: usize = version == 0 ? 0 : 4;
  store<u8>(message + count, load<u8>(message + count) + 1);
  set16(message + 2, at + bytes);
  store<u32>(record, at + bytes, SYNC_RECORD_MESSAGE_BYTES);
  return message + at;
}

/** Entries of version 1 begin at multiples of four; those of version 0 always do. */
function padding(used: u32, version: u32): u32 {
  return version == 0 ? 0 : (0 - used) & 3;
}

function versionOf(record: usize): u32 {
  // An old message begins with its count of entries, which is never 0.
  return load<u8>(record, SYNC_RECORD_MESSAGE) == 0 ? 1 : 0;
}

function hasRoom(record: usize, bytes: u32, version: u32): bool {
  if (versionOf(record) != version) return false;
  let used = load<u32>(record, SYNC_RECORD_MESSAGE_BYTES);
  let count = <u32>load<u8>(record + SYNC_RECORD_MESSAGE + (version == 0 ? 0 : 4));
  return count < ENTRIES_MAX && used + padding(used, version) + bytes <= load<u32>(CONTROL_BASE, CONTROL_SYNC_MASTER + SYNC_MESSAGE_BYTES);
}

/** Begins a message; one entry always fits. 0 when the ring is full. */
function begin(port: u32, bytes: u32, version: u32): usize {
  let headerBytes = version == 0 ? OLD_HEADER_BYTES : HEADER_BYTES;
  let room = max(load<u32>(CONTROL_BASE, CONTROL_SYNC_MASTER + SYNC_MESSAGE_BYTES), headerBytes + bytes);
  let record = allocate((room + ROUNDED) & ~(LINE - 1));
  if (record == 0) return 0;
  store<u32>(record, <u32>SyncRecord.Open, SYNC_RECORD_STATE);
  store<u32>(record, headerBytes, SYNC_RECORD_MESSAGE_BYTES);
  store<u32>(record, port, SYNC_RECORD_PORT);
  store<u32>(record, now, SYNC_RECORD_FIRST_MS);
  let message = record + SYNC_RECORD_MESSAGE;
  store<u64>(message, 0);
  store<u8>(message, <u8>load<u32>(CONTROL_BASE, CONTROL_SYNC_MASTER + SYNC_ID), 1);
  if (version != 0) store<u8>(message, <u8>version, 5);
  store<u32>(openAt(port), <u32>record);
  return record;
}

/** Takes so many bytes (a multiple of 64) of the ring; 0 when they are not free. */
function allocate(bytes: u32): usize {
  let head = load<u32>(words(), SYNC_HEAD);
  let used = load<u32>(words(), SYNC_USED);
  let rest = SYNC_QUEUE_BYTES - head;
  if (used + bytes + (rest < bytes ? rest : 0) > SYNC_QUEUE_BYTES) return 0;
  if (rest < bytes) {
    store<u32>(ring() + head, rest, SYNC_RECORD_BYTES);
    store<u32>(ring() + head, <u32>SyncRecord.Skip, SYNC_RECORD_STATE);
    used += rest;
    head = 0;
  }
  store<u32>(ring() + head, bytes, SYNC_RECORD_BYTES);
  store<u32>(words(), (head + bytes) % SYNC_QUEUE_BYTES, SYNC_HEAD);
  store<u32>(words(), used + bytes, SYNC_USED);
  return ring() + head;
}

/** No more is added to a message: it waits to be sent, or is lost (counted) when too many wait already. */
function close(port: u32, record: usize): void {
  store<u32>(openAt(port), 0);
  if (load<u32>(words(), SYNC_QUEUED) < sysctl(Sysctl.SyncQlenMax)) return queue(record, now);
  store<u32>(record, <u32>SyncRecord.Sent, SYNC_RECORD_STATE);
  drop(DropReason.SyncQueueFull);
}

function queue(record: usize, sinceMs: u32): void {
  store<u32>(record, <u32>SyncRecord.Queued, SYNC_RECORD_STATE);
  store<u32>(record, sinceMs, SYNC_RECORD_QUEUED_MS);
  store<u32>(words(), load<u32>(words(), SYNC_QUEUED) + 1, SYNC_QUEUED);
}

/** Sends what is due. With every tick. */
export function flushMessages(): void {
  followEpoch();
  release();
  for (let port: u32 = 0; port < SYNC_PORTS_MAX; port++) {
    let record = <usize>load<u32>(openAt(port));
    if (record == 0 || now - load<u32>(record, SYNC_RECORD_FIRST_MS) < FILL_MS) continue;
    store<u32>(openAt(port), 0);
    queue(record, now - SEND_MS);
  }
  let at = load<u32>(words(), SYNC_TAIL);
  for (let left = load<u32>(words(), SYNC_USED); left != 0 && load<u32>(words(), SYNC_QUEUED) != 0;) {
    let record = ring() + at;
    if (load<u32>(record, SYNC_RECORD_STATE) == <u32>SyncRecord.Queued && now - load<u32>(record, SYNC_RECORD_QUEUED_MS) >= SEND_MS) {
      sendMessage(record);
      store<u32>(record, <u32>SyncRecord.Sent, SYNC_RECORD_STATE);
      store<u32>(words(), load<u32>(words(), SYNC_QUEUED) - 1, SYNC_QUEUED);
    }
    left -= load<u32>(record, SYNC_RECORD_BYTES);
    at = (at + load<u32>(record, SYNC_RECORD_BYTES)) % SYNC_QUEUE_BYTES;
  }
}

/** What was listed before has been sent: its place is free. */
function release(): void {
  let at = load<u32>(words(), SYNC_TAIL);
  let used = load<u32>(words(), SYNC_USED);
  while (used != 0) {
    let record = ring() + at;
    let what = load<u32>(record, SYNC_RECORD_STATE);
    if (what != <u32>SyncRecord.Sent && what != <u32>SyncRecord.Skip) break;
    used -= load<u32>(record, SYNC_RECORD_BYTES);
    at = (at + load<u32>(record, SYNC_RECORD_BYTES)) % SYNC_QUEUE_BYTES;
  }
  store<u32>(words(), at, SYNC_TAIL);
  store<u32>(words(), used, SYNC_USED);
}
