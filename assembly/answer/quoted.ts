// What an error of the director's quotes, as IPVS looks at it on its way out.

import { Protocol, Sysctl } from "../abi/enums";
import { extensionBytes, isBalanced, isExtension, PORTS_BYTES } from "../packet/parse";
import { isServing } from "../service/service";
import { sysctl } from "../sysctl";
import { get16 } from "../wire/field";

const FRAGMENT_BYTES: usize = 8;

/**
 * True for a quotation from `at` to `end` that says it is of TCP, UDP or SCTP, and ends before the ports. Whoever schedules errors
 * wants to see them, and lets none out without (as the kernel: recording scheduled_own_errors).
 */
export function isWithheld(family: u32, at: usize, end: usize): bool {
  if (sysctl(Sysctl.ScheduleIcmp) == 0 || !isServing(family)) return false;
  if (family == 6) return endsBeforePorts6(at, end);
  return isBalanced(load<u8>(at, 9)) && at + ((<usize>load<u8>(at) & 15) << 2) + PORTS_BYTES > end;
}

/** A header's first two bytes say what is behind it, whether that is there or not. Of a later piece nobody asks for ports. */
function endsBeforePorts6(header: usize, end: usize): bool {
  let next = <u32>load<u8>(header, 6);
  let at = header + 40;
  while (isExtension(next) || next == <u32>Protocol.Fragment) {
    let isPiece = next == <u32>Protocol.Fragment;
    if (at + (isPiece ? FRAGMENT_BYTES : 2) > end) return false;
    if (isPiece && (get16(at + 2) & 0xfff8) != 0) return false;
    let bytes = isPiece ? FRAGMENT_BYTES : <usize>extensionBytes(next, at);
    next = load<u8>(at);
    at += bytes;
  }
  return isBalanced(next) && at + PORTS_BYTES > end;
}
