// What the guest is asked to do, as the pieces of bytes that its servant (resident.c) reads, and how it answers.

export interface CommandOutput { exitCode: number; stdout: string; stderr: string }

/** The start of an answer: its status, and how many bytes of standard output and standard error follow. */
export interface AnswerHeader { headerBytes: number; exitCode: number; stdoutBytes: number; stderrBytes: number }

/** A script that is only programs one after the other: nothing in it that a shell would have to understand. */
const PLAIN = /^[\w .:/[\],;=\n-]*$/;
/** These a shell does itself. */
const BUILT_IN = /^(set|cd|read|exit|export|\w+=)/;

/** Programs with their words; undefined when a shell has to look at it. */
function programsOf(script: string): string[][] | undefined {
  if (!PLAIN.test(script)) return undefined;
  const programs = script.split(/[;\n]/).map((line) => line.split(" ").filter((word) => word !== "")).filter((words) => words.length > 0);
  return programs.some(([first = ""]) => BUILT_IN.test(first)) ? undefined : programs;
}

const CHUNK_BYTES = 1024;
const LENGTH_DIGITS = 5;

/** What to send at once, and each next piece after the guest said "+". */
function framed(kind: string, body: Buffer<ArrayBuffer>): Buffer[] {
  const pieces: Buffer[] = [Buffer.concat([Buffer.from(`${kind} ${String(body.length).padStart(LENGTH_DIGITS, "0")}\n`), body.subarray(0, CHUNK_BYTES)])];
  for (let at = CHUNK_BYTES; at < body.length; at += CHUNK_BYTES) pieces.push(body.subarray(at, at + CHUNK_BYTES));
  return pieces;
}

/** Programs without a shell, "put FILE TEXT" and "cat FILE" among them. */
export function programsRequest(programs: readonly (readonly string[])[]): Buffer[] {
  return framed("words", Buffer.from(programs.map((words) => words.map((word) => `${word}\0`).join("") + "\0").join("")));
}

export function scriptRequest(script: string): Buffer[] {
  const programs = programsOf(script);
  return programs ? programsRequest(programs) : framed("shell", Buffer.from(script));
}

/** Reads the header of an answer as soon as its line is there. */
export function readAnswerHeader(received: Buffer): AnswerHeader | undefined {
  const end = received.indexOf("\n");
  if (end < 0) return undefined;
  const found = /^done (\d+) (\d+) (\d+)$/.exec(received.toString("latin1", 0, end));
  if (!found) throw new Error(`the guest answered "${received.toString("latin1", 0, end)}"`);
  const [exitCode = 0, stdoutBytes = 0, stderrBytes = 0] = found.slice(1).map(Number);
  return { headerBytes: end + 1, exitCode, stdoutBytes, stderrBytes };
}
