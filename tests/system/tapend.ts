// The director's end of a TAP in a test: frames by hand, waits that end.

import assert from "node:assert/strict";
import { POLL_IN, addressOf, checked, close, poll, read, write } from "../../host/io/sys/libc.js";
import { VNET_HEADER_BYTES, openTap } from "../../host/io/sys/tun.js";
import type { TapPlace } from "../../host/lab/network.js";

const FRAME_BYTES_MAX = 65560;
const POLL_MS = 20;
const FRAMES_MAX = 10_000;

const ETHERTYPE_ARP = 0x0806;
export const ETHERNET_BYTES = 14;

const NEEDS_CHECKSUM = 1;

/** An open TAP with virtio headers and no offloads: the checksums that come out of it are complete. */
export class TapEnd {
  private readonly frame = Buffer.alloc(FRAME_BYTES_MAX);
  private readonly waiting = Buffer.alloc(8);
  private readonly fd: number;

  constructor(tap: TapPlace, readonly mac: string) {
    this.fd = openTap(tap.name, { vnetHeader: true, offloads: false, namespacePath: tap.namespacePath });
    this.waiting.writeInt32LE(this.fd, 0);
    this.waiting.writeUInt16LE(POLL_IN, 4);
  }

  send(frame: Buffer, header = Buffer.alloc(VNET_HEADER_BYTES)): void {
    const whole = Buffer.concat([header, frame]);
    assert.equal(checked(write(this.fd, addressOf(whole), whole.length), "write to the TAP"), whole.length);
  }

  /** Sends a frame whose TCP header lies at `tcpAt`, its checksum left for the kernel to finish. */
  sendPartial(frame: Buffer, tcpAt: number): void {
    const header = Buffer.alloc(VNET_HEADER_BYTES);
    header.writeUInt8(NEEDS_CHECKSUM, 0);
    header.writeUInt16LE(tcpAt, 6);
    header.writeUInt16LE(16, 8);
    const partial = Buffer.from(frame);
    // The pseudo header's sum: both addresses just before the TCP header, protocol, bytes.
    let sum = 6 + frame.length - tcpAt;
    for (let at = tcpAt - 8; at < tcpAt; at += 2) sum += frame.readUInt16BE(at);
    partial.writeUInt16BE(fold(sum), tcpAt + 16);
    this.send(partial, header);
  }

  /** The first frame that fits, within a time; undefined when none came. */
  async receive(fits: (frame: Buffer) => boolean, timeoutMs: number): Promise<Buffer | undefined> {
    const deadlineMs = Date.now() + timeoutMs;
    for (let count = 0; count < FRAMES_MAX && Date.now() < deadlineMs; count++) {
      // Lets the rest of the test breathe: poll() stops the whole thread.
      await new Promise((resolve) => setImmediate(resolve));
      if (poll(addressOf(this.waiting), 1, POLL_MS) <= 0) continue;
      const frame = this.take();
      if (frame && fits(frame)) return frame;
    }
    return undefined;
  }

  /** A frame that is there; undefined when none is. */
  take(): Buffer | undefined {
    const bytes = read(this.fd, addressOf(this.frame), FRAME_BYTES_MAX);
    return bytes <= VNET_HEADER_BYTES ? undefined : Buffer.from(this.frame.subarray(VNET_HEADER_BYTES, bytes));
  }

  /** Asks the segment who has an address; the MAC, "" when nobody says so. */
  async ask(address: string, from: string, timeoutMs: number): Promise<string> {
    this.send(arp(1, "ff:ff:ff:ff:ff:ff", this.mac, from, "00:00:00:00:00:00", address));
    const answer = await this.receive((frame) => isArp(frame, 2) && addressAt(frame, 28) === address, timeoutMs);
    return answer === undefined ? "" : macAt(answer, 22);
  }

  /** Waits for an IPv4 frame that fits, and meanwhile answers for `own` when somebody asks. */
  async receiveFor(own: string, fits: (frame: Buffer) => boolean, timeoutMs: number): Promise<Buffer | undefined> {
    return this.receive((frame) => {
      if (isArp(frame, 1) && addressAt(frame, 38) === own) {
        this.send(arp(2, macAt(frame, 22), this.mac, own, macAt(frame, 22), addressAt(frame, 28)));
        return false;
      }
      return frame.readUInt16BE(12) === 0x0800 && fits(frame);
    }, timeoutMs);
  }

  close(): void {
    close(this.fd);
  }
}

export function macAt(frame: Buffer, at: number): string {
  return Array.from(frame.subarray(at, at + 6), (byte) => byte.toString(16).padStart(2, "0")).join(":");
}

export function addressAt(frame: Buffer, at: number): string {
  return Array.from(frame.subarray(at, at + 4)).join(".");
}

/** A frame's packet inside another, from the outer source to the outer target (RFC 2003). */
export function wrap(frame: Buffer, source: string, target: string): Buffer {
  const outer = Buffer.alloc(20);
  outer.set([0x45, 0, 0, 0, 0, 1, 0x40, 0, 64, 4]);
  outer.writeUInt16BE(frame.length - ETHERNET_BYTES + outer.length, 2);
  outer.set([...source.split("."), ...target.split(".")].map(Number), 12);
  let sum = 0;
  for (let at = 0; at < outer.length; at += 2) sum += outer.readUInt16BE(at);
  outer.writeUInt16BE(~fold(sum) & 0xffff, 10);
  return Buffer.concat([frame.subarray(0, ETHERNET_BYTES), outer, frame.subarray(ETHERNET_BYTES)]);
}

function fold(sum: number): number {
  const once = (sum & 0xffff) + (sum >> 16);
  return (once & 0xffff) + (once >> 16);
}

function isArp(frame: Buffer, operation: number): boolean {
  return frame.length >= 42 && frame.readUInt16BE(12) === ETHERTYPE_ARP && frame.readUInt16BE(20) === operation;
}

function arp(operation: number, to: string, from: string, sender: string, targetMac: string, target: string): Buffer {
  const hex = (mac: string): Buffer => Buffer.from(mac.replaceAll(":", ""), "hex");
  const ipv4 = (address: string): Buffer => Buffer.from(address.split(".").map(Number));
  return Buffer.concat([hex(to), hex(from), Buffer.from([8, 6, 0, 1, 8, 0, 6, 4, 0, operation]),
    hex(from), ipv4(sender), hex(targetMac), ipv4(target)]);
}
