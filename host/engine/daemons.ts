// The sync daemons that run, read from the memory.

import {
  CONTROL_BASE, CONTROL_SYNC_BACKUP, CONTROL_SYNC_MASTER, SYNC_FAMILY, SYNC_GROUP, SYNC_HOPS, SYNC_ID, SYNC_MESSAGE_BYTES,
  SYNC_PORT, SYNC_UDP_PORT,
} from "../../assembly/abi/layout.js";
import type { DaemonRole, DaemonSpec } from "../protocol.js";
import { formatAddress } from "./address.js";

const RECORDS: [DaemonRole, number][] = [["master", CONTROL_SYNC_MASTER], ["backup", CONTROL_SYNC_BACKUP]];
const ADDRESS_BYTES = 16;

/** The master before the backup, as the kernel lists them. */
export function listDaemons(memory: WebAssembly.Memory, portName: (index: number) => string): DaemonSpec[] {
  const view = new DataView(memory.buffer);
  return RECORDS.flatMap(([role, place]) => {
    const at = CONTROL_BASE + place;
    const port = view.getUint32(at + SYNC_PORT, true);
    if (port === 0) return [];
    const group = new Uint8Array(memory.buffer).slice(at + SYNC_GROUP, at + SYNC_GROUP + ADDRESS_BYTES);
    return [{
      role, interface: portName(port), syncId: view.getUint32(at + SYNC_ID, true), messageBytes: view.getUint32(at + SYNC_MESSAGE_BYTES, true),
      group: formatAddress(view.getUint8(at + SYNC_FAMILY), group), udpPort: view.getUint16(at + SYNC_UDP_PORT, true),
      timeToLive: view.getUint8(at + SYNC_HOPS),
    }];
  });
}
