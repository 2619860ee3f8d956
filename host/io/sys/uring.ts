// io_uring by its bare system calls: a ring whose pages lie in the caller's own memory.
//
//   pages | submissions 16 KiB | both queues' heads, then completions 16 KiB | scratch 4 KiB | buffers, 4 KiB a group |
//
// Everything happens in the one thread that made the ring, inside its calls (DEFER_TASKRUN): between two
// calls the kernel touches one word only, by which it says that a call would find something (TASKRUN_FLAG). So plain
// loads and stores are enough for all others.

import { addressOf, checked, close, errno, syscall } from "./libc.js";
import { SystemError } from "./error.js";

// The same numbers on every architecture Node runs on.
const SETUP = 425;
const ENTER = 426;
const REGISTER = 427;

// CQSIZE 8, SUBMIT_ALL 128, TASKRUN_FLAG 512, SINGLE_ISSUER 4096, DEFER_TASKRUN 8192, NO_MMAP 16384, NO_SQARRAY 65536
const SETUP_FLAGS = 8 | 128 | 512 | 4096 | 8192 | 16384 | 65536;
const QUEUE_TASKRUN = 4;
const ENTER_GETEVENTS = 1;
const ENTER_EXT_ARG = 8;
const REGISTER_BUFFERS = 22;

const OP_CANCEL = 14;
const OP_READ = 22;
const OP_WRITE = 23;
const OP_READ_MULTISHOT = 49;
const BUFFER_SELECT = 32 << 8; // a flag, in the word of the operation
const CANCEL_ALL_OF_ANY = 1 | 4;

const CQE_BUFFER = 1;
const CQE_MORE = 2;

const EINTR = 4;
const EAGAIN = 11;
const EBUSY = 16;
const ETIME = 62;

const PAGE_BYTES = 4096;
/** Submissions between two calls; a longer list goes in several. */
const SUBMISSIONS = 256;
/** More than all submissions and all buffers can complete at once: it never overflows. */
const COMPLETIONS = 512;
const SUBMISSION_WORDS = 16;
const COMPLETION_WORDS = 4;
/** Most groups of buffers: one for each port. */
const GROUPS_MAX = 16;
/** Most buffers of a group. */
const GROUP_BUFFERS = PAGE_BYTES / 16;

const QUEUES_AT = SUBMISSIONS * 64;
const SCRATCH_AT = QUEUES_AT + 16384;
const BUFFERS_AT = SCRATCH_AT + PAGE_BYTES;
/** What a ring needs, from the beginning of a page. */
export const RING_PAGES_BYTES = BUFFERS_AT + GROUPS_MAX * PAGE_BYTES;

// Scratch: parameters or arguments of a call, a time, the word that a wake is read into.
const TIME_AT = 128;
const WAKE_AT = 192;
const WAKE_BYTES = 8;
const PARAMETERS_BYTES = 120;
const TWO_32 = 2 ** 32;

const HINTS = {
  ENOSYS: "this kernel has no io_uring, or a container's seccomp profile hides it",
  EPERM: "io_uring is switched off (kernel.io_uring_disabled, or a container's seccomp profile)",
  EINVAL: "the kernel is too old for rings in the program's own memory (before 6.7)",
  ENOMEM: "too little memory may be locked (ulimit -l)",
};

/** A completion: the tag and detail of its submission, its result, the buffer chosen (-1 none), whether more follow. */
export type OnCompletion = (tag: number, detail: number, result: number, buffer: number, more: boolean) => void;

/** One ring. Submissions collect until `enter`, completions until `reap`. */
export class Ring {
  private readonly words: Uint32Array;
  private readonly results: Int32Array;
  private readonly halves: Uint16Array;
  private readonly memoryAddress: number;
  private readonly descriptor: number;
  private readonly submissions: number;
  private readonly completions: number;
  private readonly tail: number;
  private readonly flags: number;
  private readonly completedHead: number;
  private readonly completedTail: number;
  private readonly tails = new Uint16Array(GROUPS_MAX);
  private prepared = 0;

  /** Makes a ring over `memory` from `base`, a page. Throws a SystemError when the kernel does not. */
  constructor(memory: Uint8Array, private readonly base: number) {
    this.words = new Uint32Array(memory.buffer);
    this.results = new Int32Array(memory.buffer);
    this.halves = new Uint16Array(memory.buffer);
    this.memoryAddress = addressOf(memory);
    memory.fill(0, base, base + RING_PAGES_BYTES); // an earlier ring may have been here
    const parameters = (base + SCRATCH_AT) >>> 2;
    this.words[parameters + 1] = COMPLETIONS;
    this.words[parameters + 2] = SETUP_FLAGS;
    this.storeAddress(parameters + 18, base);
    this.storeAddress(parameters + 28, base + QUEUES_AT);
    this.descriptor = checked(syscall(SETUP, SUBMISSIONS, this.addressAt(base + SCRATCH_AT), 0, 0, 0, 0), "make an io_uring", HINTS);
    const place = (word: number): number => (base + QUEUES_AT + this.word(parameters + word)) >>> 2;
    this.submissions = base >>> 2;
    this.tail = place(11);
    this.flags = place(14);
    this.completedHead = place(20);
    this.completedTail = place(21);
    this.completions = place(25);
    memory.fill(0, base + SCRATCH_AT, base + SCRATCH_AT + PARAMETERS_BYTES);
  }

  /** Submissions not yet given to the kernel. */
  get waiting(): number {
    return this.prepared;
  }

  /** True when a call would find something that has happened. */
  get hasNews(): boolean {
    return (Atomics.load(this.words, this.flags) & QUEUE_TASKRUN) !== 0;
  }

  /** Submissions that can be prepared until `enter` gives them to the kernel; more would take the place of others. */
  get room(): number {
    return SUBMISSIONS - this.prepared;
  }

  write(descriptor: number, at: number, bytes: number, tag: number, detail: number): void {
    this.prepare(OP_WRITE, descriptor, this.memoryAddress + at, bytes, tag, detail, 0);
  }

  /** Reads an eventfd. */
  readWake(descriptor: number, tag: number): void {
    this.prepare(OP_READ, descriptor, this.addressAt(this.base + SCRATCH_AT + WAKE_AT), WAKE_BYTES, tag, 0, 0);
  }

  /** Reads again and again, each time into a buffer of the group, until it has none. */
  readAll(descriptor: number, group: number, tag: number): void {
    this.prepare(OP_READ_MULTISHOT | BUFFER_SELECT, descriptor, 0, 0, tag, 0, group);
  }

  /** Ends everything that is under way; each says so by its own completion. */
  cancelAll(tag: number): void {
    this.prepare(OP_CANCEL, -1, 0, 0, tag, 0, 0);
    this.words[this.lastSubmission() + 7] = CANCEL_ALL_OF_ANY;
  }

  private prepare(operation: number, descriptor: number, address: number, bytes: number, tag: number, detail: number, group: number): void {
    const { words } = this;
    const tail = this.word(this.tail);
    const at = this.submissions + (tail & (SUBMISSIONS - 1)) * SUBMISSION_WORDS;
    words[at] = operation;
    words[at + 1] = descriptor;
    words[at + 2] = words[at + 3] = operation === OP_CANCEL ? 0 : 0xffffffff; // no offset: where the device is
    words[at + 4] = address;
    words[at + 5] = address / TWO_32;
    words[at + 6] = bytes;
    words[at + 7] = 0;
    words[at + 8] = tag;
    words[at + 9] = detail;
    words[at + 10] = group;
    words[this.tail] = tail + 1;
    this.prepared++;
  }

  private lastSubmission(): number {
    return this.submissions + ((this.word(this.tail) - 1) & (SUBMISSIONS - 1)) * SUBMISSION_WORDS;
  }

  /** Gives the kernel what was prepared, and waits for that many completions or that long. */
  enter(completions: number, timeoutMs: number): void {
    const scratch = (this.base + SCRATCH_AT) >>> 2;
    this.words[scratch + TIME_AT / 4] = Math.floor(timeoutMs / 1000);
    this.words[scratch + TIME_AT / 4 + 2] = (timeoutMs % 1000) * 1e6;
    this.storeAddress(scratch + 4, this.base + SCRATCH_AT + TIME_AT);
    const argument = this.addressAt(this.base + SCRATCH_AT);
    const taken = syscall(ENTER, this.descriptor, this.prepared, completions, ENTER_GETEVENTS | ENTER_EXT_ARG, argument, 24);
    if (taken >= 0) {
      this.prepared -= taken;
      return;
    }
    const failure = errno();
    if (failure !== ETIME && failure !== EINTR && failure !== EAGAIN && failure !== EBUSY) throw new SystemError("enter the io_uring", failure);
  }

  /** Hands over every completion. */
  reap(take: OnCompletion): void {
    const { words } = this;
    let head = this.word(this.completedHead);
    const tail = this.word(this.completedTail);
    for (; head !== tail; head = (head + 1) >>> 0) {
      const at = this.completions + (head & (COMPLETIONS - 1)) * COMPLETION_WORDS;
      const flags = this.word(at + 3);
      take(this.word(at), this.word(at + 1), this.results[at + 2] ?? 0, (flags & CQE_BUFFER) === 0 ? -1 : flags >>> 16, (flags & CQE_MORE) !== 0);
    }
    words[this.completedHead] = head;
  }

  /** Makes a group of buffers, empty. */
  makeGroup(group: number): void {
    if (group >= GROUPS_MAX) throw new RangeError(`there are ${GROUPS_MAX} groups of buffers`);
    const registration = (this.base + SCRATCH_AT) >>> 2;
    this.storeAddress(registration, this.base + BUFFERS_AT + group * PAGE_BYTES);
    this.words[registration + 2] = GROUP_BUFFERS;
    this.words[registration + 3] = group;
    const done = syscall(REGISTER, this.descriptor, REGISTER_BUFFERS, this.addressAt(this.base + SCRATCH_AT), 1, 0, 0);
    checked(done, "give an io_uring its buffers", HINTS);
    this.words.fill(0, registration, registration + 10);
  }

  /** Gives the group a buffer for a read to come. */
  addBuffer(group: number, buffer: number, at: number, bytes: number): void {
    const ring = this.base + BUFFERS_AT + group * PAGE_BYTES;
    const tail = this.tails[group] ?? 0;
    const entry = ring + (tail & (GROUP_BUFFERS - 1)) * 16;
    this.storeAddress(entry >>> 2, at);
    this.words[(entry >>> 2) + 2] = bytes;
    this.halves[(entry >>> 1) + 6] = buffer;
    this.tails[group] = tail + 1;
    this.halves[(ring >>> 1) + 7] = tail + 1; // the tail lies in the unused end of the first entry
  }

  close(): void {
    close(this.descriptor);
  }

  private word(index: number): number {
    return this.words[index] ?? 0;
  }

  private addressAt(offset: number): number {
    return this.memoryAddress + offset;
  }

  /** Stores the 64-bit address of a place in the memory. */
  private storeAddress(word: number, offset: number): void {
    const address = this.memoryAddress + offset;
    this.words[word] = address;
    this.words[word + 1] = address / TWO_32;
  }
}
