// What other directors tell a backup. A message's entries are taken one after the other; at the first place that
// makes no sense the rest is left, and what came before it stays (as the kernel: recordings sync_backup_*).

import { SYNC_ID, SYNC_MESSAGE_BYTES, SYNC_UDP_PORT } from "../abi/layout";
import { DropReason, Protocol, SyncRole } from "../abi/enums";
import { TEXT_BYTES_MAX } from "../abi/limits";
import { handToAll, isHandedIn } from "../handover/handover";
import { shared } from "../memory";
import { Packet, PacketFlag } from "../packet/packet";
import { drop } from "../stats";
import { fold64, pseudo4, pseudo6, sum } from "../wire/checksum";
import { copyAddress, get16, get32, mapAddress } from "../wire/field";
import { take } from "./adopt";
import { daemonOf, portsOf } from "./daemon";
import { ENGINE_IS_SIP, ENGINE_UNKNOWN, Told } from "./told";
import {
  ADDRESSES_AT, ENGINE_NAME_MAX, ENGINE_SIP, ENGINE_SIP_BYTES, ENTRY_BYTES_4, ENTRY_BYTES_6, ENTRY_BYTES_MASK, HEADER_BYTES, OLD_ENTRY_BYTES,
  OLD_HEADER_BYTES, OPTION_ENGINE, OPTION_OPTIONAL, OPTION_SEQUENCES, OPTION_TEXT, SEQUENCES_BYTES, TYPE_IPV6, WireFlag,
} from "./message";

const UDP_BYTES: u32 = 8;

/** A whole datagram to the backup's group, by its port. */
export function receiveSync(packet: Packet): void {
  let udp = <usize>packet.l4;
  let daemon = daemonOf(<u32>SyncRole.Backup);
  if (packet.protocol != <u8>Protocol.Udp) return drop(DropReason.Broadcast);
  if (udp + UDP_BYTES > <usize>packet.end) return drop(DropReason.Truncated);
  let target = get16(udp + 2) - <u32>load<u16>(daemon, SYNC_UDP_PORT);
  if (target >= portsOf(<u32>SyncRole.Backup)) return drop(DropReason.Broadcast);
  let bytes = get16(udp + 4);
  if (bytes < UDP_BYTES || udp + bytes > <usize>packet.end) return drop(DropReason.Truncated);
  if (!isIntact(packet, bytes)) return drop(DropReason.TransportChecksum);
  bytes -= UDP_BYTES;
  if (bytes < OLD_HEADER_BYTES || bytes > load<u32>(daemon, SYNC_MESSAGE_BYTES)) return drop(DropReason.SyncBad);
  if (get16(udp + UDP_BYTES + 2) != bytes) return drop(DropReason.SyncBad);
  let id = load<u32>(daemon, SYNC_ID);
  if (id != 0 && <u32>load<u8>(udp + UDP_BYTES, 1) != id) return drop(DropReason.SyncForeign);
  let isHanded = isHandedIn(packet);
  if (shared && !isHanded) handToAll(packet);
  if (!readMessage(udp + UDP_BYTES, bytes, isHanded) && !isHanded) drop(DropReason.SyncBad);
}

function isIntact(packet: Packet, bytes: u32): bool {
  let udp = <usize>packet.l4;
  if (packet.has(PacketFlag.Partial) || (packet.family == 4 && load<u16>(udp, 6) == 0)) return true;
  let pseudo = packet.family == 4 ? pseudo4(load<u32>(packet.l3, 12), load<u32>(packet.l3, 16), <u32>Protocol.Udp, bytes)
    : pseudo6(<usize>packet.l3 + 8, <usize>packet.l3 + 24, <u32>Protocol.Udp, bytes);
  return fold64(sum(udp, bytes) + pseudo) == 0xffff;
}

/** False when an entry makes no sense. */
function readMessage(message: usize, bytes: u32, isHanded: bool): bool {
  let isNew = bytes >= HEADER_BYTES && load<u8>(message) == 0 && load<u8>(message, 5) == 1 && load<u16>(message, 6) == 0;
  let end = message + bytes;
  let at = message + (isNew ? HEADER_BYTES : OLD_HEADER_BYTES);
  for (let left = load<u8>(isNew ? message + 4 : message); left != 0; left--) {
    at = isNew ? readEntry(at, end, isHanded) : readOldEntry(at, end, isHanded);
    if (at == 0) return false;
  }
  return true;
}

/** Takes an entry and answers where the next one is; 0 when it makes no sense. */
function readEntry(at: usize, end: usize, isHanded: bool): usize {
  if (at + ENTRY_BYTES_4 > end) return 0;
  let size = get16(at + 2);
  let next = at + (size & ENTRY_BYTES_MASK);
  let type = <u32>load<u8>(at);
  let isWide = (type & TYPE_IPV6) != 0;
  let optionsAt = at + (isWide ? ENTRY_BYTES_6 : ENTRY_BYTES_4);
  if (next > end || size > ENTRY_BYTES_MASK || type > TYPE_IPV6 || optionsAt > next) return 0;
  let told = Told.here();
  told.family = isWide ? 6 : 4;
  told.protocol = load<u8>(at, 1);
  told.flags = get32(at + 4);
  told.state = get16(at + 8);
  told.clientPort = load<u16>(at, 10);
  told.virtualPort = load<u16>(at, 12);
  told.serverPort = load<u16>(at, 14);
  told.fwmark = get32(at + 16);
  told.timeoutS = get32(at + 20);
  readAddresses(told, at + ADDRESSES_AT, isWide);
  let outcome = readOptions(told, optionsAt, next);
  if (outcome == BROKEN) return 0;
  if (outcome == SOUND) take(told, isHanded);
  else if (!isHanded) drop(DropReason.SyncRefused);
  return at + (((size & ENTRY_BYTES_MASK) + 3) & ~3);
}

function readOldEntry(at: usize, end: usize, isHanded: bool): usize {
  if (at + OLD_ENTRY_BYTES > end) return 0;
  let next = at + OLD_ENTRY_BYTES;
  let told = Told.here();
  told.family = 4;
  told.protocol = load<u8>(at, 1);
  told.flags = get16(at + 20);
  told.state = get16(at + 22);
  told.clientPort = load<u16>(at, 2);
  told.virtualPort = load<u16>(at, 4);
  told.serverPort = load<u16>(at, 6);
  told.fwmark = 0;
  told.timeoutS = 0;
  told.clearOptions();
  if (told.flags & (<u32>WireFlag.ClientSequence | <u32>WireFlag.ServerSequence)) {
    told.sequences = <u32>next;
    told.isNative = 1;
    next += SEQUENCES_BYTES;
    if (next > end) return 0;
  }
  readAddresses(told, at + 8, false);
  take(told, isHanded);
  return next;
}

function readAddresses(told: Told, at: usize, isWide: bool): void {
  for (let place: usize = 0; place < 3; place++) {
    if (isWide) copyAddress(told.client + place * 16, at + place * 16);
    else mapAddress(told.client + place * 16, load<u32>(at + place * 4));
  }
}

const SOUND: u32 = 0;
/** An option that must be known is not: the entry is passed over. */
const FOREIGN: u32 = 1;
/** An option does not fit or comes twice: nothing after it can be trusted. */
const BROKEN: u32 = 2;

function readOptions(told: Told, at: usize, end: usize): u32 {
  told.clearOptions();
  let outcome = SOUND;
  while (at < end) {
    if (at + 2 > end) return BROKEN;
    let kind = <u32>load<u8>(at);
    let bytes = <u32>load<u8>(at, 1);
    at += 2;
    if (bytes == 0 || at + bytes > end) return BROKEN;
    switch (kind & ~OPTION_OPTIONAL) {
      case OPTION_SEQUENCES:
        if (bytes != SEQUENCES_BYTES || told.sequences != 0) return BROKEN;
        told.sequences = <u32>at;
        break;
      case OPTION_TEXT:
        if (bytes > TEXT_BYTES_MAX || told.text != 0) return BROKEN;
        told.text = <u32>at;
        told.textBytes = bytes;
        break;
      case OPTION_ENGINE:
        if (bytes > ENGINE_NAME_MAX || told.engine != 0) return BROKEN;
        told.engine = isSip(at, bytes) ? ENGINE_IS_SIP : ENGINE_UNKNOWN;
        break;
      default:
        if ((kind & OPTION_OPTIONAL) == 0) outcome = FOREIGN;
    }
    at += bytes;
  }
  return outcome;
}

function isSip(at: usize, bytes: u32): bool {
  return bytes == ENGINE_SIP_BYTES && (<u32>load<u16>(at) | <u32>load<u8>(at, 2) << 16) == ENGINE_SIP;
}
