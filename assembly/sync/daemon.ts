// The two sync daemons: a master tells other directors of its connections, a backup is told. Both may run.

import {
  CONTROL_BASE, CONTROL_PASSIVE, CONTROL_SYNC_BACKUP, CONTROL_SYNC_MASTER, REQUEST_ADDRESS, REQUEST_BASE, REQUEST_FLAGS,
  REQUEST_PORT, SYNC_EPOCH, SYNC_FAMILY, SYNC_GROUP, SYNC_HOPS, SYNC_ID, SYNC_MESSAGE_BYTES, SYNC_PORT, SYNC_PORTS, SYNC_REPORTS,
  SYNC_UDP_PORT,
} from "../abi/layout";
import { ControlError, SyncRole, Sysctl } from "../abi/enums";
import { PORTS_MAX, SYNC_MESSAGE_BYTES_MAX, SYNC_PORTS_MAX } from "../abi/limits";
import { family, inbound, isFamily, value } from "../control/request";
import { portMtu } from "../link/local";
import { sysctl } from "../sysctl";
import { copyAddress, sameAddress } from "../wire/field";

const R: usize = REQUEST_BASE;
/** What is sent without --sync-maxlen fits such a link, whatever the port's MTU is, as the kernel's does. */
const LINK_BYTES: u32 = 1500;
/** A backup takes messages of this length, however little it was asked for. */
const BACKUP_BYTES_MIN: u32 = 1024;

@inline
export function isMaster(): bool {
  return load<u32>(CONTROL_BASE, CONTROL_SYNC_MASTER + SYNC_PORT) != 0;
}

export function isBackup(): bool {
  return load<u32>(CONTROL_BASE, CONTROL_SYNC_BACKUP + SYNC_PORT) != 0;
}

/** The record of a daemon (SYNC_*). */
export function daemonOf(role: u32): usize {
  return CONTROL_BASE + (role == <u32>SyncRole.Master ? CONTROL_SYNC_MASTER : CONTROL_SYNC_BACKUP);
}

/** True when a packet that came by a port to this address (16 bytes) may be for the backup. */
export function isForBackup(port: u32, family: u32, target: usize): bool {
  let daemon = daemonOf(<u32>SyncRole.Backup);
  return load<u32>(daemon, SYNC_PORT) == port && port != 0 && <u32>load<u8>(daemon, SYNC_FAMILY) == family &&
    sameAddress(daemon + SYNC_GROUP, target);
}

/** How many UDP ports a daemon has, from its own on: sync_ports as it was when it started (as the kernel: recording sync_ports). */
export function portsOf(role: u32): u32 {
  return load<u32>(daemonOf(role), SYNC_PORTS);
}

/** Starts a daemon. Values of the request: sync id, longest message (0: what fits a common link), time to live. */
export function syncStart(): i32 {
  let role = load<u32>(R, REQUEST_FLAGS);
  if (!isRole(role) || !isFamily(family()) || !isGroup(R + REQUEST_ADDRESS)) return <i32>ControlError.Invalid;
  if (inbound() == 0 || inbound() >= PORTS_MAX || load<u16>(R, REQUEST_PORT) == 0) return <i32>ControlError.Invalid;
  if (value(0) > 255 || value(1) > SYNC_MESSAGE_BYTES_MAX || value(2) > 255) return <i32>ControlError.Invalid;
  let daemon = daemonOf(role);
  if (load<u32>(daemon, SYNC_PORT) != 0) return <i32>ControlError.Exists;
  store<u32>(daemon, value(0), SYNC_ID);
  store<u32>(daemon, messageBytes(role), SYNC_MESSAGE_BYTES);
  copyAddress(daemon + SYNC_GROUP, R + REQUEST_ADDRESS);
  store<u16>(daemon, bswap<u16>(load<u16>(R, REQUEST_PORT)), SYNC_UDP_PORT);
  store<u8>(daemon, <u8>max<u32>(value(2), 1), SYNC_HOPS);
  store<u8>(daemon, <u8>family(), SYNC_FAMILY);
  store<u32>(daemon, min(sysctl(Sysctl.SyncPorts), SYNC_PORTS_MAX), SYNC_PORTS);
  store<u32>(daemon, 0, SYNC_REPORTS);
  store<u32>(daemon, load<u32>(daemon, SYNC_EPOCH) + 1, SYNC_EPOCH);
  store<u32>(daemon, inbound(), SYNC_PORT);
  decidePassive();
  return 0;
}

/** Stops a daemon. What a master has not yet sent is lost, as in the kernel. */
export function syncStop(): i32 {
  let role = load<u32>(R, REQUEST_FLAGS);
  if (!isRole(role)) return <i32>ControlError.Invalid;
  let daemon = daemonOf(role);
  if (load<u32>(daemon, SYNC_PORT) == 0) return <i32>ControlError.NotFound;
  store<u32>(daemon, 0, SYNC_PORT);
  store<u32>(daemon, load<u32>(daemon, SYNC_EPOCH) + 1, SYNC_EPOCH);
  decidePassive();
  return 0;
}

/** True for a multicast address of the request's family. */
function isGroup(address: usize): bool {
  if (family() == 6) return load<u8>(address) == 0xff;
  return load<u64>(address) == 0 && load<u32>(address, 8) == 0xffff0000 && (load<u8>(address, 12) & 0xf0) == 0xe0;
}

function isRole(role: u32): bool {
  return role == <u32>SyncRole.Master || role == <u32>SyncRole.Backup;
}

function messageBytes(role: u32): u32 {
  let headerBytes: u32 = family() == 4 ? 28 : 48;
  let isTold = role == <u32>SyncRole.Backup;
  if (value(1) != 0) return isTold ? max(value(1), BACKUP_BYTES_MIN) : value(1);
  let link = isTold ? min(max(portMtu(inbound()), LINK_BYTES), 65535) : LINK_BYTES;
  return link - headerBytes;
}

/** True while clients' packets are not balanced: backup_only, and a backup runs. */
@inline
export function isPassive(): bool {
  return load<u32>(CONTROL_BASE, CONTROL_PASSIVE) != 0;
}

/** After a change of either. */
export function decidePassive(): void {
  store<u32>(CONTROL_BASE, isBackup() && sysctl(Sysctl.BackupOnly) != 0 ? 1 : 0, CONTROL_PASSIVE);
}
