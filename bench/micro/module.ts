// The benches' own module: compiled from bench/micro/engine when the engine is newer.

import { spawnSync } from "node:child_process";
import { readFile, stat } from "node:fs/promises";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const OUTPUT = `${root}build/micro.wasm`;
const OPTIONS = [
  "--runtime", "stub", "--importMemory", "--sharedMemory", "--initialMemory", "16", "--maximumMemory", "65536", "--enable", "threads",
  "--enable", "simd", "--memoryBase", "1024", "--optimizeLevel", "3", "--shrinkLevel", "0", "--converge", "--noAssert",
];

async function changedMs(file: string): Promise<number> {
  return stat(file).then((found) => found.mtimeMs, () => 0);
}

export interface MicroExports {
  checksums(at: number, bytes: number, times: number): number;
  sctpChecksums(at: number, bytes: number, times: number): void;
  hashes(client: number, times: number): number;
  scans(count: number, times: number): number;
  lookups(list: number, count: number, virtual: number, virtualPort: number, scratch: number): number;
  matchings(list: number, count: number): number;
  choices(service: number, client: number, virtual: number, times: number): number;
  attach(worker: number): void;
}

export async function loadMicro(): Promise<WebAssembly.Module> {
  const sources = await Promise.all(["build/engine.wasm", "bench/micro/engine/index.ts"].map((file) => changedMs(root + file)));
  if ((await changedMs(OUTPUT)) < Math.max(...sources)) {
    const asc = `${root}node_modules/.bin/asc`;
    const words = [asc, "bench/micro/engine/index.ts", "-o", OUTPUT, "--config", "none.json", ...OPTIONS];
    const result = spawnSync(process.execPath, words, { cwd: root, encoding: "utf8" });
    if (result.status !== 0) throw new Error(`asc: ${result.stderr}`);
  }
  return WebAssembly.compile(await readFile(OUTPUT));
}

/** An instance over a world's memory, as its worker. */
export async function attachMicro(module: WebAssembly.Module, memory: WebAssembly.Memory): Promise<MicroExports> {
  const instance = await WebAssembly.instantiate(module, { env: { memory } });
  const micro = instance.exports as unknown as MicroExports;
  micro.attach(0);
  return micro;
}
