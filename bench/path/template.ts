// Frames anew before each batch, fast: a model frame is copied word by word and its client filled in.
//
// A slot's headroom ends two bytes after a word, so that the IP header begins a word. Sums are taken in the
// machine's order: one's-complement sums do not care.

import { sizesOf, UDP, TCP, type FramePlan } from "./frames.js";

const IP_WORD = 4;

export class Template {
  private readonly words: Uint32Array;
  private readonly clientWord: number;
  private readonly portsWord: number;
  private readonly portShift: number;
  private readonly ipSumWord: number;
  private readonly sumWord: number;
  private readonly sumShift: number;
  private ipBase = 0;
  private base = 0;
  readonly bytes: number;

  /** Takes a whole frame; its client is the source (or else the target), and must be all zeros in its last word. */
  constructor(frame: Uint8Array, plan: FramePlan, fromClient: boolean) {
    const padded = new Uint8Array(Math.ceil((frame.length + 2) / 4) * 4);
    padded.set(frame, 2);
    this.words = new Uint32Array(padded.buffer);
    this.bytes = frame.length;
    const four = plan.family === 4;
    this.clientWord = IP_WORD + (four ? (fromClient ? 3 : 4) : fromClient ? 5 : 9);
    this.portsWord = IP_WORD + (four ? 5 : 10);
    this.portShift = fromClient ? 0 : 16;
    this.ipSumWord = four ? IP_WORD + 2 : 0;
    this.sumWord = this.portsWord + (plan.protocol === TCP ? 4 : 1);
    this.sumShift = plan.protocol === UDP ? 16 : 0;
    this.takeSums(plan);
  }

  /** The sums of everything but the client; the checksum fields become zero. */
  private takeSums(plan: FramePlan): void {
    const { words } = this;
    const word = (at: number): number => words[at] ?? 0;
    words[this.sumWord] = word(this.sumWord) & (this.sumShift === 0 ? 0xffff0000 : 0x0000ffff);
    if (this.ipSumWord !== 0) {
      words[this.ipSumWord] = word(this.ipSumWord) & 0xffff;
      for (let at = IP_WORD; at < IP_WORD + 5; at++) this.ipBase += (word(at) & 0xffff) + (word(at) >>> 16);
    }
    const addresses = plan.family === 4 ? IP_WORD + 3 : IP_WORD + 2;
    for (let at = addresses; at < words.length; at++) this.base += (word(at) & 0xffff) + (word(at) >>> 16);
    const { segment } = sizesOf(plan);
    this.base += (plan.protocol << 8) + (((segment & 255) << 8) | (segment >> 8));
  }

  /** Writes the frame of a client (both in network order) so that it begins two bytes after word `at`. */
  write(memory: Uint32Array, at: number, client: number, port: number): void {
    const { words } = this;
    for (let index = 0; index < words.length; index++) memory[at + index] = words[index] as number;
    const change = (client & 0xffff) + (client >>> 16);
    memory[at + this.clientWord] = client;
    memory[at + this.portsWord] = (words[this.portsWord] as number) | (port << this.portShift);
    if (this.ipSumWord !== 0) {
      memory[at + this.ipSumWord] = (words[this.ipSumWord] as number) | (checksum(this.ipBase + change) << 16);
    }
    const value = checksum(this.base + change + port);
    // Zero in UDP means "none" (RFC 768).
    const stored = value === 0 && this.sumShift !== 0 ? 0xffff : value;
    memory[at + this.sumWord] = (words[this.sumWord] as number) | (stored << this.sumShift);
  }
}

function checksum(total: number): number {
  total = (total & 0xffff) + (total >>> 16);
  total = (total & 0xffff) + (total >>> 16);
  return ~total & 0xffff;
}
