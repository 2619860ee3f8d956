// Timeouts and kernel settings.

import { TIMEOUTS_UDP } from "../abi/layout";
import { ControlError, Sysctl, TcpState, UdpState } from "../abi/enums";
import { value } from "./request";
import { DEFENCE_MODE_MAX, decideDefences, isDefence } from "../defence/level";
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
  if (!isDefence(value(0))) {
    setSysctl(value(0), value(1));
    return 0;
  }
  if (value(1) > DEFENCE_MODE_MAX) return <i32>ControlError.Invalid;
  setSysctl(value(0), value(1));
  decideDefences();
  return 0;
}
