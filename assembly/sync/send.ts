// A sync message onto the wire: a datagram to the group, in pieces when it is longer than the port's frames.

import {
  CONTROL_BASE, CONTROL_LOCALS_USED, LOCALS_BASE, LOCAL_BYTES, LOCAL_FAMILY, LOCAL_PORT, LOCAL_WHOLE, PORT_MAC, SYNC_FAMILY, SYNC_GROUP, SYNC_HOPS, SYNC_PORT,
  SYNC_RECORD_MESSAGE, SYNC_RECORD_MESSAGE_BYTES, SYNC_RECORD_PORT, SYNC_UDP_PORT,
} from "../abi/layout";
import { DropReason, Protocol, SyncRole } from "../abi/enums";
import { header4, nextIdentification6 } from "../answer/icmp";
import { header6 } from "../answer/icmpv6";
import { multicastMac } from "../link/ask";
import { portAt, portMtu } from "../link/local";
import { OWN_PACKET_BYTES, ownFrame, sendPlain } from "../packet/slot";
import { drop } from "../stats";
import { fold64, pseudo4, pseudo6, seal4, sum } from "../wire/checksum";
import { set16 } from "../wire/field";
import { daemonOf } from "./daemon";

const ETHERNET_BYTES: u32 = 14;
const UDP_BYTES: u32 = 8;
const FRAGMENT_BYTES: u32 = 8;
/** Where our ports begin; any would do (RFC 6335 section 6). */
const SOURCE_PORT: u32 = 49152;
const MORE_4: u32 = 0x2000;
const MORE_6: u32 = 1;

/** Sends the message of a record of the queue from where it lies. Without an address to speak from it is lost (counted). */
export function sendMessage(record: usize): void {
  let daemon = daemonOf(<u32>SyncRole.Master);
  let port = load<u32>(daemon, SYNC_PORT);
  let family = <u32>load<u8>(daemon, SYNC_FAMILY);
  let source = sourceOf(port, family, daemon + SYNC_GROUP);
  if (source == 0) return drop(DropReason.NoRoute);
  let bytes = UDP_BYTES + load<u32>(record, SYNC_RECORD_MESSAGE_BYTES);
  let udp = record + SYNC_RECORD_MESSAGE - UDP_BYTES;
  set16(udp, SOURCE_PORT + load<u32>(record, SYNC_RECORD_PORT));
  set16(udp + 2, <u32>load<u16>(daemon, SYNC_UDP_PORT) + load<u32>(record, SYNC_RECORD_PORT));
  set16(udp + 4, bytes);
  store<u16>(udp, 0, 6);
  let ip = udp - headerBytes(family);
  writeHeader(ip, family, daemon, source, bytes);
  let pseudo = family == 4 ? pseudo4(load<u32>(source, 12), load<u32>(daemon, SYNC_GROUP + 12), <u32>Protocol.Udp, bytes)
    : pseudo6(source, daemon + SYNC_GROUP, <u32>Protocol.Udp, bytes);
  let value = ~fold64(sum(udp, bytes) + pseudo) & 0xffff;
  store<u16>(udp, value == 0 ? 0xffff : <u16>value, 6);
  let frame = ip - ETHERNET_BYTES;
  groupFrame(frame, port, family, daemon + SYNC_GROUP);
  if (headerBytes(family) + bytes <= portMtu(port)) return sendPlain(port, <u32>frame, ETHERNET_BYTES + headerBytes(family) + bytes);
  sendInPieces(port, family, ip, bytes);
}

function headerBytes(family: u32): u32 {
  return family == 4 ? 20 : 40;
}

/** The Ethernet header of a frame to a group (RFC 1112 section 6.4, RFC 2464 section 7). */
export function groupFrame(frame: usize, port: u32, family: u32, group: usize): void {
  if (family == 4) {
    store<u32>(frame, 0x005e0001);
    store<u8>(frame, load<u8>(group, 13) & 0x7f, 3);
    store<u16>(frame, load<u16>(group, 14), 4);
  } else multicastMac(frame, group);
  memory.copy(frame + 6, portAt(port) + PORT_MAC, 6);
  store<u16>(frame, family == 4 ? 0x0008 : 0xdd86, 12);
}

function writeHeader(ip: usize, family: u32, daemon: usize, source: usize, bytes: u32): void {
  let hops = <u32>load<u8>(daemon, SYNC_HOPS);
  let group = daemon + SYNC_GROUP;
  if (family == 4) header4(ip, 0, 20 + bytes, <u32>Protocol.Udp, hops, load<u32>(source, 12), load<u32>(group, 12));
  else header6(ip - ETHERNET_BYTES, bytes, <u32>Protocol.Udp, hops, source, group);
}

/** Each piece in a frame of its own, as large as the port's frames and ours allow. */
function sendInPieces(port: u32, family: u32, ip: usize, bytes: u32): void {
  let header = headerBytes(family);
  let before = header + (family == 6 ? FRAGMENT_BYTES : 0);
  let room = (min(portMtu(port), OWN_PACKET_BYTES) - before) & ~7;
  let identification = family == 6 ? nextIdentification6() : 0;
  for (let offset: u32 = 0; offset < bytes; offset += room) {
    let frame = ownFrame();
    if (frame == 0) return;
    let part = min(room, bytes - offset);
    let to = <usize>frame + ETHERNET_BYTES;
    memory.copy(frame, ip - ETHERNET_BYTES, ETHERNET_BYTES + header);
    memory.copy(to + before, ip + header + offset, part);
    let more = offset + part < bytes;
    if (family == 4) {
      set16(to + 2, header + part);
      set16(to + 6, (more ? MORE_4 : 0) | offset >> 3);
      seal4(to, header);
    } else {
      set16(to + 4, FRAGMENT_BYTES + part);
      store<u8>(to, <u8>Protocol.Fragment, 6);
      store<u16>(to, <u16>Protocol.Udp, 40);
      set16(to + 42, offset | (more ? MORE_6 : 0));
      store<u32>(to, identification, 44);
    }
    sendPlain(port, frame, ETHERNET_BYTES + before + part);
  }
}

/**
 * The address a port speaks to a group from: of IPv4 its first; of IPv6 its last, one of the link where the group
 * is the link's (RFC 6724 rule 2). 0 when it has none. Answers the place of 16 bytes.
 */
export function sourceOf(port: u32, family: u32, group: usize): usize {
  let used = load<u32>(CONTROL_BASE, CONTROL_LOCALS_USED);
  let found: usize = 0;
  let wantsLink = family == 6 && (load<u8>(group, 1) & 15) <= 2;
  for (let index: u32 = 1; index < used; index++) {
    let local = <usize>LOCALS_BASE + <usize>index * LOCAL_BYTES;
    if (<u32>load<u8>(local, LOCAL_FAMILY) != family || load<u8>(local, LOCAL_WHOLE) != 0 || <u32>load<u16>(local, LOCAL_PORT) != port) continue;
    if (family == 4) return local;
    if (found == 0 || isOfLink(local) == wantsLink || isOfLink(found) != wantsLink) found = local;
  }
  return found;
}

function isOfLink(address: usize): bool {
  return (load<u16>(address) & 0xc0ff) == 0x80fe;
}
