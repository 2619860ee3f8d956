// The TCP state machine, as tables one can read aloud: "a SYN from the client, while Established,
// leaves us Established" (as the kernel: FW is a half-closed connection).

import { TCP_TABLE } from "../abi/layout";
import { TcpState } from "../abi/enums";

const NO: u32 = <u32>TcpState.None;
const ES: u32 = <u32>TcpState.Established;
const SS: u32 = <u32>TcpState.SynSent;
const SR: u32 = <u32>TcpState.SynRecv;
const FW: u32 = <u32>TcpState.FinWait;
const TW: u32 = <u32>TcpState.TimeWait;
const CL: u32 = <u32>TcpState.Close;
const CW: u32 = <u32>TcpState.CloseWait;
const LA: u32 = <u32>TcpState.LastAck;
const LI: u32 = <u32>TcpState.Listen;
const SA: u32 = <u32>TcpState.SynAck;

const INPUT: u32 = 0;
const OUTPUT: u32 = 1;
const INPUT_ONLY: u32 = 2;
const SYN: u32 = 0;
const FIN: u32 = 1;
const ACK: u32 = 2;
const RST: u32 = 3;
const NORMAL: u32 = 0;
const SECURE: u32 = 1;

function place(secure: u32, direction: u32, event: u32): usize {
  return TCP_TABLE + (((secure * 3 + direction) * 4 + event) << 4);
}

function row(
  secure: u32, direction: u32, event: u32, no: u32, es: u32, ss: u32, sr: u32, fw: u32, tw: u32, cl: u32, cw: u32,
  la: u32, li: u32, sa: u32,
): void {
  let at = place(secure, direction, event);
  store<u32>(at, no | (es << 8) | (ss << 16) | (sr << 24));
  store<u32>(at, fw | (tw << 8) | (cl << 16) | (cw << 24), 4);
  store<u32>(at, la | (li << 8) | (sa << 16), 8);
}

/**
 * Writes the tables. Two sets: the ordinary one, and the one of the secure_tcp defence.
 *
 * A connection whose first segment is an ACK is one that another director began (sloppy_tcp): established.
 */
export function initTcp(): void {
  for (let secure: u32 = NORMAL; secure <= SECURE; secure++) {
    //                            NO  ES  SS  SR  FW  TW  CL  CW  LA  LI  SA
    row(secure, INPUT, SYN,       SR, ES, ES, SR, SR, SR, SR, SR, SR, SR, SR);
    row(secure, INPUT, FIN,       CL, CW, SS, TW, TW, TW, CL, CW, LA, LI, TW);
    row(secure, INPUT, ACK,       ES, ES, SS, ES, FW, TW, CL, CW, CL, LI, ES);
    row(secure, INPUT, RST,       CL, CL, CL, SR, CL, CL, CL, CL, LA, LI, SR);
    row(secure, OUTPUT, SYN,      SS, ES, SS, SR, SS, SS, SS, SS, SS, LI, SR);
    row(secure, OUTPUT, FIN,      TW, FW, SS, TW, FW, TW, CL, TW, LA, LI, TW);
    row(secure, OUTPUT, ACK,      ES, ES, SS, ES, FW, TW, CL, CW, LA, ES, ES);
    row(secure, OUTPUT, RST,      CL, CL, SS, CL, CL, TW, CL, CL, CL, CL, CL);
    row(secure, INPUT_ONLY, SYN,  SR, ES, ES, SR, SR, SR, SR, SR, SR, SR, SR);
    row(secure, INPUT_ONLY, FIN,  CL, FW, SS, TW, FW, TW, CL, CW, LA, LI, TW);
    row(secure, INPUT_ONLY, ACK,  ES, ES, SS, ES, FW, TW, CL, CW, CL, LI, ES);
    row(secure, INPUT_ONLY, RST,  CL, CL, CL, SR, CL, CL, CL, CL, LA, LI, CL);
  }
  // Under attack a handshake counts only when the client has answered the server's SYN.
  row(SECURE, INPUT, SYN,         SR, ES, ES, SR, SR, SR, SR, SR, SR, SR, SA);
  row(SECURE, INPUT, FIN,         CL, CW, SS, TW, TW, TW, CL, CW, LA, LI, SA);
  row(SECURE, INPUT, ACK,         ES, ES, SS, SR, FW, TW, CL, CW, CL, LI, SA);
  row(SECURE, INPUT, RST,         CL, CL, CL, SR, CL, CL, CL, CL, LA, LI, CL);
  row(SECURE, OUTPUT, SYN,        SS, ES, SS, SA, SS, SS, SS, SS, SS, LI, SA);
  row(SECURE, INPUT_ONLY, SYN,    SA, ES, ES, SR, SA, SA, SA, SA, SA, SA, SA);
}

/** The next state. `flags` is the TCP header's flag byte; no known flag at all means Close. */
export function advanceTcp(state: u32, flags: u32, direction: u32, secure: u32): u32 {
  let event: u32;
  if (flags & 0x04) event = RST;
  else if (flags & 0x02) event = SYN;
  else if (flags & 0x01) event = FIN;
  else if (flags & 0x10) event = ACK;
  else return CL;
  return load<u8>(place(secure, direction, event) + state);
}

/** States in which a connection counts as active at its server. */
export function tcpActive(state: u32): bool {
  return state == ES || state == SS || state == SR || state == SA;
}
