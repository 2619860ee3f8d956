// Differences that are meant: the engine does what is right for the user and this kernel does not.

import type { Difference } from "./compare.js";

const ICMP6 = 58;
const ECHO_REQUEST = 128;

/**
 * An ICMPv6 error of a NAT real server, which the kernel drops, because it checks the checksum without
 * the pseudo-header when the network card did not; the client needs to hear of it.
 */
function isServersError6({ event, kernel, engine }: Difference): boolean {
  const frame = Buffer.from(event.hex ?? "", "hex");
  if (event.ev !== "in" || event.if !== "in" || frame.length < 62) return false;
  return frame.readUInt16BE(12) === 0x86dd && frame[20] === ICMP6 && (frame[54] ?? 0) < ECHO_REQUEST && kernel.length === 0 && engine.length === 1;
}

/** True when a difference is one that docs/IPVSADM.md tells of. */
export function isKnownDifference(difference: Difference): boolean {
  return isServersError6(difference);
}
