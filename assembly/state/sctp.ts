// SCTP's place in the state step. Its table belongs to the next stage; until then an association is
// followed only as far as "there is traffic", with the timeout of an established one.

import { SctpState } from "../abi/enums";

export const SCTP_INIT: u8 = 1;

export function advanceSctp(state: u32, chunk: usize, end: usize, direction: u32): u32 {
  return <u32>SctpState.Established;
}

export function sctpActive(state: u32): bool {
  return state == <u32>SctpState.Established;
}
