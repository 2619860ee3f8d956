// What only a kernel that tracks connections does, as FTP behind NAT makes it do (docs/IPVSADM.md, "What differs").

import type { Difference } from "./compare.js";
import type { RecordedEvent } from "./recording.js";

const IPV4 = 0x0800;
const IPV6 = 0x86dd;

/** Protocol, addresses and ports of a frame without options. */
function endpoints(hex = ""): string {
  const frame = Buffer.from(hex, "hex");
  if (frame.length >= 38 && frame.readUInt16BE(12) === IPV4) return `${frame[23]} ${frame.toString("hex", 26, 38)}`;
  return frame.length >= 58 && frame.readUInt16BE(12) === IPV6 ? `${frame[20]} ${frame.toString("hex", 22, 58)}` : "";
}

/**
 * A packet of a connection whose server is gone and that may be ended for it (`expire_nodest_conn`): after another at the same
 * moment, which was let in and whose tracking lasts since no RST answered it, the kernel drops it. We answer as before.
 */
export function isDroppedByTracking(events: readonly RecordedEvent[], { index, event, kernel, engine }: Difference): boolean {
  const ends = endpoints(event.hex);
  if (event.ev !== "in" || ends === "" || kernel.length !== 0 || engine.length !== 1) return false;
  const before = events.slice(0, index);
  const said = (text: RegExp): boolean => before.some(({ cmd }) => cmd !== undefined && text.test(cmd));
  if (!said(/expire_nodest_conn=1/) || !said(/-r \S+:21 -m/)) return false;
  const now = before.slice(before.findLastIndex(({ ev }) => ev === "advance") + 1);
  return now.some(({ ev, hex }) => ev === "in" && endpoints(hex) === ends);
}
