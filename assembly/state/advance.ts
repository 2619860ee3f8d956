// What a packet does to its connection: the next state, its timeout, the server's active count.

import {
  ConnectionFlag, Protocol, Sysctl, TcpState, TemplateState, UdpState,
} from "../abi/enums";
import { TIMEOUTS_SCTP, TIMEOUTS_UDP } from "../abi/layout";
import { Connection } from "../connection/connection";
import { startTimer } from "../connection/due";
import { setActive, timeoutMs } from "../connection/open";
import { FROM_SERVER } from "../connection/table";
import { Packet } from "../packet/packet";
import { secureTcp, sysctl } from "../sysctl";
import { advanceSctp, firstChunk, sctpActive, SCTP_ABORT, SCTP_INIT } from "./sctp";
import { advanceTcp, tcpActive } from "./tcp";

/** Rows of the state tables: the client spoke, the server spoke, only the client is ever seen. */
export const INPUT: u32 = 0;
export const OUTPUT: u32 = 1;
export const INPUT_ONLY: u32 = 2;

const FLAG_SYN: u32 = 0x02;
const FLAG_RST: u32 = 0x04;

/** Moves a connection on. `from` is FROM_CLIENT or FROM_SERVER. */
export function advance(packet: Packet, connection: Connection, from: u32): void {
  if (connection.protocol == <u8>Protocol.Udp) {
    startTimer(connection, timeoutMs(TIMEOUTS_UDP + <u32>UdpState.Normal));
    if (from == FROM_SERVER) assure(connection);
    return;
  }
  let direction = directionOf(connection, from);
  let before = <u32>connection.state;
  if (connection.protocol == <u8>Protocol.Tcp) return moveTcp(connection, load<u8>(packet.l4, 13), direction);
  let after = advanceSctp(before, packet.l4, packet.end, direction);
  if (after != before) {
    connection.state = <u8>after;
    setActive(connection, sctpActive(after));
    if (sctpActive(after)) assure(connection);
  }
  startTimer(connection, timeoutMs(TIMEOUTS_SCTP + after));
}

/** The director, as a real server of its own, has answered a segment with RST. */
export function advanceReset(connection: Connection): void {
  moveTcp(connection, FLAG_RST, directionOf(connection, FROM_SERVER));
}

/** The row of the state tables; a server's packet ends the belief that there will never be one. */
function directionOf(connection: Connection, from: u32): u32 {
  if (!connection.has(ConnectionFlag.NoOutput)) return from == FROM_SERVER ? OUTPUT : INPUT;
  if (from != FROM_SERVER) return INPUT_ONLY;
  connection.clear(ConnectionFlag.NoOutput);
  return OUTPUT;
}

function moveTcp(connection: Connection, flags: u32, direction: u32): void {
  let before = <u32>connection.state;
  let after = advanceTcp(before, flags, direction, secureTcp());
  if (after != before) {
    connection.state = <u8>after;
    setActive(connection, tcpActive(after));
    if (after == <u32>TcpState.Established) assure(connection);
  }
  startTimer(connection, timeoutMs(after));
}

/** A template whose connection is really used is marked, so that defences keep it. */
export function assure(connection: Connection): void {
  if (connection.control == 0) return;
  let control = Connection.numbered(connection.control);
  // Another worker may be doing the same: a state that is there already is not written again.
  if (control.has(ConnectionFlag.Template) && control.state != <u8>TemplateState.Assured) control.state = <u8>TemplateState.Assured;
}

/** True for a packet that begins a connection. With `schedule`, as the scheduler asks (sloppy modes count). */
export function isNewConnection(packet: Packet, schedule: bool): bool {
  if (packet.protocol == <u8>Protocol.Tcp) {
    let flags = <u32>load<u8>(packet.l4, 13);
    // Whoever sends a SYN is done with the old connection, whatever else it says.
    if (!schedule) return (flags & FLAG_SYN) != 0;
    if (flags & FLAG_RST) return false;
    return (flags & FLAG_SYN) != 0 || sysctl(Sysctl.SloppyTcp) != 0;
  }
  if (packet.protocol == <u8>Protocol.Sctp) {
    let type = firstChunk(packet.l4, packet.end);
    if (type == SCTP_INIT) return true;
    return schedule && type >= 0 && type != SCTP_ABORT && sysctl(Sysctl.SloppySctp) != 0;
  }
  return false;
}

/** True for the packet by which a host says that it has no such connection. */
export function isReset(packet: Packet): bool {
  if (packet.protocol == <u8>Protocol.Tcp) return (load<u8>(packet.l4, 13) & FLAG_RST) != 0;
  if (packet.protocol == <u8>Protocol.Sctp) return firstChunk(packet.l4, packet.end) == SCTP_ABORT;
  return false;
}

/** True for SCTP that is only a header: nobody can say whether it begins anything. */
export function lacksChunk(packet: Packet): bool {
  return packet.protocol == <u8>Protocol.Sctp && firstChunk(packet.l4, packet.end) < 0;
}

/** A TCP connection begins with SYN, an SCTP one with INIT, unless the operator says "sloppy". */
export function mayBegin(packet: Packet): bool {
  if (packet.protocol == <u8>Protocol.Udp) return true;
  return isNewConnection(packet, true);
}
