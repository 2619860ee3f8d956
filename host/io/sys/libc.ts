// The C library's system calls, by koffi. Every pointer is a JS number: a 47-bit address is exact in a
// double, and nothing is marshalled or copied.

import koffi from "koffi";
import { SystemError, type Hints } from "./error.js";

// The process's own symbols: the C library Node itself runs on, whichever it is (glibc, musl).
const libc = koffi.load(null);

type Call = (...args: number[]) => number;

export const open: (path: string, flags: number) => number = libc.func("open", "int", ["str", "int"]);
export const close: (fd: number) => number = libc.func("close", "int", ["int"]);
export const read: (fd: number, address: number, bytes: number) => number =
  libc.func("read", "intptr_t", ["int", "uintptr_t", "size_t"]);
export const write: (fd: number, address: number, bytes: number) => number =
  libc.func("write", "intptr_t", ["int", "uintptr_t", "size_t"]);
/** Waits on `count` records of 8 bytes: i32 fd, u16 events, u16 answered. */
export const poll: (address: number, count: number, timeoutMs: number) => number =
  libc.func("poll", "int", ["uintptr_t", "unsigned long", "int"]);
/** Lets others run who want to. */
export const schedYield: () => number = libc.func("sched_yield", "int", []);
export const ioctl: (fd: number, request: number, argument: number) => number =
  libc.func("ioctl", "int", ["int", "unsigned long", "uintptr_t"]);
export const eventfd: (initial: number, flags: number) => number =
  libc.func("eventfd", "int", ["unsigned int", "int"]);
export const setns: (fd: number, kind: number) => number = libc.func("setns", "int", ["int", "int"]);
export const unshare: (kinds: number) => number = libc.func("unshare", "int", ["int"]);
export const socket: (family: number, type: number, protocol: number) => number =
  libc.func("socket", "int", ["int", "int", "int"]);
export const bind: (fd: number, address: number, bytes: number) => number =
  libc.func("bind", "int", ["int", "uintptr_t", "unsigned int"]);
/** `bytes` is the address of a u32: how much room there is, and how much was needed. */
export const getsockname: (fd: number, address: number, bytes: number) => number =
  libc.func("getsockname", "int", ["int", "uintptr_t", "uintptr_t"]);
export const setsockopt: (fd: number, level: number, option: number, address: number, bytes: number) => number =
  libc.func("setsockopt", "int", ["int", "int", "int", "uintptr_t", "unsigned int"]);
export const getsockopt: (fd: number, level: number, option: number, address: number, bytesAddress: number) => number =
  libc.func("getsockopt", "int", ["int", "int", "int", "uintptr_t", "uintptr_t"]);
/** A nudge to a socket, without data. */
export const sendto: (fd: number, address: number, bytes: number, flags: number, to: number, toBytes: number) => number =
  libc.func("sendto", "intptr_t", ["int", "uintptr_t", "size_t", "int", "uintptr_t", "unsigned int"]);
/** Answers the address, or all ones. */
export const mmap: (address: number, bytes: number, protection: number, flags: number, fd: number, offset: number) => number =
  libc.func("mmap", "intptr_t", ["uintptr_t", "size_t", "int", "int", "int", "int64_t"]);
/** `address` is a page's. */
export const madvise: (address: number, bytes: number, advice: number) => number =
  libc.func("madvise", "int", ["uintptr_t", "size_t", "int"]);
export const prctl: (option: number, argument: number) => number =
  libc.func("prctl", "int", ["int", "unsigned long"]);
/** The number of an interface of the calling thread's namespace, 0 when there is none of that name. */
export const interfaceIndex: (name: string) => number =
  libc.func("if_nametoindex", "unsigned int", ["str"]);
/** Any system call by its number on this machine's architecture, six arguments. */
export const syscall: Call =
  libc.func("syscall", "intptr_t", ["long", "uintptr_t", "uintptr_t", "uintptr_t", "uintptr_t", "uintptr_t", "uintptr_t"]);

export const O_RDONLY = 0;
export const O_RDWR = 2;
export const O_NONBLOCK = 0x800;
export const O_CLOEXEC = 0x80000;
export const POLL_IN = 1;
export const POLL_ERROR = 8;

/** The error number of the call that just returned below zero. Ask before any other call. */
export function errno(): number {
  return koffi.errno();
}

/** Passes a call's answer on, or throws what went wrong when it is below zero. */
export function checked(result: number, what: string, hints?: Hints): number {
  if (result < 0) throw new SystemError(what, koffi.errno(), hints);
  return result;
}

/** A call takes a handful of addresses. */
const KEPT = 64;
const kept = new Array<Uint8Array | undefined>(KEPT);
let next = 0;

/**
 * Where a buffer's bytes lie. The buffer lives until so many other addresses have been asked for: a call that is made at once finds
 * it, though nobody but the kernel reads or writes it then, and the optimiser sees it unused. Who keeps an address longer, keeps the buffer.
 */
export function addressOf(bytes: Uint8Array): number {
  kept[next] = bytes;
  next = (next + 1) % KEPT;
  return Number(koffi.address(bytes));
}
