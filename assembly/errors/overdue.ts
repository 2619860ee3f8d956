// A datagram whose pieces did not all come in time: its sender is told (RFC 792, RFC 4443 section 3.3).

import { DropReason, Protocol } from "../abi/enums";
import { REASSEMBLIES_MAX } from "../abi/limits";
import { sendIcmpv6Error } from "../answer/icmpv6";
import { tellOnWay4 } from "../answer/rewritten";
import { goesOffAfterMs } from "../connection/wheel";
import { takeHop } from "../forward/hop";
import { isLocal } from "../link/local";
import { lock, since, unlock } from "../memory";
import { Datagram, IN_USE, TRACKED } from "../packet/datagram";
import { FRAGMENT_HEADER_BYTES } from "../packet/fragment";
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
    let datagram = changetype<Datagram>(record);
    if (isOverdue(datagram)) giveUp(datagram);
    unlock();
  }
}

function isOverdue(datagram: Datagram): bool {
  let timeoutMs = datagram.family == 6 ? TIMEOUT6_MS : TIMEOUT4_MS;
  return datagram.key != 0 && since(datagram.createdMs) >= goesOffAfterMs(datagram.createdMs, timeoutMs);
}

function firstOverdue(): usize {
  let first: usize = 0;
  for (let index: u32 = 0; index < REASSEMBLIES_MAX; index++) {
    let datagram = Datagram.at(index);
    if (isOverdue(datagram) && (first == 0 || datagram.isBefore(changetype<Datagram>(first)))) first = changetype<usize>(datagram);
  }
  return first;
}

function giveUp(datagram: Datagram): void {
  // What a worker that trapped had in use is only freed.
  if ((datagram.key & IN_USE) == 0) {
    tellOverdue(datagram);
    drop(DropReason.ReassemblyTimeout);
  }
  datagram.free();
}

/** Tells about a datagram that is given up. Only the first piece can say whose it was. */
function tellOverdue(datagram: Datagram): void {
  if (datagram.headerBytes == 0 || datagram.pieces == 0) return;
  // Between frames no packet is in use.
  let packet = Packet.at(0);
  packet.family = <u8>datagram.family;
  packet.protocol = <u8>datagram.protocol;
  packet.flags = 0;
  packet.l4 = <u32>datagram.payload;
  packet.end = packet.l4 + datagram.until(0);
  packet.l3 = <u32>datagram.header;
  if (packet.family == 6) restoreHeader6(packet, datagram);
  packet.fillAddresses();
  if (packet.family == 6) return sendIcmpv6Error(packet, TIME_EXCEEDED6, REASSEMBLY, 0);
  if (!isLocal(packet.target)) {
    // Where all fragments are put together at the door, only the target's own are told of.
    if (datagram.key & TRACKED) return;
    // What is only passing has taken its hop before the kernel looks for the other pieces: it is quoted so.
    takeHop(packet);
  }
  tellOnWay4(packet, TIME_EXCEEDED4, REASSEMBLY, 0);
}

/** Puts the fragment header back, which the record's copy of the headers does without. */
function restoreHeader6(packet: Packet, datagram: Datagram): void {
  let l3 = <usize>packet.l3 - FRAGMENT_HEADER_BYTES;
  memory.copy(l3, packet.l3, datagram.headerBytes);
  packet.l3 = <u32>l3;
  let next = l3 + datagram.nextAt;
  let fragment = <usize>packet.l4 - FRAGMENT_HEADER_BYTES;
  store<u8>(fragment, load<u8>(next));
  store<u8>(fragment, 0, 1);
  set16(fragment + 2, 1); // offset 0, more to come
  store<u32>(fragment, datagram.id, 4);
  store<u8>(next, <u8>Protocol.Fragment);
}
