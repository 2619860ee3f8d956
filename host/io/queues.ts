// A BPF program that chooses the queue of a frame, or the socket: that of the worker that the engine would hand it to.
// It knows plain TCP, UDP and SCTP; all else goes to the first, and the rings between workers mend that.

import { parseAddress } from "../engine/address.js";
import type { Instruction } from "./sys/bpf.js";

/** Addresses of the director that are compared one after the other; frames to further ones are mended by the rings. */
export const STEERED_ADDRESSES_MAX = 128;

// The engine's hash (assembly/base/hash.ts).
const FIRST_FACTOR = 0x9e3779b97f4a7c15n;
const SECOND_FACTOR = 0xd6e8feb86659fd93n;
const FOLD_FACTOR = 0xff51afd7ed558ccdn;
const FOLD_TURN = 29;

// Registers: the answer and what loads give; scratch; the frame; protocol; client; its port.
const ANSWER = 0, SCRATCH = 1, FRAME = 6, PROTOCOL = 7, CLIENT = 8, PORT = 9;

const LOAD_WORD = 0x20, LOAD_HALF = 0x28, LOAD_BYTE = 0x30; // of the frame, in the machine's order, into ANSWER
const MOVE = 0xbf, MOVE_32 = 0xbc, SET = 0xb7, SET_WIDE = 0x18;
const AND = 0x57, OR = 0x4f, XOR = 0xaf, XOR_32_CONSTANT = 0xa4, MULTIPLY = 0x2f, MULTIPLY_CONSTANT = 0x27, LEFT = 0x67, RIGHT = 0x77;
const TURN_BYTES = 0xdc;
const JUMP = 0x05, JUMP_EQUAL_32 = 0x16, JUMP_OTHER_32 = 0x56, END = 0x95;

// Where fields lie in an Ethernet frame.
const ETHER_TYPE = 12;
const V4 = { type: 0x0800, first: 14, plain: 0x45, fragment: 20, protocol: 23, source: 26, target: 30, sourcePort: 34, targetPort: 36 };
const V6 = { type: 0x86dd, protocol: 20, source: 22, target: 38, sourcePort: 54, targetPort: 56 };
const NOT_WHOLE = 0x3fff;
const BALANCED = [6, 17, 132];

const LOADS = new Set([LOAD_WORD, LOAD_HALF, LOAD_BYTE]);
/** What the kernel adds to places that count from a frame's hardware header, wherever it holds the frame itself (SKF_LL_OFF). */
const FROM_HEADER = -0x200000;

/** Instructions with jumps to names that are resolved at the end. */
class Program {
  private readonly instructions: Instruction[] = [];
  private readonly jumps: { at: number; name: string }[] = [];
  private readonly names = new Map<string, number>();

  /** `origin` is added to every place in the frame. */
  constructor(private readonly origin: number) {}

  add(op: number, target = 0, value = 0, source = 0): this {
    this.instructions.push({ op, target, source, offset: 0, value: (LOADS.has(op) ? value + this.origin : value) | 0 });
    return this;
  }

  wide(target: number, value: bigint): this {
    return this.add(SET_WIDE, target, Number(value & 0xffffffffn)).add(0, 0, Number(value >> 32n));
  }

  jump(op: number, name: string, value = 0): this {
    this.jumps.push({ at: this.instructions.length, name });
    return this.add(op, ANSWER, value);
  }

  name(name: string): this {
    this.names.set(name, this.instructions.length);
    return this;
  }

  assemble(): Instruction[] {
    for (const { at, name } of this.jumps) {
      const to = this.names.get(name);
      if (to === undefined) throw new RangeError(`nothing is named ${name}`);
      (this.instructions[at] as Instruction).offset = to - at - 1;
    }
    return this.instructions;
  }
}

export interface SteeringPlan {
  /** The director's own addresses, without a prefix length. */
  addresses: readonly string[];
  seed: number;
  workers: number;
  /** Where the kernel looks at frames as of their IP header: at packet sockets. */
  isBehindHeader?: boolean;
}

/** The program; it answers a queue's number. */
export function steeringProgram({ addresses, seed, workers, isBehindHeader = false }: SteeringPlan): Instruction[] {
  const own = addresses.slice(0, STEERED_ADDRESSES_MAX).map((text) => parseAddress(text)).filter((one) => one !== undefined);
  const program = new Program(isBehindHeader ? FROM_HEADER : 0).add(MOVE, FRAME, 0, SCRATCH).add(LOAD_HALF, 0, ETHER_TYPE)
    .jump(JUMP_EQUAL_32, "four", V4.type).jump(JUMP_EQUAL_32, "six", V6.type)
    .name("first").add(SET, ANSWER, 0).add(END);
  four(program.name("four"), own.filter((one) => one.family === 4).map((one) => words(one.bytes.slice(12))));
  six(program.name("six"), own.filter((one) => one.family === 6).map((one) => words(one.bytes)));
  return choose(program.name("choose"), seed, workers).assemble();
}

const words = (bytes: Uint8Array): number[] => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return Array.from({ length: bytes.length / 4 }, (_, index) => view.getUint32(index * 4));
};

/** Keeps the protocol, and lets go of what has no ports. */
function keepProtocol(program: Program, at: number, name: string): void {
  program.add(LOAD_BYTE, 0, at);
  for (const protocol of BALANCED) program.jump(JUMP_EQUAL_32, name, protocol);
  program.jump(JUMP, "first").name(name).add(MOVE, PROTOCOL, 0, ANSWER);
}

function four(program: Program, own: readonly number[][]): void {
  program.add(LOAD_BYTE, 0, V4.first).jump(JUMP_OTHER_32, "first", V4.plain)
    .add(LOAD_HALF, 0, V4.fragment).add(AND, ANSWER, NOT_WHOLE).jump(JUMP_OTHER_32, "first", 0);
  keepProtocol(program, V4.protocol, "four ported");
  program.add(LOAD_WORD, 0, V4.target);
  for (const [word = 0] of own) program.jump(JUMP_EQUAL_32, "four inbound", word);
  client4(program, V4.target, V4.targetPort);
  // The kernel refuses a program with a part that nothing leads to.
  if (own.length > 0) client4(program.name("four inbound"), V4.source, V4.sourcePort);
}

/** Words and ports as the engine reads them: as they lie in the frame, in the order of a machine with the small end first. */
function client4(program: Program, address: number, port: number): void {
  loadTurned(program, address, CLIENT);
  loadPort(program, port);
}

function loadTurned(program: Program, at: number, register: number): void {
  program.add(LOAD_WORD, 0, at).add(TURN_BYTES, ANSWER, 32).add(MOVE, register, 0, ANSWER);
}

function loadPort(program: Program, at: number): void {
  program.add(LOAD_HALF, 0, at).add(TURN_BYTES, ANSWER, 16).add(MOVE, PORT, 0, ANSWER).jump(JUMP, "choose");
}

function six(program: Program, own: readonly number[][]): void {
  keepProtocol(program, V6.protocol, "six ported");
  own.forEach((address, index) => {
    address.forEach((word, place) => program.add(LOAD_WORD, 0, V6.target + place * 4).jump(JUMP_OTHER_32, `six ${index + 1}`, word));
    program.jump(JUMP, "six inbound").name(`six ${index + 1}`);
  });
  client6(program, V6.target, V6.targetPort);
  if (own.length > 0) client6(program.name("six inbound"), V6.source, V6.sourcePort);
}

/** Folds an address into a word: (high ^ rotl(low, 29)) * factor, its halves mixed. */
function client6(program: Program, address: number, port: number): void {
  loadPair(program, address + 8, PORT);
  program.add(MOVE, SCRATCH, 0, PORT).add(LEFT, SCRATCH, FOLD_TURN).add(RIGHT, PORT, 64 - FOLD_TURN).add(OR, PORT, 0, SCRATCH);
  // Loads forget the scratch register; CLIENT and PORT they leave alone.
  loadPair(program, address, CLIENT);
  program.add(XOR, CLIENT, 0, PORT).wide(SCRATCH, FOLD_FACTOR).add(MULTIPLY, CLIENT, 0, SCRATCH)
    .add(MOVE, SCRATCH, 0, CLIENT).add(RIGHT, SCRATCH, 32).add(XOR, CLIENT, 0, SCRATCH).add(MOVE_32, CLIENT, 0, CLIENT);
  loadPort(program, port);
}

/** Eight bytes as one word. The later half is loaded first: it must be shifted, and only one register is free. */
function loadPair(program: Program, at: number, register: number): void {
  loadTurned(program, at + 4, register);
  program.add(LEFT, register, 32).add(LOAD_WORD, 0, at).add(TURN_BYTES, ANSWER, 32).add(OR, register, 0, ANSWER);
}

/** The engine's hash of client, port and protocol, and the worker it names. */
function choose(program: Program, seed: number, workers: number): Program {
  program.add(LEFT, PROTOCOL, 16).add(OR, PROTOCOL, 0, PORT)
    .add(XOR_32_CONSTANT, CLIENT, seed).add(LEFT, CLIENT, 32).add(OR, CLIENT, 0, PROTOCOL)
    .wide(SCRATCH, FIRST_FACTOR).add(MULTIPLY, CLIENT, 0, SCRATCH)
    .add(MOVE, SCRATCH, 0, CLIENT).add(RIGHT, SCRATCH, 32).add(XOR, CLIENT, 0, SCRATCH)
    .wide(SCRATCH, SECOND_FACTOR).add(MULTIPLY, CLIENT, 0, SCRATCH);
  // The hash is the product's upper half, and its own upper half times the workers names one of them.
  return program.add(RIGHT, CLIENT, 48).add(MULTIPLY_CONSTANT, CLIENT, workers).add(RIGHT, CLIENT, 16).add(MOVE, ANSWER, 0, CLIENT).add(END);
}
