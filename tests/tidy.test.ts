// The engine module itself: one import, no allocator, no data; and what documents promise to list.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { DropReason } from "../assembly/abi/enums.js";
import { configSchema } from "../host/config/schema.js";
import { dropName } from "../host/engine/names.js";

const wasm = readFileSync(new URL("../../build/engine.wasm", import.meta.url));

test("engine.wasm imports env.memory alone", () => {
  const imports = WebAssembly.Module.imports(new WebAssembly.Module(wasm));
  assert.deepEqual(imports, [{ module: "env", name: "memory", kind: "memory" }]);
});

test("engine.wasm exports its five functions and no allocator", () => {
  const names = WebAssembly.Module.exports(new WebAssembly.Module(wasm)).map((item) => item.name).sort();
  assert.deepEqual(names.filter((name) => name !== "memory"), ["attach", "control", "init", "receive", "tick"]);
});

test("engine.wasm has neither data segments nor a start function", () => {
  const ids: number[] = [];
  for (let at = 8; at < wasm.length;) {
    const id = wasm[at++] ?? 0;
    let bytes = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = wasm[at++] ?? 0;
      bytes |= (byte & 127) << shift;
      if (byte < 128) break;
    }
    ids.push(id);
    at += bytes;
  }
  assert.ok(!ids.includes(8), "a start function");
  assert.ok(!ids.includes(11), "a data section");
});

test("docs/OPERATING.md explains every reason to drop a frame", () => {
  const text = readFileSync(new URL("../../docs/OPERATING.md", import.meta.url), "utf8");
  const reasons = Array.from({ length: DropReason.Last - 1 }, (_, index) => dropName(DropReason[index + 1] ?? ""));
  assert.deepEqual(reasons.filter((reason) => !text.includes(`\`${reason}\``)), []);
});

test("docs/OPERATING.md explains every field of a configuration", () => {
  const text = readFileSync(new URL("../../docs/OPERATING.md", import.meta.url), "utf8");
  const [, reference = ""] = text.split("## The configuration\n");
  const { ports, ...fields } = configSchema.shape;
  const names = ["ports", ...Object.keys(fields), ...Object.keys(ports.element.shape)];
  assert.deepEqual(names.filter((name) => !reference.includes(`\`${name}\``)), []);
});
