// A datagram whose pieces did not all come in time: its sender is told (RFC 792, RFC 4443 section 3.3).

import { DropReason, Protocol } from "../abi/enums";
import { REASSEMBLIES_MAX } from "../abi/limits";
import { sendIcmpError } from "../answer/icmp";
import { sendIcmpv6Error } from "../answer/icmpv6";
import { goesOffAfterMs } from "../connection/wheel";
import { takeHop } from "../forward/hop";
import { isLocal } from "../link/local";
import { lock, since, unlock } from "../memory";
import {
  FRAGMENT_HEADER_BYTES, IN_USE, isBefore, PAYLOAD, PIECES, RECORD_HEADER_BYTES, RECORD_NEXT_AT, RECORD_PIECES, recordAt, TRACKED,
} from "../packet/fragment";
import { Packet } from "../packet/packet";
import { drop } from "../stats";
import { set16 } from "../wire/field";

const TIME_EXCEEDED4: u32 = 11;
const TIME_EXCEEDED6: u32 = 3;
const REASSEMBLY: u32 = 1;
// As the kernel waits; RFC 8200 section 4.5 asks for the second.
const TIMEOUT4_MS: u32 = 30000;
const TIMEOUT6_MS: u32 = 60000;

/** Each tick: datagrams whose pieces never came are given up, in the order they began to come. */
export function sweepReassemblies(): void {
  for (let record = firstOverdue(); record != 0; record = firstOverdue()) {
    lock();
    // Another worker may have got what was missing meanwhile.
    if (isOverdue(record)) giveUp(record);
    unlock();
  }
}

function isOverdue(record: usize): bool {
  let timeoutMs = load<u8>(record, 5) == 6 ? TIMEOUT6_MS : TIMEOUT4_MS;
  return load<u32>(record, 4) != 0 && since(load<u32>(record, 8)) >= goesOffAfterMs(load<u32>(record, 8), timeoutMs);
}

function firstOverdue(): usize {
  let first: usize = 0;
  for (let index: u32 = 0; index < REASSEMBLIES_MAX; index++) {
    let record = recordAt(index);
    if (isOverdue(record) && (first == 0 || isBefore(record, first))) first = record;
  }
  return first;
}

function giveUp(record: usize): void {
  // What a worker that trapped had in use is only freed.
  if ((load<u32>(record, 4) & IN_USE) == 0) {
    tellOverdue(record);
    drop(DropReason.ReassemblyTimeout);
  }
  store<u32>(record, 0, 4);
}

/** Tells about a record that is given up. Only the first piece can say whose the datagram was. */
function tellOverdue(record: usize): void {
  let headerBytes = load<u32>(record, RECORD_HEADER_BYTES);
  if (headerBytes == 0 || load<u32>(record, RECORD_PIECES) == 0) return;
  // Between frames no packet is in use.
  let packet = Packet.at(0);
  packet.family = load<u8>(record, 5);
  packet.protocol = load<u8>(record, 4);
  packet.flags = 0;
  packet.l4 = <u32>(record + PAYLOAD);
  packet.end = packet.l4 + <u32>load<u16>(record + PIECES, 2);
  packet.l3 = packet.l4 - headerBytes;
  if (packet.family == 6) restoreHeader6(packet, record, headerBytes);
  packet.fillAddresses();
  if (packet.family == 6) return sendIcmpv6Error(packet, TIME_EXCEEDED6, REASSEMBLY, 0);
  if (!isLocal(packet.target)) {
    // Where all fragments are put together at the door, only the target's own are told of.
    if (load<u32>(record, 4) & TRACKED) return;
    // What is only passing has taken its hop before the kernel looks for the other pieces: it is quoted so.
    takeHop(packet);
  }
  sendIcmpError(packet, TIME_EXCEEDED4, REASSEMBLY, 0);
}

/** Puts the fragment header back, which the record's copy of the headers does without. */
function restoreHeader6(packet: Packet, record: usize, headerBytes: u32): void {
  let l3 = <usize>packet.l3 - FRAGMENT_HEADER_BYTES;
  memory.copy(l3, packet.l3, headerBytes);
  packet.l3 = <u32>l3;
  let next = l3 + load<u32>(record, RECORD_NEXT_AT);
  let fragment = <usize>packet.l4 - FRAGMENT_HEADER_BYTES;
  store<u8>(fragment, load<u8>(next));
  store<u8>(fragment, 0, 1);
  set16(fragment + 2, 1); // offset 0, more to come
  store<u32>(fragment, load<u32>(record), 4);
  store<u8>(next, <u8>Protocol.Fragment);
}
