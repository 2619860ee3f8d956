// A recording of a real kernel, and a director set up as that kernel was.

import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { applyNetwork } from "../../host/config/apply.js";
import { readConfig, type Config } from "../../host/config/config.js";
import type { Engine } from "../../host/engine/engine.js";
import { loadEngine } from "../../host/load.js";
import { Replay, type ReplayOptions } from "../../host/replay/replay.js";
import { Session } from "../../host/replay/session.js";

const folder = new URL("../../../tests/oracle/", import.meta.url);

export interface RecordedEvent {
  ev: string;
  /** The guest's clock in seconds. */
  gt: number;
  if?: string;
  hex?: string;
  cmd?: string;
  rc?: number;
  stdout?: string;
  stderr?: string;
  s?: number;
  /** Of the first event: how many ticks the kernel had counted, whose timers go off by them. */
  ticks?: number;
}

/** Recordings of a folder by name: those in "plays/" are of tests/fuzz/plays, each named by its play and seed; `npm run oracle:plays` makes them again. */
export function recordingsIn(inner: string): string[] {
  const files = readdirSync(new URL(`recordings/${inner}`, folder)).filter((file) => file.endsWith(".jsonl.gz"));
  return files.map((file) => `${inner}${file.replace(".jsonl.gz", "")}`).sort();
}

/** Events of recordings/NAME.jsonl.gz, or of a file elsewhere. */
export function readRecording(name: string): RecordedEvent[] {
  const file = name.startsWith("/") || name.endsWith(".gz") ? name : fileURLToPath(new URL(`recordings/${name}.jsonl.gz`, folder));
  return gunzipSync(readFileSync(file)).toString().trim().split("\n").map((line) => JSON.parse(line) as RecordedEvent);
}

/** Ports by the engine's numbers. */
export const OUT = 1;
export const IN = 2;
export const PORTS = new Set(["out", "in"]);

let config: Config | undefined;

/** The network of director.yaml, for the engine and for a kernel: each gets its own, whose MTUs it may change. */
export function recordedConfig(): Config {
  // Read once, as the engine is compiled once: a fuzzer asks for thousands.
  config ??= readConfig(fileURLToPath(new URL("director.yaml", folder)));
  return structuredClone(config);
}

let compiled: Promise<WebAssembly.Module> | undefined;

/** A director with the recordings' network and an empty table. */
export async function createRecordedDirector(options: ReplayOptions = {}): Promise<Replay> {
  compiled ??= loadEngine();
  return Replay.create(await compiled, recordedConfig(), options);
}

/** The same for recordings that load the kernel's module anew. */
export async function beginRecordedSession(options: ReplayOptions): Promise<Session> {
  compiled ??= loadEngine();
  return Session.begin(await compiled, recordedConfig(), options);
}

/** Gives an engine the recordings' network. */
export async function applyRecordedNetwork(engine: Engine): Promise<void> {
  await applyNetwork(engine, recordedConfig());
}
