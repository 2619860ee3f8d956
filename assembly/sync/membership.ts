// A backup is a member of its group: switches that look which ports want a group's frames have to hear of it
// (IGMPv3, RFC 3376 section 4.2; MLDv2, RFC 3810 section 5.2). Reports are sent twice at the start, and then once a
// minute, so that no querier is needed and none must be answered.
//
// Frames to 224.0.0.0/24 are given to every port by every switch (RFC 4541 section 2.1.2): there is nothing to report.

import {
  CONTROL_BASE, CONTROL_SYNC_BACKUP, SYNC_FAMILY, SYNC_GROUP, SYNC_PORT, SYNC_REPORTED_MS, SYNC_REPORTS,
} from "../abi/layout";
import { Protocol } from "../abi/enums";
import { header4 } from "../answer/icmp";
import { now } from "../memory";
import { ownFrame, sendPlain } from "../packet/slot";
import { checksum, fold64, pseudo6, seal4, sum } from "../wire/checksum";
import { copyAddress, set16 } from "../wire/field";
import { groupFrame, sourceOf } from "./send";

const AGAIN_MS: u32 = 1000;
const REFRESH_MS: u32 = 60000;
const REPORTS_AT_START: u32 = 2;

const IGMP: u32 = 2;
const IGMP_REPORT: u32 = 0x22;
const MLD_REPORT: u32 = 143;
/** Record type: from now on every source's frames are wanted. */
const TO_EXCLUDE: u32 = 4;
const ROUTER_ALERT_4: u32 = 0x00000494; // network order (RFC 2113)
const IP_BYTES_4: u32 = 24;
const IGMP_BYTES: u32 = 16;
const HOP_BY_HOP_BYTES: u32 = 8;
const MLD_BYTES: u32 = 28;

export function reportMembership(): void {
  let daemon: usize = CONTROL_BASE + CONTROL_SYNC_BACKUP;
  let family = <u32>load<u8>(daemon, SYNC_FAMILY);
  if (family == 4 && (load<u32>(daemon, SYNC_GROUP + 12) & 0x00ffffff) == 0x000000e0) return;
  let sent = load<u32>(daemon, SYNC_REPORTS);
  let restMs = sent < REPORTS_AT_START ? AGAIN_MS : REFRESH_MS;
  if (sent != 0 && now - load<u32>(daemon, SYNC_REPORTED_MS) < restMs) return;
  store<u32>(daemon, sent + 1, SYNC_REPORTS);
  store<u32>(daemon, now, SYNC_REPORTED_MS);
  let port = load<u32>(daemon, SYNC_PORT);
  let source = sourceOf(port, family, daemon + SYNC_GROUP);
  let frame = source == 0 ? 0 : ownFrame();
  if (frame == 0) return;
  if (family == 4) report4(frame, port, source, daemon + SYNC_GROUP);
  else report6(frame, port, source, daemon + SYNC_GROUP);
}

/** To all routers that understand reports, 224.0.0.22. */
function report4(frame: usize, port: u32, source: usize, group: usize): void {
  let ip = frame + 14;
  header4(ip, 0xc0, IP_BYTES_4 + IGMP_BYTES, IGMP, 1, load<u32>(source, 12), 0x160000e0);
  store<u8>(ip, 0x46);
  store<u16>(ip, 0, 4);
  store<u16>(ip, 0x0040, 6);
  store<u32>(ip, ROUTER_ALERT_4, 20);
  seal4(ip, IP_BYTES_4);
  let igmp = ip + IP_BYTES_4;
  store<u64>(igmp, IGMP_REPORT);
  set16(igmp + 6, 1);
  store<u32>(igmp, TO_EXCLUDE, 8);
  store<u32>(igmp, load<u32>(group, 12), 12);
  store<u16>(igmp, <u16>checksum(igmp, IGMP_BYTES), 2);
  // The hardware address is of the target, which lies where a mapped address has its last bytes.
  groupFrame(frame, port, 4, ip + 4);
  sendPlain(port, <u32>frame, 14 + IP_BYTES_4 + IGMP_BYTES);
}

/** To all routers that understand reports, ff02::16, behind a router alert (RFC 2711). */
function report6(frame: usize, port: u32, source: usize, group: usize): void {
  let ip = frame + 14;
  store<u32>(ip, 0x60);
  set16(ip + 4, HOP_BY_HOP_BYTES + MLD_BYTES);
  store<u8>(ip, <u8>Protocol.HopByHop, 6);
  store<u8>(ip, 1, 7);
  copyAddress(ip + 8, source);
  store<u64>(ip + 24, 0x02ff);
  store<u64>(ip + 32, 0x16 << 56);
  let alert = ip + 40;
  store<u64>(alert, 0x0001000002050000 | <u64>Protocol.Icmpv6);
  let mld = alert + HOP_BY_HOP_BYTES;
  store<u64>(mld, MLD_REPORT);
  set16(mld + 6, 1);
  store<u32>(mld, TO_EXCLUDE, 8);
  copyAddress(mld + 12, group);
  store<u16>(mld, <u16>~fold64(sum(mld, MLD_BYTES) + pseudo6(ip + 8, ip + 24, <u32>Protocol.Icmpv6, MLD_BYTES)), 2);
  groupFrame(frame, port, 6, ip + 24);
  sendPlain(port, <u32>frame, 14 + 40 + HOP_BY_HOP_BYTES + MLD_BYTES);
}
