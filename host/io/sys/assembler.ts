// A small assembler of BPF (RFC 9669): one method for each kind of line that our programs have, labels by name.

import type { Instruction } from "./bpf.js";

/** Registers: r0 results, r1 to r5 arguments, lost by a call; r6 to r9 kept; r10 the stack's upper end. */
export type Register = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 | 10;
/** Bytes of a load or store. */
export type Width = 1 | 2 | 4 | 8;

// Classes and modes of an operation.
const LDX_MEM = 0x61;
const STX_MEM = 0x63;
const ST_MEM = 0x62;
const LOAD_64 = 0x18;
const ADD_64 = 0x07;
const SUBTRACT_64 = 0x17;
const MULTIPLY_64 = 0x27;
const AND_64 = 0x57;
const LEFT_64 = 0x67;
const RIGHT_64 = 0x77;
const XOR_64 = 0xa7;
const MOVE_64 = 0xb7;
const FROM_REGISTER = 0x08;
const JUMP_ALWAYS = 0x05;
const JUMP_EQUAL = 0x15;
const JUMP_NOT_EQUAL = 0x55;
const JUMP_GREATER_REGISTER = 0x2d;
const CALL = 0x85;
const EXIT = 0x95;
const SIZE: Record<Width, number> = { 4: 0x00, 2: 0x08, 1: 0x10, 8: 0x18 };
const MAP_BY_DESCRIPTOR = 1;
const VALUE_BY_DESCRIPTOR = 2;

export class Assembler {
  private readonly lines: Instruction[] = [];
  private readonly labels = new Map<string, number>();
  private readonly jumps: { at: number; to: string }[] = [];

  /** Names the next instruction. */
  label(name: string): this {
    if (this.labels.has(name)) throw new Error(`there are two labels "${name}"`);
    this.labels.set(name, this.lines.length);
    return this;
  }

  /** target = *(base + offset) */
  load(width: Width, target: Register, base: Register, offset: number): this {
    return this.add(LDX_MEM | SIZE[width], target, base, offset, 0);
  }

  /** *(base + offset) = source */
  store(width: Width, base: Register, offset: number, source: Register): this {
    return this.add(STX_MEM | SIZE[width], base, source, offset, 0);
  }

  /** *(base + offset) = value */
  storeValue(width: Width, base: Register, offset: number, value: number): this {
    return this.add(ST_MEM | SIZE[width], base, 0, offset, value);
  }

  move(target: Register, source: Register): this {
    return this.add(MOVE_64 | FROM_REGISTER, target, source, 0, 0);
  }

  /** target = value, 32 bits with their sign. */
  set(target: Register, value: number): this {
    return this.add(MOVE_64, target, 0, 0, value);
  }

  addValue(target: Register, value: number): this {
    return this.add(ADD_64, target, 0, 0, value);
  }

  plus(target: Register, source: Register): this {
    return this.add(ADD_64 | FROM_REGISTER, target, source, 0, 0);
  }

  minus(target: Register, source: Register): this {
    return this.add(SUBTRACT_64 | FROM_REGISTER, target, source, 0, 0);
  }

  xor(target: Register, source: Register): this {
    return this.add(XOR_64 | FROM_REGISTER, target, source, 0, 0);
  }

  /** target &= value, 32 bits with their sign. */
  and(target: Register, value: number): this {
    return this.add(AND_64, target, 0, 0, value);
  }

  /** target *= value, 32 bits with their sign. */
  multiply(target: Register, value: number): this {
    return this.add(MULTIPLY_64, target, 0, 0, value);
  }

  left(target: Register, bits: number): this {
    return this.add(LEFT_64, target, 0, 0, bits);
  }

  /** Without sign. */
  right(target: Register, bits: number): this {
    return this.add(RIGHT_64, target, 0, 0, bits);
  }

  /** target = a map, of which this program has the descriptor. */
  loadMap(target: Register, descriptor: number): this {
    return this.add(LOAD_64, target, MAP_BY_DESCRIPTOR, 0, descriptor).add(0, 0, 0, 0, 0);
  }

  /** target = where the only value of an array map begins. */
  loadMapValue(target: Register, descriptor: number): this {
    return this.add(LOAD_64, target, VALUE_BY_DESCRIPTOR, 0, descriptor).add(0, 0, 0, 0, 0);
  }

  jump(to: string): this {
    return this.jumpBy(JUMP_ALWAYS, 0, 0, 0, to);
  }

  /** The value is 32 bits with their sign, extended to 64: compare what was loaded with 2 bytes or less. */
  jumpIfEqual(left: Register, value: number, to: string): this {
    return this.jumpBy(JUMP_EQUAL, left, 0, value, to);
  }

  /** Leaves so many of the next instructions out. */
  skipIfEqual(left: Register, value: number, instructions: number): this {
    return this.add(JUMP_EQUAL, left, 0, instructions, value);
  }

  jumpIfNotEqual(left: Register, value: number, to: string): this {
    return this.jumpBy(JUMP_NOT_EQUAL, left, 0, value, to);
  }

  /** Without sign. */
  jumpIfGreater(left: Register, right: Register, to: string): this {
    return this.jumpBy(JUMP_GREATER_REGISTER, left, right, 0, to);
  }

  /** r0 = helper(r1, ...) */
  call(helper: number): this {
    return this.add(CALL, 0, 0, 0, helper);
  }

  exit(): this {
    return this.add(EXIT, 0, 0, 0, 0);
  }

  /** The program, every jump with its distance. */
  finish(): Instruction[] {
    for (const { at, to } of this.jumps) {
      const target = this.labels.get(to);
      const line = this.lines[at];
      if (target === undefined || line === undefined) throw new Error(`there is no label "${to}"`);
      line.offset = target - at - 1;
    }
    return this.lines;
  }

  private jumpBy(op: number, left: Register, right: Register, value: number, to: string): this {
    this.jumps.push({ at: this.lines.length, to });
    return this.add(op, left, right, 0, value);
  }

  private add(op: number, target: number, source: number, offset: number, value: number): this {
    this.lines.push({ op, target, source, offset, value: value | 0 });
    return this;
  }
}
