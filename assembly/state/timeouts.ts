// How long a connection may rest in each state, in the kernel's defaults.

import { CONTROL_BASE, CONTROL_TIMEOUTS, TIMEOUTS_SCTP, TIMEOUTS_UDP } from "../abi/layout";
import { SctpState, TcpState, UdpState } from "../abi/enums";

export function setTimeoutMs(place: u32, ms: u32): void {
  store<u32>(CONTROL_BASE + CONTROL_TIMEOUTS + (place << 2), ms);
}

export function initTimeouts(): void {
  setTimeoutMs(<u32>TcpState.None, 2000);
  setTimeoutMs(<u32>TcpState.Established, 900000);
  setTimeoutMs(<u32>TcpState.SynSent, 120000);
  setTimeoutMs(<u32>TcpState.SynRecv, 60000);
  setTimeoutMs(<u32>TcpState.FinWait, 120000);
  setTimeoutMs(<u32>TcpState.TimeWait, 120000);
  setTimeoutMs(<u32>TcpState.Close, 10000);
  setTimeoutMs(<u32>TcpState.CloseWait, 60000);
  setTimeoutMs(<u32>TcpState.LastAck, 30000);
  setTimeoutMs(<u32>TcpState.Listen, 120000);
  setTimeoutMs(<u32>TcpState.SynAck, 120000);
  setTimeoutMs(TIMEOUTS_UDP + <u32>UdpState.Normal, 300000);
  for (let state: u32 = 0; state < <u32>SctpState.Last; state++) setTimeoutMs(TIMEOUTS_SCTP + state, 61000);
  setTimeoutMs(TIMEOUTS_SCTP + <u32>SctpState.None, 2000);
  setTimeoutMs(TIMEOUTS_SCTP + <u32>SctpState.Init1, 4000);
  setTimeoutMs(TIMEOUTS_SCTP + <u32>SctpState.Rejected, 4000);
  setTimeoutMs(TIMEOUTS_SCTP + <u32>SctpState.Established, 900000);
}
