// Runs a program with no io_uring, as a container's seccomp profile does it:
//   node withoutring.js PROGRAM WORDS...

import { pathToFileURL } from "node:url";
import { addressOf, checked, syscall } from "../../host/io/sys/libc.js";

const IO_URING_SETUP = 425;
const SECCOMP = process.arch === "x64" ? 317 : 277;
const PRCTL = process.arch === "x64" ? 157 : 167;
const SET_MODE_FILTER = 1;
const NO_NEW_PRIVILEGES = 38;
const LOAD_WORD = 0x20; // BPF_LD | BPF_W | BPF_ABS
const JUMP_EQUAL = 0x15; // BPF_JMP | BPF_JEQ | BPF_K
const RETURN = 0x06; // BPF_RET | BPF_K
const ALLOW = 0x7fff0000;
const ERROR_EPERM = 0x00050001;

/** One instruction of a classic filter: operation, jumps when true and false, constant. */
function instruction(op: number, whenTrue: number, whenFalse: number, value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeUInt16LE(op, 0);
  bytes.writeUInt8(whenTrue, 2);
  bytes.writeUInt8(whenFalse, 3);
  bytes.writeUInt32LE(value, 4);
  return bytes;
}

// The system call's number is the first word of what a filter sees.
const code = Buffer.concat([
  instruction(LOAD_WORD, 0, 0, 0),
  instruction(JUMP_EQUAL, 0, 1, IO_URING_SETUP),
  instruction(RETURN, 0, 0, ERROR_EPERM),
  instruction(RETURN, 0, 0, ALLOW),
]);
const program = Buffer.alloc(16);
program.writeUInt16LE(code.length / 8, 0);
program.writeBigUInt64LE(BigInt(addressOf(code)), 8);
checked(syscall(PRCTL, NO_NEW_PRIVILEGES, 1, 0, 0, 0, 0), "prctl");
// For this thread, and for every thread that it starts.
checked(syscall(SECCOMP, SET_MODE_FILTER, 0, addressOf(program), 0, 0, 0), "seccomp");

process.argv.splice(1, 1);
await import(pathToFileURL(process.argv[1] ?? "").href);
