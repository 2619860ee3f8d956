// The checksums of frames that came out, summed over all of their bytes: cheap enough to be asked of every frame.

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

/** Memory as the sums read it. Words of the machine's order do: a sum of ones' complement is the same in either, its bytes exchanged. */
export class Sums {
  private readonly words: Uint16Array;
  private readonly bytes: Uint8Array;

  constructor(memory: WebAssembly.Memory) {
    this.words = new Uint16Array(memory.buffer);
    this.bytes = new Uint8Array(memory.buffer);
  }

  /** Which checksum of a frame is wrong; undefined when all are right, also within its tunnel. The frame begins at an even place. */
  wrong(frame: number, frameBytes: number): string | undefined {
    return this.wrongPacket(frame + ETHERNET_BYTES, frame + frameBytes);
  }

  private wrongPacket(ip: number, end: number): string | undefined {
    const isIpv4 = this.byte(ip) >> 4 === 4;
    const header = isIpv4 ? IPV4_BYTES : IPV6_BYTES;
    const protocol = this.byte(ip + (isIpv4 ? 9 : 6));
    const l4 = ip + header;
    if (isIpv4 && this.sum(ip, header) !== RIGHT) return "the IPv4 header's checksum";
    if (protocol === IP_IN_IP || protocol === IPV6) return this.wrongPacket(l4, end);
    if (protocol === UDP && this.port(l4 + 2) === GUE_PORT) return this.wrongPacket(l4 + GUE_HEADERS_BYTES, end);
    const addresses = isIpv4 ? this.sum(ip + 12, 8) : this.sum(ip + 8, 32);
    const pseudo = addresses + (protocol << 8) + turned(end - l4);
    return this.sum(l4, end - l4, pseudo) === RIGHT ? undefined : "the transport header's checksum";
  }

  private byte(at: number): number {
    return this.bytes[at] ?? 0;
  }

  private port(at: number): number {
    return (this.byte(at) << 8) | this.byte(at + 1);
  }

  private sum(at: number, count: number, before = 0): number {
    let total = before;
    const last = (at + count) >> 1;
    for (let word = at >> 1; word < last; word++) total += this.words[word] ?? 0;
    // The wire's upper half of an odd last word lies in the machine's lower one.
    if (count & 1) total += this.byte(at + count - 1);
    while (total > RIGHT) total = (total & RIGHT) + (total >>> 16);
    return total;
  }
}

function turned(word: number): number {
  return ((word & 255) << 8) | (word >> 8);
}
