// Protocols that speak of addresses in their text. Today that is FTP, behind NAT, on up to eight ports.

import { CONTROL_BASE, CONTROL_HELPER_PORTS, HELPER_PORTS_COUNT } from "../abi/layout";
import { ConnectionFlag, DropReason, Forward, FtpMode, Protocol, TcpState } from "../abi/enums";
import { isIntact, pseudoOf } from "../answer/reset";
import { Connection } from "../connection/connection";
import { Extra } from "../connection/extra";
import { Packet, PacketFlag } from "../packet/packet";
import { drop } from "../stats";
import { fold64, sum } from "../wire/checksum";
import { get32, port } from "../wire/field";
import { DROPPED, readCommand, readReply, UNCHANGED } from "./ftp";
import { adjust, noteGrowth, Sequence } from "./sequence";

const FTP: u32 = 21;
const CHECKSUM: usize = 16;

export function initHelpers(): void {
  store<u16>(CONTROL_BASE, <u16>port(FTP), CONTROL_HELPER_PORTS);
}

/** Takes over eight ports in network order; 0 is none. */
export function setHelperPorts(from: usize): i32 {
  memory.copy(CONTROL_BASE + CONTROL_HELPER_PORTS, from, HELPER_PORTS_COUNT * 2);
  return 0;
}

/** A new connection of a helped port, behind NAT, leaves the fast road. */
export function bindHelper(connection: Connection): void {
  if (connection.protocol != <u8>Protocol.Tcp || connection.forward != <u32>Forward.Nat) return;
  for (let place: usize = 0; place < HELPER_PORTS_COUNT; place++) {
    let helped = load<u16>(<usize>CONTROL_BASE + CONTROL_HELPER_PORTS + (place << 1));
    if (helped != 0 && helped == connection.virtualPort) connection.set(ConnectionFlag.Helped);
  }
}

/** Before a client's packet is rewritten. False when it has been dropped (and counted). */
export function helpToServer(packet: Packet, connection: Connection): bool {
  let headerBytes = headerOf(packet);
  if (headerBytes == 0) return true;
  if (!isIntact(packet, packet.end - packet.l4)) return refused(DropReason.TransportChecksum);
  if (connection.extra != 0) {
    let extra = changetype<usize>(Extra.at(connection.extra));
    let own = changetype<Sequence>(extra + offsetof<Extra>("inPlace"));
    let other = changetype<Sequence>(extra + offsetof<Extra>("outPlace"));
    if (adjust(packet.l4, headerBytes, own, other)) seal(packet);
  }
  if (connection.state != <u8>TcpState.Established) return true;
  return readCommand(connection, packet.l4 + headerBytes, packet.end);
}

/** Before a server's packet is rewritten. It may grow. False when it has been dropped (and counted). */
export function helpToClient(packet: Packet, connection: Connection): bool {
  let headerBytes = headerOf(packet);
  if (headerBytes == 0) return true;
  if (!isIntact(packet, packet.end - packet.l4)) return refused(DropReason.TransportChecksum);
  if (connection.extra == 0) return true;
  let record = Extra.at(connection.extra);
  let own = changetype<Sequence>(changetype<usize>(record) + offsetof<Extra>("outPlace"));
  let other = changetype<Sequence>(changetype<usize>(record) + offsetof<Extra>("inPlace"));
  let number = get32(packet.l4 + 4);
  let changed = adjust(packet.l4, headerBytes, own, other);
  if (connection.state == <u8>TcpState.Established && isAwaited(record, number)) {
    let growth = readReply(packet, connection, record.mode, packet.l4 + headerBytes);
    if (growth == DROPPED) return false;
    if (growth != UNCHANGED) {
      if (growth != 0) noteGrowth(own, number, growth);
      record.answered = 1;
      record.reply = number;
      changed = true;
    }
  }
  if (changed) seal(packet);
  return true;
}

/** One reply is read for each command (as the kernel: recording ftp_replies), also when its server sends it again (not as there). */
function isAwaited(record: Extra, number: u32): bool {
  return record.mode != <u32>FtpMode.None && (record.answered == 0 || record.reply == number);
}

/** Bytes of the TCP header, 0 when it does not lie within the packet. */
function headerOf(packet: Packet): u32 {
  let bytes = (<u32>load<u8>(packet.l4, 12) >> 4) << 2;
  return bytes >= 20 && packet.l4 + bytes <= packet.end ? bytes : 0;
}

function refused(reason: DropReason): bool {
  drop(reason);
  return false;
}

/** The checksum anew: it was right before (a device's partial one speaks of addresses and length alone). */
function seal(packet: Packet): void {
  let field = <usize>packet.l4 + CHECKSUM;
  let bytes = packet.end - packet.l4;
  if (packet.has(PacketFlag.Partial)) {
    store<u16>(field, <u16>fold64(pseudoOf(packet, bytes)));
    return;
  }
  store<u16>(field, 0);
  store<u16>(field, <u16>~fold64(sum(packet.l4, bytes) + pseudoOf(packet, bytes)));
}
