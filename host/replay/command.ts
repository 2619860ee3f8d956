// `lvsd replay`: a scenario or captures in, what the director does with them out.

import { readFileSync, writeFileSync } from "node:fs";
import { text as readAll } from "node:stream/consumers";
import { readConfig } from "../config/config.js";
import { UsageError, whyNot } from "../config/usage.js";
import { Records } from "../engine/records.js";
import { loadEngine } from "../load.js";
import { readCapture, writeCapture, type CapturedFrame } from "../io/pcap.js";
import { Replay } from "./replay.js";
import { FRAME_BYTES_MAX, readScenario, SECONDS_MAX } from "./scenario.js";
import { Session } from "./session.js";

export interface ReplayOptions {
  config: string;
  scenario: string | undefined;
  /** "PORT=file" each. */
  captures: string[];
  writes: string[];
}

export async function replayCommand(options: ReplayOptions): Promise<void> {
  const config = readConfig(options.config);
  const ports = new Set(config.ports.map((port) => port.name));
  if (options.captures.length > 0) {
    if (options.scenario !== undefined) throw new UsageError("replay takes a scenario or captures, not both");
    return replayCaptures(await Replay.create(await loadEngine(), config), options, ports);
  }
  if (options.writes.length > 0) throw new UsageError("--write goes with --pcap");
  if (options.scenario === undefined) throw new UsageError("replay needs a scenario, - for standard input, or --pcap PORT=FILE");
  const text = options.scenario === "-" ? await readAll(process.stdin) : readInput(options.scenario).toString("utf8");
  const inputs = readScenario(text, ports);
  const session = await Session.begin(await loadEngine(), config);
  for (const input of inputs) {
    for (const line of await session.play(input)) await print(`${JSON.stringify(line)}\n`);
  }
}

function print(line: string): Promise<void> | void {
  if (process.stdout.write(line)) return;
  return new Promise((resolve) => process.stdout.once("drain", resolve));
}

function readInput(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw new UsageError(`${file}: ${whyNot(error)}`);
  }
}

function writeOutput(file: string, bytes: Uint8Array): void {
  try {
    writeFileSync(file, bytes);
  } catch (error) {
    throw new UsageError(`${file}: cannot be written: ${whyNot(error)}`);
  }
}

function portFile(text: string, ports: ReadonlySet<string>): { port: string; file: string } {
  const equals = text.indexOf("=");
  const port = text.slice(0, Math.max(equals, 0));
  if (!ports.has(port) || equals === text.length - 1) throw new UsageError(`"${text}" is not PORT=FILE with one of the ports ${[...ports].join(", ")}`);
  return { port, file: text.slice(equals + 1) };
}

function readFrames(file: string): CapturedFrame[] {
  let frames: CapturedFrame[];
  try {
    frames = readCapture(readInput(file));
  } catch (error) {
    if (error instanceof RangeError) throw new UsageError(`${file}: ${error.message}`);
    throw error;
  }
  const monster = frames.findIndex((frame) => frame.bytes.length > FRAME_BYTES_MAX);
  if (monster >= 0) throw new UsageError(`${file}: frame ${monster + 1} is longer than ${FRAME_BYTES_MAX} bytes`);
  return frames;
}

/** Frames of all captures by their time; the engine's time begins with the first of them. */
function replayCaptures(replay: Replay, options: ReplayOptions, ports: ReadonlySet<string>): void {
  const targets = options.writes.map((text) => portFile(text, ports));
  const inputs = options.captures.map((text) => portFile(text, ports))
    .flatMap(({ port, file }) => readFrames(file).map((frame) => ({ port, frame })))
    .sort((a, b) => a.frame.seconds - b.frame.seconds);
  const startSeconds = inputs[0]?.frame.seconds ?? 0;
  const spanSeconds = (inputs.at(-1)?.frame.seconds ?? 0) - startSeconds;
  if (spanSeconds > SECONDS_MAX) {
    throw new UsageError(`the captures' first and last frame are ${Math.floor(spanSeconds)} seconds apart: at most ${SECONDS_MAX} can be replayed`);
  }
  const outputs = new Map<string, CapturedFrame[]>([...ports].map((port) => [port, []]));
  for (const { port, frame } of inputs) {
    const elapsedMs = Math.floor((frame.seconds - startSeconds) * 1000);
    for (const sent of [...replay.advanceTo(elapsedMs), ...replay.receive(port, frame.bytes)]) {
      outputs.get(sent.port)?.push({ seconds: frame.seconds, bytes: sent.bytes });
    }
  }
  for (const { port, file } of targets) writeOutput(file, writeCapture(outputs.get(port) ?? []));
  const sent = [...outputs].map(([port, frames]) => `${frames.length} from ${port}`).join(", ");
  const drops = Object.entries(new Records(replay.engine.memory).drops()).map(([reason, count]) => `${count} ${reason}`).join(", ");
  process.stdout.write(`${inputs.length} frames in, out: ${sent}${drops === "" ? "" : `; dropped: ${drops}`}\n`);
}
