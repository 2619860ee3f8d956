// Pairs of connected sockets: one end is ours, the other a child process inherits. Every wait has an end.

import koffi from "koffi";
import { POLL_IN, addressOf, checked, close, errno, poll, read, write } from "../../../host/io/sys/libc.js";

const socketpair: (family: number, type: number, protocol: number, address: number) => number =
  koffi.load(null).func("socketpair", "int", ["int", "int", "int", "uintptr_t"]);

const EINTR = 4;
const AF_UNIX = 1;
const SOCK_CLOEXEC = 0x80000;
const POLL_RECORD_BYTES = 8;
const READ_BYTES_MAX = 65536;

export const SOCK_STREAM = 1;
/** Keeps the borders of what was written: one write is one frame. */
export const SOCK_SEQPACKET = 5;

/** Our end of a pair; `peer` is the descriptor to hand to a child. */
export class SocketEnd {
  private readonly buffer = Buffer.alloc(READ_BYTES_MAX);
  private readonly record = Buffer.alloc(POLL_RECORD_BYTES);
  private readonly bufferAddress = addressOf(this.buffer);
  private readonly recordAddress = addressOf(this.record);

  private constructor(private readonly own: number, readonly peer: number) {
    this.record.writeInt32LE(own, 0);
    this.record.writeInt16LE(POLL_IN, 4);
  }

  static create(type: number): SocketEnd {
    const pair = Buffer.alloc(8);
    checked(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, addressOf(pair)), "socketpair");
    return new SocketEnd(pair.readInt32LE(0), pair.readInt32LE(4));
  }

  send(bytes: Uint8Array): void {
    checked(write(this.own, addressOf(bytes), bytes.length), "send");
  }

  /** True as soon as something came, false when nothing did for so long. */
  waitReadable(timeoutMs: number): boolean {
    const ready = poll(this.recordAddress, 1, timeoutMs);
    // A signal, as of a profiler: everyone who waits here waits again.
    return ready < 0 && errno() === EINTR ? false : checked(ready, "poll") > 0;
  }

  /** What came, waiting at most so long; undefined when nothing did, empty when the peer has closed. */
  receive(timeoutMs: number): Buffer | undefined {
    if (!this.waitReadable(timeoutMs)) return undefined;
    const bytes = checked(read(this.own, this.bufferAddress, READ_BYTES_MAX), "receive");
    return Buffer.from(this.buffer.subarray(0, bytes));
  }

  /** To be called once the child has its copy. */
  closePeer(): void {
    close(this.peer);
  }

  close(): void {
    close(this.own);
  }
}
