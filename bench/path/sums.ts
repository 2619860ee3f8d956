// The checksums of frames that came out, summed over all of their bytes: cheap enough to be asked of every frame.

import { sum } from "../../host/lab/sum.js";
import { UDP } from "./frames.js";
import { GUE_PORT } from "./world.js";

const ETHERNET_BYTES = 14;
const IPV4_BYTES = 20;
const IPV6_BYTES = 40;
const IP_IN_IP = 4;
const IPV6 = 41;
const GUE_HEADERS_BYTES = 12;
/** What sums to this is right (RFC 1071). */
const RIGHT = 0xffff;

/** Checksums of frames in a memory. */
export class Sums {
  private readonly bytes: Uint8Array;

  constructor(memory: WebAssembly.Memory) {
    this.bytes = new Uint8Array(memory.buffer);
  }

  /** Which checksum of a frame is wrong; undefined when all are right, also within its tunnel. */
  wrong(frame: number, frameBytes: number): string | undefined {
    return this.wrongPacket(frame + ETHERNET_BYTES, frame + frameBytes);
  }

  private wrongPacket(ip: number, end: number): string | undefined {
    const isIpv4 = this.byte(ip) >> 4 === 4;
    const protocol = this.byte(ip + (isIpv4 ? 9 : 6));
    const l4 = ip + (isIpv4 ? IPV4_BYTES : IPV6_BYTES);
    if (isIpv4 && this.sum(ip, l4) !== RIGHT) return "the IPv4 header's checksum";
    if (protocol === IP_IN_IP || protocol === IPV6) return this.wrongPacket(l4, end);
    if (protocol === UDP && ((this.byte(l4 + 2) << 8) | this.byte(l4 + 3)) === GUE_PORT) return this.wrongPacket(l4 + GUE_HEADERS_BYTES, end);
    const pseudo = this.sum(ip + (isIpv4 ? 12 : 8), l4) + protocol + end - l4;
    return this.sum(l4, end, pseudo) === RIGHT ? undefined : "the transport header's checksum";
  }

  private byte(at: number): number {
    return this.bytes[at] ?? 0;
  }

  private sum(from: number, end: number, before = 0): number {
    return sum(this.bytes.subarray(from, end), before);
  }
}
