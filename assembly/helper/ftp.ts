// FTP names its data connections in the text of the command connection (RFC 959, RFC 2428).
//
// Active: the client says PORT or EPRT, the server connects from the port below its own. Passive: the
// client says PASV or EPSV, the server answers 227 or 229 with a port of its own; in 227 the server's
// address becomes the virtual one. Either way an entry waits for the data connection, in state LISTEN.

import { STATE_HELPER } from "../abi/layout";
import { ConnectionFlag, DropReason, FtpMode, Handed, Protocol, TcpState } from "../abi/enums";
import { Connection } from "../connection/connection";
import { setTimeoutMs } from "../connection/due";
import { Extra, extraOf } from "../connection/extra";
import { openConnection, timeoutMs } from "../connection/open";
import { ownerByClient } from "../connection/owner";
import { FROM_CLIENT, FROM_SERVER, lookup } from "../connection/table";
import { ask } from "../handover/request";
import { enterCommons, leaveCommons, lock, lookAt, shared, state, unlock, worker } from "../memory";
import { Packet, PacketFlag } from "../packet/packet";
import { OWN_FRAME_BYTES } from "../packet/slot";
import { drop } from "../stats";
import { amend, difference16 } from "../wire/checksum";
import { get16, mapAddress, port, sameAddress, set16 } from "../wire/field";
import { BAD, isDigit, readAddress4, readAddress6, writeNumber } from "./text";

/** Answers of readReply beside the growth in bytes. */
export const UNCHANGED: i32 = i32.MIN_VALUE;
export const DROPPED: i32 = i32.MIN_VALUE + 1;

// Four letters as a word in memory; commands are compared in lower case.
const LOWER: u32 = 0x20202020;
const PORT: u32 = 0x74726f70;
const EPRT: u32 = 0x74727065;
const PASV: u32 = 0x76736170;
const EPSV: u32 = 0x76737065;
const ENTERING_PASSIVE: u32 = 0x20373232; // "227 "
const ENTERING_EXTENDED: u32 = 0x20393232; // "229 "
const SPACE: u32 = 0x20;
const COMMA: u32 = 0x2c;
const DOT: u32 = 0x2e;
const OPENING: u32 = 0x28;
const BAR: u32 = 0x7c;
const CARRIAGE_RETURN: u32 = 0x0d;
const LINE_END: u32 = 0x0a0d;

/** The port that readNumbers or readDelimitedPort read last. */
let dataPort: u32 = 0;

/** A client's text. False when the packet has been dropped: there was no room for what it announces. */
export function readCommand(connection: Connection, text: usize, end: usize): bool {
  if (text + 6 > end) return true;
  let mode = passiveIn(connection.family, text, end);
  if (mode != FtpMode.None) {
    let extra = extraOf(connection);
    if (extra == 0) return false;
    Extra.at(extra).mode = <u32>mode;
    Extra.at(extra).answered = 0;
    return true;
  }
  let word = load<u32>(text) | LOWER;
  if (word == PORT && connection.family == 4) return readPort(connection, text + 4, end);
  if (word == EPRT) return readExtendedPort(connection, text + 4, end);
  return true;
}

/** Whether one of the commands of a packet asks for passive mode; clients may send several at once. */
function passiveIn(family: u32, text: usize, end: usize): FtpMode {
  for (let at = text; at + 6 <= end; at++) {
    let word = load<u32>(at) | LOWER;
    if (word == PASV && family == 4 && <u32>load<u16>(at, 4) == LINE_END) return FtpMode.Passive;
    if (word != EPSV) continue;
    let next = <u32>load<u8>(at, 4);
    if (next == SPACE || next == CARRIAGE_RETURN) return FtpMode.ExtendedPassive;
  }
  return FtpMode.None;
}

/** Where what a command or reply names begins: behind one or more `opening`, or, with `digits`, at the first of those. */
function skipTo(at: usize, end: usize, opening: u32, digits: bool): usize {
  let found = false;
  for (; at < end; at++) {
    let char = <u32>load<u8>(at);
    if (char == opening) found = true;
    else if (found || (digits && isDigit(char))) return at;
  }
  return BAD;
}

/**
 * Six numbers, an address and a port. Each is a byte, however large it is written, and one that is left out is 0 (as the
 * kernel: recording ftp_numbers). Something must follow them.
 */
function readNumbers(at: usize, end: usize, address: usize): usize {
  let part: u32 = 0;
  let byte: u32 = 0;
  let numbers: u64 = 0;
  for (; at < end; at++) {
    let char = <u32>load<u8>(at);
    if (isDigit(char)) {
      byte = (byte * 10 + char - 48) & 0xff;
    } else if (char == COMMA && part < 5) {
      numbers |= <u64>byte << (part << 3);
      part++;
      byte = 0;
    } else break;
  }
  if (at >= end || part != 5) return BAD;
  mapAddress(address, <u32>numbers);
  dataPort = <u32>(numbers >> 32) << 8 | byte;
  return at;
}

/** `a,b,c,d,p,q`: where the client waits for the server. */
function readPort(connection: Connection, at: usize, end: usize): bool {
  let client = state + STATE_HELPER;
  at = skipTo(at, end, SPACE, true);
  if (at == BAD || readNumbers(at, end, client) == BAD) return true;
  return expectServer(connection, client);
}

/** `|1|address|port|` or `|2|address|port|`; any printable character may stand for the bar. */
function readExtendedPort(connection: Connection, at: usize, end: usize): bool {
  at = skipTo(at, end, SPACE, false);
  if (at == BAD || at + 4 > end) return true;
  let bar = <u32>load<u8>(at);
  let family: u32 = <u32>load<u8>(at, 1) == 49 ? 4 : 6;
  if (!isBar(bar) || <u32>load<u8>(at, 1) != (family == 4 ? 49 : 50) || <u32>load<u8>(at, 2) != bar) return true;
  if (family != connection.family) return true;
  let client = state + STATE_HELPER;
  at = family == 4 ? readAddress4(at + 3, end, DOT, client) : readAddress6(at + 3, end, bar, client);
  if (at == BAD || readDelimitedPort(at, end, bar) == BAD) return true;
  // A mapped address is IPv4's in our tables: no IPv6 client has one.
  if (family == 6 && load<u64>(client) == 0 && load<u32>(client, 8) == 0xffff0000) return true;
  return expectServer(connection, client);
}

function isBar(char: u32): bool {
  return char > 32 && char < 127 && !isDigit(char);
}

/** `|port|`, `at` being at its first bar; answers the place of the last. The number is taken modulo 65536, and must not be 0. */
function readDelimitedPort(at: usize, end: usize, bar: u32): usize {
  if (at >= end || <u32>load<u8>(at) != bar) return BAD;
  let number: u32 = 0;
  for (at++; at < end && isDigit(load<u8>(at)); at++) number = (number * 10 + <u32>load<u8>(at) - 48) & 0xffff;
  if (at >= end || <u32>load<u8>(at) != bar || number == 0) return BAD;
  dataPort = number;
  return at;
}

/** The server will connect from the port below its command port to the client's `dataPort`. */
function expectServer(connection: Connection, client: usize): bool {
  if (connection.extra != 0) Extra.at(connection.extra).mode = <u32>FtpMode.None;
  let virtualPort = portBelow(connection.virtualPort);
  let owner = ownerByClient(client, port(dataPort), <u32>Protocol.Tcp);
  let before = lookAt(owner);
  let known = lookup(FROM_CLIENT, connection.family, <u32>Protocol.Tcp, client, port(dataPort), connection.virtual16, virtualPort);
  let data = Connection.at(known);
  lookAt(before);
  // A client may name another host (RFC 959 section 5.2), but not disturb that host's connections: only what still waits, waits anew.
  if (known != 0 && !connection.clientIs(client) && data.state != <u8>TcpState.Listen) return true;
  if (known != 0 && owner != worker) return askToListen(owner, data);
  return announce(connection, FROM_CLIENT, known, client, port(dataPort), virtualPort, portBelow(connection.serverPort));
}

/** False when the packet has been dropped: a client says again what its owner could not be told. */
function askToListen(owner: u32, data: Connection): bool {
  if (ask(owner, Handed.Listen, data)) return true;
  drop(DropReason.HandoverFull);
  return false;
}

function portBelow(number: u32): u32 {
  return port(<u32>bswap<u16>(<u16>number) - 1);
}

/**
 * A server's text, when the client asked for passive mode. Answers by how much the packet grew,
 * UNCHANGED, or DROPPED (and counted).
 */
export function readReply(packet: Packet, connection: Connection, mode: u32, text: usize): i32 {
  let end = <usize>packet.end;
  if (text + 4 > end) return UNCHANGED;
  let word = load<u32>(text);
  if (mode == <u32>FtpMode.Passive && word == ENTERING_PASSIVE) return passive(packet, connection, text + 4, end);
  if (mode == <u32>FtpMode.ExtendedPassive && word == ENTERING_EXTENDED) return extendedPassive(packet, connection, text + 4, end);
  return UNCHANGED;
}

/** 227: the numbers begin at the first digit, with or without a bracket before them (RFC 1123 section 4.1.2.6). */
function passive(packet: Packet, connection: Connection, at: usize, end: usize): i32 {
  let start = skipTo(at, end, OPENING, true);
  at = start == BAD ? BAD : readNumbers(start, end, state + STATE_HELPER);
  if (at == BAD) return UNCHANGED;
  let text = state + STATE_HELPER + 16;
  return expectAndSay(packet, connection, start, at, writeNumbers(text, connection.virtual, dataPort));
}

/**
 * 229 `(|||port|)`: it names no address. Its port stays as it stands, but for digits that mean nothing, and whatever stood for the
 * bars becomes bars (recording ftp_delimiters).
 */
function extendedPassive(packet: Packet, connection: Connection, at: usize, end: usize): i32 {
  at = skipTo(at, end, OPENING, false);
  if (at == BAD || at + 3 > end) return UNCHANGED;
  let bar = <u32>load<u8>(at);
  if (!isBar(bar) || <u32>load<u8>(at, 1) != bar) return UNCHANGED;
  let last = readDelimitedPort(at + 2, end, bar);
  if (last == BAD) return UNCHANGED;
  return expectAndSay(packet, connection, at, last + 1, writeBars(state + STATE_HELPER + 16, dataPort));
}

/**
 * Lets the client's connection wait, and puts what lies at STATE_HELPER + 16, up to `textEnd`, in the place of a reply's
 * text from `start` to `at`. Answers by how much the reply grew, or DROPPED.
 */
function expectAndSay(packet: Packet, connection: Connection, start: usize, at: usize, textEnd: usize): i32 {
  let text = state + STATE_HELPER + 16;
  let end = <usize>packet.end;
  let bytes = textEnd - text;
  let growth = <i32>bytes - <i32>(at - start);
  if (growth > 0 && packet.end - packet.frame + <u32>growth > OWN_FRAME_BYTES) {
    drop(DropReason.HelperBad);
    return DROPPED;
  }
  if (!expectClient(connection)) return DROPPED;
  memory.copy(start + bytes, at, end - at);
  memory.copy(start, text, bytes);
  if (growth != 0) resize(packet, growth);
  return growth;
}

/**
 * The client will connect from a port nobody knows yet to `dataPort`. It is led to the server of the
 * command connection, whatever address the reply names: servers behind NAT often name the virtual one.
 */
function expectClient(connection: Connection): bool {
  let number = port(dataPort);
  let known = lookup(FROM_SERVER, connection.family, <u32>Protocol.Tcp, connection.client16, 0, connection.server16, number);
  return announce(connection, FROM_SERVER, known, connection.client16, 0, number, number);
}

/** Lets a connection wait: the known one, or one in the commons, which whoever it comes to will find. */
function announce(
  connection: Connection, from: u32, known: u32, client: usize, clientPort: u32, virtualPort: u32, serverPort: u32,
): bool {
  let number = connection.number;
  if (known != 0) return listen(connection, number, known, client, clientPort, virtualPort, serverPort);
  lock();
  enterCommons();
  let other = from == FROM_CLIENT ? connection.virtual16 : connection.server16;
  if (shared) known = lookup(from, connection.family, <u32>Protocol.Tcp, client, clientPort, other, from == FROM_CLIENT ? virtualPort : serverPort);
  let done = listen(connection, number, known, client, clientPort, virtualPort, serverPort);
  leaveCommons();
  unlock();
  return done;
}

/** Makes the data connection's entry (or takes the known one) and lets it wait. False when the table is full. */
function listen(
  connection: Connection, number: u32, known: u32, client: usize, clientPort: u32, virtualPort: u32, serverPort: u32,
): bool {
  let index = known;
  if (index == 0) {
    index = openConnection(connection.family, <u32>Protocol.Tcp, client, clientPort, connection.virtual16, virtualPort,
      connection.server, serverPort, clientPort == 0 ? <u32>ConnectionFlag.NoClientPort : 0, connection.fwmark);
    if (index == 0) return false;
    Connection.at(index).control = number;
    connection.children++;
  }
  listenAnew(Connection.at(index));
  return true;
}

/** A data connection waits for its first packet; one there was before counts at its server as it did (as the kernel: recording ftp_again). */
export function listenAnew(data: Connection): void {
  data.state = <u8>TcpState.Listen;
  data.touch();
  setTimeoutMs(data, timeoutMs(<u32>TcpState.Listen));
}

/** Writes `a,b,c,d,p,q`; answers the place after it. */
function writeNumbers(at: usize, address: u32, number: u32): usize {
  for (let part: u32 = 0; part < 4; part++) {
    at = writeNumber(at, (address >> (part << 3)) & 255);
    store<u8>(at++, <u8>COMMA);
  }
  at = writeNumber(at, number >> 8);
  store<u8>(at++, <u8>COMMA);
  return writeNumber(at, number & 255);
}

/** Writes `|||port|`; answers the place after it. */
function writeBars(at: usize, number: u32): usize {
  for (let bar: u32 = 0; bar < 3; bar++) store<u8>(at++, <u8>BAR);
  at = writeNumber(at, number);
  store<u8>(at, <u8>BAR);
  return at + 1;
}

/** The packet has another length: its IP header says so, and it can no longer leave in the pieces it came in. */
function resize(packet: Packet, growth: i32): void {
  packet.end += growth;
  packet.flags &= ~(<u32>PacketFlag.Reassembled);
  if (packet.family == 6) return set16(packet.l3 + 4, get16(packet.l3 + 4) + growth);
  let before = load<u16>(packet.l3, 2);
  set16(packet.l3 + 2, packet.end - packet.l3);
  amend(packet.l3 + 10, difference16(before, load<u16>(packet.l3, 2)));
}
