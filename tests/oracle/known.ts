// Differences that are meant: the engine does what is right for the user and this kernel does not.

import { sumWords } from "../fuzz/packets.js";
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

/**
 * The size told to a client whose packet did not fit through a tunnel: the kernel's is the way's out of the director, less
 * 20 bytes, whatever the router said; the engine's is what the router said, less all that the tunnel adds.
 */
function isTunnelSize({ event, kernel, engine }: Difference): boolean {
  if (event.ev !== "in" || kernel.length !== 1 || engine.length !== 1) return false;
  const [theirs, ours] = [kernel[0] ?? "", engine[0] ?? ""].map((line) => {
    const [port = "", hex = ""] = line.split(" ");
    const frame = Buffer.from(hex, "hex");
    const isTooBig = frame.length > 42 && frame.readUInt16BE(12) === 0x0800 && frame[23] === 1 && frame[34] === 3 && frame[35] === 4;
    return isTooBig ? `${port} ${frame.fill(0, 36, 38).fill(0, 40, 42).toString("hex")}` : undefined;
  });
  return theirs !== undefined && theirs === ours;
}

const TCP = 6;

/** A TCP frame of IPv4 without its checksum, and whether that was right. */
function withoutSum(line: string): { rest: string; isRight: boolean } | undefined {
  const [port = "", hex = ""] = line.split(" ");
  const frame = Buffer.from(hex, "hex");
  if (frame.length < 54 || frame.readUInt16BE(12) !== 0x0800 || frame[23] !== TCP) return undefined;
  const packet = frame.subarray(14, 14 + frame.readUInt16BE(16));
  const isRight = sumWords(packet.subarray(20), sumWords(packet.subarray(12, 20)) + TCP + packet.length - 20) === 0xffff;
  return { rest: `${port} ${frame.fill(0, 50, 52).toString("hex")}`, isRight };
}

/**
 * A connection of FTP that a kernel's backup goes on with: it shifts the numbers as it was told, and leaves the checksum as it was.
 */
function isShiftedSum({ event, kernel, engine }: Difference): boolean {
  const [theirs, ours] = [withoutSum(kernel[0] ?? ""), withoutSum(engine[0] ?? "")];
  return event.ev === "in" && kernel.length === 1 && engine.length === 1 && theirs?.rest === ours?.rest && theirs?.isRight === false && ours?.isRight === true;
}

/** True when a difference is one that docs/IPVSADM.md tells of. */
export function isKnownDifference(difference: Difference): boolean {
  return isServersError6(difference) || isTunnelSize(difference) || isShiftedSum(difference);
}
