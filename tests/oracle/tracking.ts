// What only a kernel that tracks connections does, as FTP behind NAT makes it do (docs/IPVSADM.md, "What differs").

import type { Difference } from "./compare.js";
import type { RecordedEvent } from "./recording.js";

const IPV4 = 0x0800;
const IPV6 = 0x86dd;
/** An FTP service with a server behind NAT, whatever that one's port. */
const FTP_BEHIND_NAT = /-t \S+:21 -r \S+ -m/;

/** Protocol, addresses and ports of a frame without options; turned round when asked. */
function endpoints(hex = "", turned = false): string {
  const frame = Buffer.from(hex, "hex");
  const isFour = frame.length >= 38 && frame.readUInt16BE(12) === IPV4;
  if (!isFour && (frame.length < 58 || frame.readUInt16BE(12) !== IPV6)) return "";
  const [protocol, source, size] = isFour ? [23, 26, 4] : [20, 22, 16];
  const ends = [frame.subarray(source, source + size), frame.subarray(source + size, source + 2 * size)];
  const ports = [frame.subarray(source + 2 * size, source + 2 * size + 2), frame.subarray(source + 2 * size + 2, source + 2 * size + 4)];
  const both = turned ? [...ends.reverse(), ...ports.reverse()] : [...ends, ...ports];
  return [frame.subarray(protocol, protocol + 1), ...both].map((part) => part.toString("hex")).join(" ");
}

/**
 * A packet that tracking alone drops, though IPVS let it in: another of the same ends was let in at the same moment, and its tracking
 * lasts since no RST answered it (a server that is gone, with `expire_nodest_conn`); or its server said something to that
 * client before, of no connection, which is tracked by those ends (recording tracked_stray). We answer as ever.
 */
export function isDroppedByTracking(events: readonly RecordedEvent[], { index, event, kernel, engine }: Difference): boolean {
  const ends = endpoints(event.hex);
  if (event.ev !== "in" || ends === "" || kernel.length !== 0 || engine.length !== 1) return false;
  const before = events.slice(0, index);
  const said = (text: RegExp): boolean => before.some(({ cmd }) => cmd !== undefined && text.test(cmd));
  if (!said(FTP_BEHIND_NAT)) return false;
  const now = before.slice(before.findLastIndex(({ ev }) => ev === "advance") + 1);
  if (said(/expire_nodest_conn=1/) && now.some(({ ev, hex }) => ev === "in" && endpoints(hex) === ends)) return true;
  const atServer = endpoints(engine[0]?.split(" ")[1], true);
  return before.some(({ ev, if: port, hex }) => ev === "out" && port === "out" && endpoints(hex) === atServer);
}
