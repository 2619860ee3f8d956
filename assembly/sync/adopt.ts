// One told connection becomes ours, or brings ours up to date (as the kernel: recording sync_backup_entries).

import { EXTRA_IN, EXTRA_OUT, SYNCED_BY_OTHERS, TIMEOUTS_SCTP, TIMEOUTS_UDP } from "../abi/layout";
import { ConnectionFlag, DropReason, Forward, Protocol, SctpState, Sysctl, TcpState, UdpState } from "../abi/enums";
import { lookupAwaited } from "../connection/awaited";
import { Connection } from "../connection/connection";
import { setTimeoutMs } from "../connection/due";
import { Extra, extraOf } from "../connection/extra";
import { keepNote } from "../connection/note";
import { bindServer, closeConnection, endRetired, openUnbound, retireConnection, setActive, timeoutMs } from "../connection/open";
import { FROM_CLIENT, insert, lookup, lookupTemplate, remove } from "../connection/table";
import { ownerByClient } from "../connection/owner";
import { bindHelper } from "../helper/table";
import { enterCommons, leaveCommons, lock, shared, unlock, worker } from "../memory";
import { Sequence } from "../helper/sequence";
import { findListed } from "../service/named";
import { findService, Service } from "../service/service";
import { drop } from "../stats";
import { sysctl } from "../sysctl";
import { get32 } from "../wire/field";
import { WireFlag } from "./message";
import { noteTold } from "./needed";
import { ENGINE_IS_SIP, Told } from "./told";

/** Of templates and states whose time is not told. */
const TIMEOUT_MS: u32 = 180000;
/** A month, as --set allows at most: no message keeps a connection longer. */
const TIMEOUT_S_MAX: u32 = 86400 * 31;
const STATE_MAX: u32 = 255;

/**
 * Takes a connection over where it is this worker's. What is nobody's alone is taken over by the worker that got
 * the message, not by those it was handed to.
 */
export function take(told: Told, isHanded: bool): void {
  if (!shared) return adopt(told);
  let isCommon = (told.flags & (<u32>WireFlag.Template | <u32>WireFlag.NoClientPort)) != 0;
  let isOurs = isCommon ? !isHanded : ownerByClient(told.client, told.clientPort, told.protocol) == worker;
  if (!isOurs) return;
  lock();
  if (isCommon) enterCommons();
  adopt(told);
  if (isCommon) leaveCommons();
  unlock();
}

/** Takes a connection over as told; one that cannot be is counted and changes nothing. */
function adopt(told: Told): void {
  if (!isKnown(told)) return drop(DropReason.SyncRefused);
  let isTemplate = (told.flags & <u32>WireFlag.Template) != 0;
  let index = isTemplate ? findTemplate(told) : findConnection(told);
  let replaced: u32 = 0;
  if (index != 0 && !isTemplate && isElsewhere(told, Connection.at(index))) {
    // The end of a connection that another has replaced already says nothing.
    if (told.flags & <u32>WireFlag.Inactive) return;
    if (Connection.at(index).children != 0) return drop(DropReason.SyncRefused);
    retireConnection(index);
    replaced = index;
    index = 0;
  }
  if (index != 0) update(told, Connection.at(index));
  else index = open(told);
  // It ends as one does whose client began anew, at the next tick (as the kernel: recording feeds/told_connections-8002-v1).
  if (replaced != 0) endRetired(replaced);
  if (index == 0) return;
  let connection = Connection.at(index);
  takeSequences(told, connection);
  connection.packets = sysctl(Sysctl.SyncThreshold);
  connection.state = <u8>min(told.state, STATE_MAX);
  connection.touch();
  setTimeoutMs(connection, timeoutOf(told));
  noteTold(connection);
}

/** True when protocol, state, method and persistence engine are ones that exist here. */
function isKnown(told: Told): bool {
  if ((told.flags & <u32>WireFlag.Method) > <u32>Forward.Bypass) return false;
  if (told.text != 0 && told.engine != ENGINE_IS_SIP) return false;
  if (told.flags & <u32>WireFlag.Template) return told.clientPort == 0 && (told.protocol == 0 || statesOf(told.protocol) != 0);
  return told.state < statesOf(told.protocol);
}

function statesOf(protocol: u32): u32 {
  switch (protocol) {
    case <u32>Protocol.Tcp: return <u32>TcpState.Last;
    case <u32>Protocol.Udp: return <u32>UdpState.Last;
    case <u32>Protocol.Sctp: return <u32>SctpState.Last;
    default: return 0;
  }
}

function findTemplate(told: Told): u32 {
  return lookupTemplate(told.family, told.protocol, told.client, told.virtual, told.virtualPort, told.text, told.textBytes);
}

function findConnection(told: Told): u32 {
  let index = lookup(FROM_CLIENT, told.family, told.protocol, told.client, told.clientPort, told.virtual, told.virtualPort);
  if (index != 0 || told.clientPort == 0) return index;
  return lookupAwaited(FROM_CLIENT, told.family, told.protocol, told.client, told.clientPort, told.virtual, told.virtualPort);
}

function isElsewhere(told: Told, connection: Connection): bool {
  return told.serverPort != connection.serverPort || !connection.serverIs(told.server);
}

/** The server it is told to be at, when that is one of ours; 0 else: it is served, but counted nowhere. */
function serverOf(told: Told): u32 {
  let index = findService(told.family, told.fwmark, told.protocol, told.virtual, told.virtualPort);
  if (index == 0) return 0;
  let service = Service.at(index);
  // A mark's servers keep the port, but for NAT.
  let isAny = service.fwmark != 0 && (told.flags & <u32>WireFlag.Method) != <u32>Forward.Nat;
  let server = isAny ? 0 : findListed(service, told.family, told.server, told.serverPort);
  return server != 0 ? server : findListed(service, told.family, told.server, 0);
}

function update(told: Told, connection: Connection): void {
  if (!connection.has(ConnectionFlag.Template)) setActive(connection, (told.flags & <u32>WireFlag.Inactive) == 0);
  if (connection.server == 0 && connection.forward != <u32>Forward.Bypass) {
    let server = serverOf(told);
    if (server != 0) bind(told, connection, server);
  }
}

function open(told: Told): u32 {
  let index = openUnbound(told.family, told.protocol, told.client, told.clientPort, told.virtual, told.virtualPort,
    told.server, told.serverPort, flagsOf(told), told.fwmark);
  if (index == 0) return 0;
  let connection = Connection.at(index);
  connection.synced = <u16>SYNCED_BY_OTHERS;
  let server = serverOf(told);
  if (server != 0) bind(told, connection, server);
  if (!connection.has(ConnectionFlag.Template)) bindHelper(connection);
  else if (told.text != 0 && !label(told, index)) return 0;
  return index;
}

function bind(told: Told, connection: Connection, server: u32): void {
  connection.clear(ConnectionFlag.NoOutput);
  bindServer(connection, server, told.serverPort);
  if (!connection.has(ConnectionFlag.Template) && (told.flags & <u32>WireFlag.Inactive) == 0) setActive(connection, true);
}

function label(told: Told, index: u32): bool {
  remove(index);
  if (!keepNote(Connection.at(index), told.text, told.textBytes)) {
    closeConnection(index);
    return false;
  }
  insert(index);
  return true;
}

/** Only what a message may decide. */
function flagsOf(told: Told): u32 {
  let flags = told.flags & <u32>WireFlag.Method;
  if (told.flags & <u32>WireFlag.NoOutput) flags |= <u32>ConnectionFlag.NoOutput;
  if (told.flags & <u32>WireFlag.Inactive) flags |= <u32>ConnectionFlag.Inactive;
  if (told.flags & <u32>WireFlag.Template) flags |= <u32>ConnectionFlag.Template;
  else if ((told.flags & <u32>WireFlag.NoClientPort) != 0 && told.clientPort == 0) flags |= <u32>ConnectionFlag.NoClientPort;
  return flags;
}

/** Only helped connections have use for shifts, and only where the flags say so. */
function takeSequences(told: Told, connection: Connection): void {
  if (told.sequences == 0 || !connection.has(ConnectionFlag.Helped)) return;
  let extra = extraOf(connection);
  if (extra == 0) return;
  let record = changetype<usize>(Extra.at(extra));
  readSequence(changetype<Sequence>(record + EXTRA_IN), told, 0, (told.flags & <u32>WireFlag.ClientSequence) != 0);
  readSequence(changetype<Sequence>(record + EXTRA_OUT), told, 12, (told.flags & <u32>WireFlag.ServerSequence) != 0);
}

function readSequence(sequence: Sequence, told: Told, offset: u32, isMeant: bool): void {
  sequence.place = isMeant ? sequenceWord(told, offset) : 0;
  sequence.shift = isMeant ? sequenceWord(told, offset + 4) : 0;
  sequence.before = isMeant ? sequenceWord(told, offset + 8) : 0;
}

function sequenceWord(told: Told, offset: u32): u32 {
  let at = <usize>told.sequences + offset;
  return told.isNative != 0 ? load<u32>(at) : get32(at);
}

function timeoutOf(told: Told): u32 {
  if (told.timeoutS != 0) return min(told.timeoutS, TIMEOUT_S_MAX) * 1000;
  if (told.flags & <u32>WireFlag.Template) return TIMEOUT_MS;
  switch (<u32>told.protocol) {
    case <u32>Protocol.Tcp: return timeoutMs(told.state);
    case <u32>Protocol.Udp: return timeoutMs(TIMEOUTS_UDP + told.state);
    default: return timeoutMs(TIMEOUTS_SCTP + told.state);
  }
}
