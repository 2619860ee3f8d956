// A master tells of its connections: after a client's packet, when that is one of which others should hear.

import { EXTRA_IN, EXTRA_OUT, EXTRA_TEXT_BYTES, SYNCED_BY_OTHERS } from "../abi/layout";
import { ConnectionFlag, SyncRole, Sysctl } from "../abi/enums";
import { Connection } from "../connection/connection";
import { Extra } from "../connection/extra";
import { copyNote } from "../connection/note";
import { Sequence } from "../helper/sequence";
import { lock, unlock } from "../memory";
import { sysctl } from "../sysctl";
import { set16, set32, copyAddress } from "../wire/field";
import {
  ADDRESSES_AT, ENGINE_SIP, ENGINE_SIP_BYTES, ENTRY_BYTES_4, ENTRY_BYTES_6, OLD_ENTRY_BYTES, OPTION_ENGINE, OPTION_SEQUENCES,
  OPTION_TEXT, SEQUENCES_BYTES, TYPE_IPV6, WireFlag,
} from "./message";
import { portsOf } from "./daemon";
import { takeNeeded } from "./needed";
import { addEntry, textPlace } from "./queue";

/** More than any chain of connections that control each other. */
const CHAIN_MAX: u32 = 8;

/** After a client's packet, its connection's `packets`th: tells others of the connection, and of what controls it. */
export function tellOthers(connection: Connection, packets: u32): void {
  let number = connection.number;
  if (!tell(connection, number, packets) || connection.control == 0) return;
  // What controls it is not this worker's alone.
  lock();
  for (let step: u32 = 0; step < CHAIN_MAX && connection.control != 0; step++) {
    number = connection.control;
    connection = Connection.numbered(number);
    if (!tell(connection, number, connection.has(ConnectionFlag.Template) ? ++connection.packets : sysctl(Sysctl.SyncThreshold))) break;
  }
  unlock();
}

/** False when what controls the connection is not to be looked at: the old version asks so only with the connection itself. */
function tell(connection: Connection, number: u32, packets: u32): bool {
  let isOld = sysctl(Sysctl.SyncVersion) == 0;
  if (!isTold(connection) || (isOld && connection.family == 6) || !takeNeeded(connection, packets)) return !isOld;
  // Always the same port of sync_ports, so that a connection's messages come in their order.
  let port = number & (portsOf(<u32>SyncRole.Master) - 1);
  if (isOld) writeOld(connection, port);
  else write(connection, port);
  return true;
}

/** Not of one-packet connections, nor of mixed families; with sync_persist_mode not where a template says enough. */
function isTold(connection: Connection): bool {
  if (connection.has(ConnectionFlag.OnePacket) || connection.serverFamily != connection.family) return false;
  return sysctl(Sysctl.SyncPersistMode) == 0 || !isByTemplate(connection);
}

function isByTemplate(connection: Connection): bool {
  for (let step: u32 = 0; step < CHAIN_MAX && connection.control != 0; step++) {
    connection = Connection.numbered(connection.control);
    if (connection.has(ConnectionFlag.Template)) return true;
  }
  return false;
}

function write(connection: Connection, port: u32): void {
  let isWide = connection.family == 6;
  let bytes = isWide ? ENTRY_BYTES_6 : ENTRY_BYTES_4;
  let isShifted = hasShift(connection);
  let textBytes = textBytesOf(connection);
  let whole = bytes;
  if (isShifted) whole += 2 + SEQUENCES_BYTES;
  if (textBytes != 0) whole += 2 + textBytes + 2 + ENGINE_SIP_BYTES;
  let at = addEntry(port, whole, 1);
  if (at == 0) return;
  store<u8>(at, isWide ? <u8>TYPE_IPV6 : 0);
  store<u8>(at, connection.protocol, 1);
  set16(at + 2, whole);
  set32(at + 4, flagsOf(connection));
  set16(at + 8, connection.state);
  store<u16>(at, connection.clientPort, 10);
  store<u16>(at, connection.virtualPort, 12);
  store<u16>(at, connection.serverPort, 14);
  set32(at + 16, connection.fwmark);
  set32(at + 20, connection.timeoutMs / 1000);
  writeAddresses(at + ADDRESSES_AT, connection, isWide);
  at += bytes;
  if (isShifted) {
    store<u8>(at, <u8>OPTION_SEQUENCES);
    store<u8>(at, <u8>SEQUENCES_BYTES, 1);
    writeSequences(at + 2, connection, false);
    at += 2 + SEQUENCES_BYTES;
  }
  if (textBytes != 0) writeText(at, connection, textBytes);
}

function writeOld(connection: Connection, port: u32): void {
  let isShifted = hasShift(connection);
  let at = addEntry(port, OLD_ENTRY_BYTES + (isShifted ? SEQUENCES_BYTES : 0), 0);
  if (at == 0) return;
  store<u8>(at, 0);
  store<u8>(at, connection.protocol, 1);
  store<u16>(at, connection.clientPort, 2);
  store<u16>(at, connection.virtualPort, 4);
  store<u16>(at, connection.serverPort, 6);
  writeAddresses(at + 8, connection, false);
  set16(at + 20, flagsOf(connection));
  set16(at + 22, connection.state);
  if (isShifted) writeSequences(at + OLD_ENTRY_BYTES, connection, true);
}

function writeAddresses(at: usize, connection: Connection, isWide: bool): void {
  if (isWide) {
    copyAddress(at, connection.client16);
    copyAddress(at + 16, connection.virtual16);
    copyAddress(at + 32, connection.server16);
    return;
  }
  store<u32>(at, connection.client);
  store<u32>(at, connection.virtual, 4);
  store<u32>(at, connection.serverAddress, 8);
}

/** The kernel's flags. */
function flagsOf(connection: Connection): u32 {
  let flags = connection.forward;
  if ((<u32>connection.synced & SYNCED_BY_OTHERS) != 0) flags |= <u32>WireFlag.Synced;
  if (connection.has(ConnectionFlag.NoOutput)) flags |= <u32>WireFlag.NoOutput;
  if (connection.has(ConnectionFlag.Inactive)) flags |= <u32>WireFlag.Inactive;
  if (connection.has(ConnectionFlag.NoClientPort)) flags |= <u32>WireFlag.NoClientPort;
  if (connection.has(ConnectionFlag.Template)) flags |= <u32>WireFlag.Template;
  if (isHelped(connection)) flags |= <u32>WireFlag.Helped;
  if (!hasShift(connection)) return flags;
  if (isShifted(sequenceOf(connection, EXTRA_OUT))) flags |= <u32>WireFlag.ServerSequence;
  if (isShifted(sequenceOf(connection, EXTRA_IN))) flags |= <u32>WireFlag.ClientSequence;
  return flags;
}

/** FTP's command connections, and the data connections they announced. */
function isHelped(connection: Connection): bool {
  if (connection.has(ConnectionFlag.Helped)) return true;
  return connection.control != 0 && !Connection.numbered(connection.control).has(ConnectionFlag.Template);
}

function sequenceOf(connection: Connection, place: u32): Sequence {
  return changetype<Sequence>(changetype<usize>(Extra.at(connection.extra)) + place);
}

function isShifted(sequence: Sequence): bool {
  return (sequence.shift | sequence.before) != 0;
}

function hasShift(connection: Connection): bool {
  if (connection.extra == 0 || connection.has(ConnectionFlag.Template)) return false;
  return isShifted(sequenceOf(connection, EXTRA_IN)) || isShifted(sequenceOf(connection, EXTRA_OUT));
}

function writeSequences(at: usize, connection: Connection, isNative: bool): void {
  writeSequence(at, sequenceOf(connection, EXTRA_IN), isNative);
  writeSequence(at + 12, sequenceOf(connection, EXTRA_OUT), isNative);
}

function writeSequence(at: usize, sequence: Sequence, isNative: bool): void {
  writeWord(at, sequence.place, isNative);
  writeWord(at + 4, sequence.shift, isNative);
  writeWord(at + 8, sequence.before, isNative);
}

function writeWord(at: usize, value: u32, isNative: bool): void {
  if (isNative) store<u32>(at, value);
  else set32(at, value);
}

function textBytesOf(connection: Connection): u32 {
  if (connection.extra == 0 || !connection.has(ConnectionFlag.Template)) return 0;
  return load<u8>(changetype<usize>(Extra.at(connection.extra)), EXTRA_TEXT_BYTES);
}

function writeText(at: usize, connection: Connection, bytes: u32): void {
  copyNote(connection, textPlace());
  store<u8>(at, <u8>OPTION_TEXT);
  store<u8>(at, <u8>bytes, 1);
  memory.copy(at + 2, textPlace(), bytes);
  at += 2 + bytes;
  store<u8>(at, <u8>OPTION_ENGINE);
  store<u8>(at, <u8>ENGINE_SIP_BYTES, 1);
  store<u16>(at, <u16>ENGINE_SIP, 2);
  store<u8>(at, <u8>(ENGINE_SIP >> 16), 4);
}
