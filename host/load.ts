// The engine's module from this package's files.

import { readFile } from "node:fs/promises";

/** Compiles build/engine.wasm, or the build with names and checks. */
export async function loadEngine(name: "engine.wasm" | "engine.debug.wasm" = "engine.wasm"): Promise<WebAssembly.Module> {
  return WebAssembly.compile(await readFile(new URL(`../${name}`, import.meta.url)));
}
