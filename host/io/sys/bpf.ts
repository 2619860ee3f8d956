// BPF programs and maps by the bare system call: load one, hang it on an interface. No compiler, no library.

import { SystemError } from "./error.js";
import { addressOf, checked, close, errno, interfaceIndex, syscall } from "./libc.js";

const BPF_MAP_CREATE = 0;
const BPF_MAP_UPDATE = 2;
const BPF_MAP_DELETE = 3;
const BPF_PROG_LOAD = 5;
const BPF_PROG_TEST_RUN = 10;
const BPF_LINK_CREATE = 28;
const BPF_XDP = 37;
const BPF_TCX_INGRESS = 46;
export const PROGRAM_SOCKET_FILTER = 1;
export const PROGRAM_SCHED_CLS = 3;
const PROGRAM_XDP = 6;

const ATTRIBUTE_BYTES = 144;
const LOG_BYTES = 65536;
const INSTRUCTION_BYTES = 8;
// Decides which helpers a program may call; ours need none that asks for more.
const LICENSE = "Apache-2.0\0";

const HINTS = {
  EPERM: "loading a program needs CAP_BPF and CAP_NET_ADMIN of the machine, not of a user namespace",
  ENOSYS: "this kernel is built without bpf(2)",
};

/** One instruction: operation, registers, jump or memory offset, constant. */
export interface Instruction { op: number; target: number; source: number; offset: number; value: number }

function call(): number {
  const numbers: Readonly<Record<string, number>> = { x64: 321, arm64: 280, riscv64: 280 };
  const number = numbers[process.arch];
  if (number === undefined) throw new Error(`bpf(2) has no known number on ${process.arch}`);
  return number;
}

function assemble(instructions: readonly Instruction[]): Buffer {
  const bytes = Buffer.alloc(instructions.length * INSTRUCTION_BYTES);
  instructions.forEach(({ op, target, source, offset, value }, index) => {
    const at = index * INSTRUCTION_BYTES;
    bytes.writeUInt8(op, at);
    bytes.writeUInt8(target | (source << 4), at + 1);
    bytes.writeInt16LE(offset, at + 2);
    bytes.writeInt32LE(value, at + 4);
  });
  return bytes;
}

/** Loads a program; its descriptor. The verifier's words are in the error. */
function load(kind: number, attachKind: number, instructions: readonly Instruction[]): number {
  const code = assemble(instructions);
  const license = Buffer.from(LICENSE);
  const log = Buffer.alloc(LOG_BYTES);
  const attribute = Buffer.alloc(ATTRIBUTE_BYTES);
  attribute.writeUInt32LE(kind, 0);
  attribute.writeUInt32LE(instructions.length, 4);
  attribute.writeBigUInt64LE(BigInt(addressOf(code)), 8);
  attribute.writeBigUInt64LE(BigInt(addressOf(license)), 16);
  attribute.writeUInt32LE(1, 24);
  attribute.writeUInt32LE(LOG_BYTES, 28);
  attribute.writeBigUInt64LE(BigInt(addressOf(log)), 32);
  attribute.writeUInt32LE(attachKind, 68);
  const fd = syscall(call(), BPF_PROG_LOAD, addressOf(attribute), ATTRIBUTE_BYTES, 0, 0, 0);
  if (fd >= 0) return fd;
  const failure = errno();
  const words = log.toString("latin1", 0, log.indexOf(0)).trim();
  throw new SystemError(words === "" ? "load a BPF program" : `load a BPF program: ${words}`, failure, HINTS);
}

/**
 * Runs a classifier on every frame that comes in through an interface of the calling thread's
 * namespace. Answers a link: closing it, or ending the process, detaches the program. Linux 6.6.
 */
export function attachIngress(interfaceName: string, instructions: readonly Instruction[]): number {
  const index = interfaceIndex(interfaceName);
  if (index === 0) throw new Error(`no interface ${interfaceName} in this namespace`);
  const program = load(PROGRAM_SCHED_CLS, 0, instructions);
  try {
    return checked(link(program, index, BPF_TCX_INGRESS, 0), `attach a BPF program to ${interfaceName}`,
      { ...HINTS, EINVAL: "TCX came with Linux 6.6" });
  } finally {
    close(program);
  }
}

function link(program: number, interfaceIndex: number, kind: number, flags: number): number {
  const attribute = Buffer.alloc(64);
  attribute.writeUInt32LE(program, 0);
  attribute.writeUInt32LE(interfaceIndex, 4);
  attribute.writeUInt32LE(kind, 8);
  attribute.writeUInt32LE(flags, 12);
  return syscall(call(), BPF_LINK_CREATE, addressOf(attribute), attribute.length, 0, 0, 0);
}

/** Where an XDP program runs: in the card's driver, or behind it for every kind of interface. */
export enum XdpPlace { Generic = 2, Driver = 4 }

/** Loads an XDP program; its descriptor. */
export function loadXdp(instructions: readonly Instruction[]): number {
  return load(PROGRAM_XDP, BPF_XDP, instructions);
}

/** Hangs an XDP program on an interface. Answers a link: closing it, or ending the process, detaches the program. */
export function attachXdp(program: number, interfaceName: string, index: number, place: XdpPlace): number {
  return checked(link(program, index, BPF_XDP, place), `attach the XDP program to ${interfaceName}`, {
    ...HINTS, EBUSY: `another XDP program is there: \`ip link set dev ${interfaceName} xdp off\`, or stop whose it is`,
    EINVAL: "links for XDP came with Linux 5.9",
  });
}

export enum MapKind { Hash = 1, Array = 2, Sockets = 17 }

/** Makes a map; its descriptor. Keys and values are so many bytes. */
export function makeMap(kind: MapKind, keyBytes: number, valueBytes: number, entries: number): number {
  const attribute = Buffer.alloc(ATTRIBUTE_BYTES);
  [kind, keyBytes, valueBytes, entries].forEach((word, index) => attribute.writeUInt32LE(word, index * 4));
  return checked(syscall(call(), BPF_MAP_CREATE, addressOf(attribute), attribute.length, 0, 0, 0), "make a BPF map", HINTS);
}

/** Enters a value, or changes it. */
export function setInMap(map: number, key: Uint8Array, value: Uint8Array): void {
  checked(changeMap(map, BPF_MAP_UPDATE, key, value), "enter into a BPF map", { E2BIG: "the map is full" });
}

/** Takes a key out, if it is there. */
export function removeFromMap(map: number, key: Uint8Array): void {
  changeMap(map, BPF_MAP_DELETE, key, key);
}

function changeMap(map: number, how: number, key: Uint8Array, value: Uint8Array): number {
  const attribute = Buffer.alloc(32);
  attribute.writeUInt32LE(map, 0);
  attribute.writeBigUInt64LE(BigInt(addressOf(key)), 8);
  if (how === BPF_MAP_UPDATE) attribute.writeBigUInt64LE(BigInt(addressOf(value)), 16);
  return syscall(call(), how, addressOf(attribute), attribute.length, 0, 0, 0);
}

/** Loads a program that is not attached by a link; its descriptor. */
export function loadProgram(kind: number, instructions: readonly Instruction[]): number {
  return load(kind, 0, instructions);
}

/** What a loaded classifier answers about a frame. */
export function tryProgram(program: number, frame: Uint8Array): number {
  const attribute = Buffer.alloc(80);
  const out = Buffer.alloc(frame.length + 256);
  attribute.writeUInt32LE(program, 0);
  attribute.writeUInt32LE(frame.length, 8);
  attribute.writeUInt32LE(out.length, 12);
  attribute.writeBigUInt64LE(BigInt(addressOf(frame)), 16);
  attribute.writeBigUInt64LE(BigInt(addressOf(out)), 24);
  attribute.writeUInt32LE(1, 32);
  checked(syscall(call(), BPF_PROG_TEST_RUN, addressOf(attribute), attribute.length, 0, 0, 0), "try a BPF program", HINTS);
  return attribute.readUInt32LE(4);
}
