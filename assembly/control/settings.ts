// Timeouts and kernel settings.

import { TIMEOUTS_UDP } from "../abi/layout";
import { ControlError, Sysctl, TcpState, UdpState } from "../abi/enums";
import { value } from "./request";
import { DEFENCE_MODE_MAX, decideDefences, isDefence } from "../defence/level";
import { SYNC_RETRIES_MAX } from "../abi/limits";
import { decidePassive } from "../sync/daemon";
import { setTimeoutMs } from "../state/timeouts";
import { setSysctl } from "../sysctl";

export function timeoutsSet(): i32 {
  if (value(0) != 0) setTimeoutMs(<u32>TcpState.Established, value(0));
  if (value(1) != 0) setTimeoutMs(<u32>TcpState.FinWait, value(1));
  if (value(2) != 0) setTimeoutMs(TIMEOUTS_UDP + <u32>UdpState.Normal, value(2));
  return 0;
}

export function sysctlSet(): i32 {
  if (value(0) >= <u32>Sysctl.Last) return <i32>ControlError.NotFound;
  if (!isSyncSetting(value(0), value(1), value(2))) return <i32>ControlError.Invalid;
  // Two numbers under one name: the threshold and its period.
  if (value(0) == <u32>Sysctl.SyncThreshold) setSysctl(<u32>Sysctl.SyncPeriod, value(2));
  if (!isDefence(value(0))) {
    setSysctl(value(0), value(1));
    if (value(0) == <u32>Sysctl.BackupOnly) decidePassive();
    return 0;
  }
  if (value(1) > DEFENCE_MODE_MAX) return <i32>ControlError.Invalid;
  setSysctl(value(0), value(1));
  decideDefences();
  return 0;
}

/** True unless it is a setting of the sync daemons with a value it cannot have. */
function isSyncSetting(name: u32, value: u32, period: u32): bool {
  switch (name) {
    case <u32>Sysctl.SyncThreshold: return <i32>value >= 0 && <i32>period >= 0 && (period == 0 || value < period);
    case <u32>Sysctl.SyncPeriod: return false;
    case <u32>Sysctl.SyncRetries: return value <= SYNC_RETRIES_MAX;
    case <u32>Sysctl.SyncPorts: return <i32>value > 0 && (value & (value - 1)) == 0;
    case <u32>Sysctl.SyncVersion: return value <= 1;
    default: return true;
  }
}
