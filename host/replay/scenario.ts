// A scenario: the inputs of a recording, one JSON object a line. All of it is read before any of it is done.

import { readScript, type Script } from "./shell.js";
import { ticksAtMs } from "./ticks.js";

/** What happens to the director, with the line as it stood for the echo. */
export type Input =
  | { kind: "command"; line: Line; script: Script }
  | { kind: "frame"; line: Line; port: string; bytes: Uint8Array }
  | { kind: "advance"; line: Line; seconds: number }
  /** How the recorded kernel's ticks lay; the moment at which they were a multiple of every grain. */
  | { kind: "start"; line: Line; ticksAtMs: number }
  /** The kernel's module is taken out and loaded again: nothing of IPVS is left. */
  | { kind: "reload"; line: Line };

export interface Line {
  number: number;
  fields: Record<string, unknown>;
  /** Engine time in seconds, where the line tells it. */
  atSeconds: number | undefined;
}

/** A line nobody can act on. */
export class ScenarioError extends Error {
  constructor(number: number, reason: string) {
    super(`line ${number}: ${reason}`);
  }
}

const NOT_INPUTS = new Set(["out", "noise", "snapshot", "sleep", "end", "freeze"]);
/** The longest packet there is, behind its Ethernet header. */
export const FRAME_BYTES_MAX = 65535 + 14;
/** The engine's clock is one of 32 bits, in milliseconds. */
export const SECONDS_MAX = 4_000_000;

/** Reads a whole scenario for a director with these ports. Throws a ScenarioError for the first bad line. */
export function readScenario(text: string, ports: ReadonlySet<string>): Input[] {
  const inputs: Input[] = [];
  text.split("\n").forEach((one, index) => {
    if (one.trim() === "") return;
    const input = readLine(one, index + 1, ports);
    if (input) inputs.push(input);
  });
  return inputs;
}

function readLine(text: string, number: number, ports: ReadonlySet<string>): Input | undefined {
  let fields: unknown;
  try {
    fields = JSON.parse(text);
  } catch {
    throw new ScenarioError(number, "this is not JSON");
  }
  if (typeof fields !== "object" || fields === null || Array.isArray(fields)) throw new ScenarioError(number, "an event is an object");
  const event = fields as Record<string, unknown>;
  const line: Line = { number, fields: event, atSeconds: seconds(event["gt"], number, "gt") };
  const kind = event["ev"] ?? ("cmd" in event ? "cmd" : "frame" in event ? "in" : "advance" in event ? "advance" : undefined);
  switch (kind) {
    case "cmd": if (isReload(event["cmd"])) return { kind: "reload", line };
      return { kind: "command", line, script: script(event["cmd"], number) };
    case "in": return { kind: "frame", line, port: port(event["if"], number, ports), bytes: frame(event["hex"] ?? event["frame"], number) };
    case "advance": {
      const value = seconds(event["s"] ?? event["advance"], number, "s");
      if (value === undefined) throw new ScenarioError(number, "advance needs s, the seconds");
      return { kind: "advance", line, seconds: value };
    }
    case "start": {
      const moment = ticksAtMs(event, line.atSeconds ?? 0);
      return moment === undefined ? undefined : { kind: "start", line, ticksAtMs: moment };
    }
    default:
      if (typeof kind === "string" && NOT_INPUTS.has(kind)) return undefined;
      throw new ScenarioError(number, kind === undefined ? "neither a command nor a frame nor an advance" : `there is no event "${String(kind)}"`);
  }
}

/** However it is written in a shell: rmmod of ip_vs, and modprobe after it. */
function isReload(command: unknown): boolean {
  return typeof command === "string" && /\brmmod\b[^]*\bmodprobe (-a )?ip_vs\b/.test(command);
}

function seconds(value: unknown, number: number, field: string): number | undefined {
  if (value === undefined) return undefined;
  if (typeof value !== "number" || !Number.isFinite(value) || value < 0 || value > SECONDS_MAX) {
    throw new ScenarioError(number, `${field} is not a number of seconds from 0 to ${SECONDS_MAX}`);
  }
  return value;
}

function script(value: unknown, number: number): Script {
  if (typeof value !== "string") throw new ScenarioError(number, "cmd is not a text");
  try {
    return readScript(value);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new ScenarioError(number, error.message);
  }
}

function port(value: unknown, number: number, ports: ReadonlySet<string>): string {
  if (typeof value !== "string" || !ports.has(value)) {
    throw new ScenarioError(number, `if is none of the ports ${[...ports].join(", ")}: ${JSON.stringify(value)}`);
  }
  return value;
}

function frame(value: unknown, number: number): Uint8Array {
  if (typeof value !== "string" || !/^([0-9a-fA-F]{2})*$/.test(value)) throw new ScenarioError(number, "the frame is not a text of hexadecimal bytes");
  if (value.length / 2 > FRAME_BYTES_MAX) throw new ScenarioError(number, `the frame is longer than ${FRAME_BYTES_MAX} bytes`);
  return Uint8Array.from(Buffer.from(value, "hex"));
}
