// One AF_XDP socket: its four rings are pages of the caller's own memory, beside the frames they tell of.
//
//   ring pages | receive 64 KiB | transmit 64 KiB | fill 64 KiB | completion 64 KiB |
//
// The kernel moves producers and consumers while we look, so these words are read and written by Atomics;
// entries between them belong to one side and are plain.

import { addressOf, bind, checked, close, getsockopt, mmap, sendto, setsockopt, socket, errno } from "./libc.js";
import { inNamespace } from "./netns.js";
import { SystemError } from "./error.js";

const AF_XDP = 44;
const SOCK_RAW = 3;
const SOCK_CLOEXEC = 0x80000;
const SOL_SOCKET = 1;
const SO_ERROR = 4;
const SOL_XDP = 283;
const XDP_MMAP_OFFSETS = 1;
const XDP_RX_RING = 2;
const XDP_TX_RING = 3;
const XDP_UMEM_REG = 4;
const XDP_UMEM_FILL_RING = 5;
const XDP_UMEM_COMPLETION_RING = 6;
const XDP_STATISTICS = 7;
const XDP_OPTIONS = 8;
const OPTION_ZERO_COPY = 1;
const BIND_SHARED_UMEM = 1;
const BIND_COPY = 2;
const BIND_ZERO_COPY = 4;
const BIND_NEED_WAKEUP = 8;
const RING_NEEDS_WAKEUP = 1;
const MSG_DONTWAIT = 0x40;

const EINTR = 4;
const EAGAIN = 11;
const EBUSY = 16;
const ENOBUFS = 105;

const PROTECTION = 3; // read and write
const MAP_SHARED_FIXED_POPULATE = 0x1 | 0x10 | 0x8000;
const MAP_PRIVATE_FIXED_ANONYMOUS = 0x2 | 0x10 | 0x20;

/** Entries of each ring; a fill ring below 4096 runs empty under a flood. */
const RING_ENTRIES = 4096;
const RING_BYTES = 0x20000;
/** The socket's four rings, from the beginning of a page. */
export const SOCKET_PAGES_BYTES = 4 * RING_BYTES;

const HINTS = {
  EPERM: "AF_XDP needs CAP_NET_RAW, and CAP_NET_ADMIN of the machine",
  EAFNOSUPPORT: "this kernel is built without AF_XDP (CONFIG_XDP_SOCKETS)",
  ENOBUFS: "too little memory may be locked (ulimit -l), or CAP_IPC_LOCK is missing",
  EBUSY: "another program has an AF_XDP socket on this queue",
  ENETDOWN: "the interface is down: `ip link set dev NAME up`",
  ENOTSUP: "the NIC's driver cannot do it: `mode: auto` takes what it can",
  EINVAL: "there is no such queue, or the driver cannot do it",
};

/** Where the frames lie: so many chunks of a power of two of bytes. */
export interface Umem { base: number; chunks: number; chunkBytes: number }

/** What a socket is bound to. */
export interface SocketPlace { name: string; interfaceIndex: number; queue: number; namespacePath: string | undefined; isZeroCopy: boolean }

/** What the kernel has counted about a socket. */
export interface SocketStatistics { dropped: number; invalid: number; invalidSent: number; receiveFull: number; fillEmpty: number; transmitEmpty: number }

/** One ring. Words are indices into the memory's 32-bit words. */
class Ring {
  private readonly producer: number;
  private readonly consumer: number;
  private readonly flags: number;
  readonly entries: number;

  constructor(private readonly words: Int32Array, base: number, offsets: readonly number[]) {
    const [producer = 0, consumer = 0, entries = 0, flags = 0] = offsets;
    this.producer = (base + producer) >>> 2;
    this.consumer = (base + consumer) >>> 2;
    this.entries = (base + entries) >>> 2;
    this.flags = (base + flags) >>> 2;
  }

  get produced(): number { return Atomics.load(this.words, this.producer); }
  set produced(count: number) { Atomics.store(this.words, this.producer, count); }
  get consumed(): number { return Atomics.load(this.words, this.consumer); }
  set consumed(count: number) { Atomics.store(this.words, this.consumer, count); }
  get needsWakeup(): boolean { return (Atomics.load(this.words, this.flags) & RING_NEEDS_WAKEUP) !== 0; }
}

/** A socket bound to one queue. Addresses are offsets into the memory. */
export class XdpSocket {
  readonly descriptor: number;
  private readonly words: Int32Array;
  private readonly receive: Ring;
  private readonly transmit: Ring;
  private readonly fill: Ring;
  private readonly completion: Ring;
  private appended = 0;
  private marked = 0;

  /** Throws a SystemError when the kernel does not. The first socket brings the frames, others share them. */
  constructor(private readonly memory: Uint8Array, private readonly pages: number, private readonly umem: Umem, place: SocketPlace, first?: XdpSocket) {
    this.words = new Int32Array(memory.buffer);
    const make = (): number => socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);
    this.descriptor = checked(place.namespacePath === undefined ? make() : inNamespace(place.namespacePath, make), "open an AF_XDP socket", HINTS);
    try {
      if (!first) this.register();
      const rings = [XDP_UMEM_FILL_RING, XDP_UMEM_COMPLETION_RING, XDP_RX_RING, XDP_TX_RING];
      rings.forEach((ring) => this.option(ring, Uint32Array.of(RING_ENTRIES), "size a ring"));
      const offsets = this.ask(XDP_MMAP_OFFSETS, 128);
      const ring = (index: number, entryBytes: number, file: number): Ring => {
        const at = [0, 8, 16, 24].map((part) => Number(offsets.readBigUInt64LE(index * 32 + part)));
        const base = pages + index * RING_BYTES;
        this.map(base, (at[2] ?? 0) + RING_ENTRIES * entryBytes, file);
        return new Ring(this.words, base, at);
      };
      this.receive = ring(0, 16, 0);
      this.transmit = ring(1, 16, 0x80000000);
      this.fill = ring(2, 8, 0x100000000);
      this.completion = ring(3, 8, 0x180000000);
      this.bind(place, first);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** Frames that have come and were not yet taken. */
  get arrived(): number {
    return this.receive.produced - this.receive.consumed | 0;
  }

  /** Marks the frame that has come last. */
  mark(): void {
    this.marked = this.receive.produced;
  }

  /** True when every frame up to the mark was taken. */
  get isPastMark(): boolean {
    return (this.receive.consumed - this.marked | 0) >= 0;
  }

  /** Hands over at most so many frames that have come; how many. */
  take(most: number, take: (frame: number, bytes: number) => void): number {
    const { words, receive, umem } = this;
    const from = receive.consumed;
    const count = Math.min(most, receive.produced - from | 0);
    for (let index = 0; index < count; index++) {
      const at = receive.entries + ((from + index) & (RING_ENTRIES - 1)) * 4;
      take(umem.base + (words[at] ?? 0), words[at + 2] ?? 0);
    }
    if (count > 0) receive.consumed = from + count | 0;
    return count;
  }

  /** Appends a frame to be sent; false when the ring is full. Nothing goes before kick(). */
  put(frame: number, bytes: number): boolean {
    const { words, transmit } = this;
    const produced = transmit.produced + this.appended | 0;
    if ((produced - transmit.consumed | 0) >= RING_ENTRIES) return false;
    const at = transmit.entries + (produced & (RING_ENTRIES - 1)) * 4;
    words[at] = frame - this.umem.base;
    words[at + 1] = 0;
    words[at + 2] = bytes;
    words[at + 3] = 0;
    this.appended++;
    return true;
  }

  /** Makes the kernel send what was appended; 0, or the error number with which it does not. */
  kick(): number {
    if (this.appended > 0) this.transmit.produced = this.transmit.produced + this.appended | 0;
    this.appended = 0;
    // A call sends at most 32 frames of a driver without zero-copy.
    for (let calls = 0; calls <= RING_ENTRIES / 32 && this.transmit.needsWakeup && this.transmit.produced !== this.transmit.consumed; calls++) {
      if (sendto(this.descriptor, 0, 0, MSG_DONTWAIT, 0, 0) >= 0) continue;
      const failure = errno();
      if (failure !== EAGAIN && failure !== EINTR && failure !== EBUSY && failure !== ENOBUFS) return failure;
      if (failure !== EAGAIN) return 0;
    }
    return 0;
  }

  /** Hands over the frames that have been sent. */
  reap(take: (frame: number) => void): void {
    const { words, completion, umem } = this;
    const from = completion.consumed;
    const count = completion.produced - from | 0;
    for (let index = 0; index < count; index++) {
      take(umem.base + (words[completion.entries + ((from + index) & (RING_ENTRIES - 1)) * 2] ?? 0));
    }
    if (count > 0) completion.consumed = from + count | 0;
  }

  /** Chunks the kernel has for frames to come. */
  get filled(): number {
    return this.fill.produced - this.fill.consumed | 0;
  }

  /** Gives the kernel chunks for frames to come. */
  give(count: number, next: () => number): void {
    const { words, fill, umem } = this;
    const from = fill.produced;
    for (let index = 0; index < count; index++) {
      const at = fill.entries + ((from + index) & (RING_ENTRIES - 1)) * 2;
      words[at] = next() - umem.base;
      words[at + 1] = 0;
    }
    if (count > 0) fill.produced = from + count | 0;
  }

  /** True when the card writes frames into our memory itself. */
  get isZeroCopy(): boolean {
    return (this.ask(XDP_OPTIONS, 4).readUInt32LE() & OPTION_ZERO_COPY) !== 0;
  }

  /** The error that has befallen the socket, such as its interface's end; 0 none. */
  get failure(): number {
    return socketError(this.descriptor);
  }

  /** Lets go of the queue and of the pages, which are plain memory again. */
  close(): void {
    // A mapping keeps a socket alive, and its queue busy.
    mmap(addressOf(this.memory) + this.pages, SOCKET_PAGES_BYTES, PROTECTION, MAP_PRIVATE_FIXED_ANONYMOUS, -1, 0);
    close(this.descriptor);
  }

  private register(): void {
    const { base, chunks, chunkBytes } = this.umem;
    const record = Buffer.alloc(32);
    record.writeBigUInt64LE(BigInt(addressOf(this.memory) + base), 0);
    record.writeBigUInt64LE(BigInt(chunks * chunkBytes), 8);
    record.writeUInt32LE(chunkBytes, 16);
    this.option(XDP_UMEM_REG, record, "register the frames' memory");
  }

  private map(base: number, bytes: number, file: number): void {
    const address = addressOf(this.memory) + base;
    if (bytes > RING_BYTES) throw new RangeError(`a ring of ${bytes} bytes`);
    checked(mmap(address, bytes, PROTECTION, MAP_SHARED_FIXED_POPULATE, this.descriptor, file) === address ? 0 : -1, "map a ring", HINTS);
  }

  private bind(place: SocketPlace, first: XdpSocket | undefined): void {
    const address = Buffer.alloc(16);
    address.writeUInt16LE(AF_XDP, 0);
    // A socket that shares frames takes over how the first one works, and may say nothing else.
    address.writeUInt16LE(first ? BIND_SHARED_UMEM : BIND_NEED_WAKEUP | (place.isZeroCopy ? BIND_ZERO_COPY : BIND_COPY), 2);
    address.writeUInt32LE(place.interfaceIndex, 4);
    address.writeUInt32LE(place.queue, 8);
    address.writeUInt32LE(first?.descriptor ?? 0, 12);
    checked(bind(this.descriptor, addressOf(address), address.length), `bind AF_XDP to ${place.name}, queue ${place.queue}`, HINTS);
  }

  private option(option: number, value: Uint8Array | Uint32Array, what: string): void {
    const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
    checked(setsockopt(this.descriptor, SOL_XDP, option, addressOf(bytes), bytes.length), what, HINTS);
  }

  private ask(option: number, bytes: number): Buffer {
    return askSocket(this.descriptor, SOL_XDP, option, bytes);
  }
}

function askSocket(descriptor: number, level: number, option: number, bytes: number): Buffer {
  const answer = Buffer.alloc(bytes);
  const size = Buffer.alloc(4);
  size.writeUInt32LE(bytes);
  if (getsockopt(descriptor, level, option, addressOf(answer), addressOf(size)) < 0) throw new SystemError("ask an AF_XDP socket", errno());
  return answer;
}

function socketError(descriptor: number): number {
  return askSocket(descriptor, SOL_SOCKET, SO_ERROR, 4).readInt32LE();
}

/** Any thread may ask; undefined when the socket is just being changed for another. */
export function socketStatistics(descriptor: number): SocketStatistics | undefined {
  try {
    const found = askSocket(descriptor, SOL_XDP, XDP_STATISTICS, 48);
    const [dropped = 0, invalid = 0, invalidSent = 0, receiveFull = 0, fillEmpty = 0, transmitEmpty = 0] =
      [0, 8, 16, 24, 32, 40].map((at) => Number(found.readBigUInt64LE(at)));
    return { dropped, invalid, invalidSent, receiveFull, fillEmpty, transmitEmpty };
  } catch {
    return undefined;
  }
}
