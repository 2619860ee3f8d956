// The pump's threads at their start and their end: what is waited for always comes, and who has ended is missed.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { PortFlag } from "../../assembly/abi/enums.js";
import { Engine } from "../../host/engine/engine.js";
import { setPort } from "../../host/engine/requests.js";
import { ARENA_BYTES } from "../../host/io/slots.js";
import { loadEngine } from "../../host/load.js";
import { Pump, type PumpOptions } from "../../host/pump/pump.js";

/** A module without anything in it: whoever attaches it traps before his driver is open. */
const EMPTY = new WebAssembly.Module(Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0));
const PORT = 1;
/** No process has so many files: reading it fails for good. */
const NO_DESCRIPTOR = 1_000_000;

interface Told { pump: Pump; traps: number[]; failures: string[] }

/** A pump without devices; the module for its threads, one after the other as they are started. */
async function build(context: TestContext, modules: readonly ("right" | "empty")[], more: Partial<PumpOptions> = {}): Promise<Told> {
  const folder = mkdtempSync(join(tmpdir(), "lvs-pump-"));
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  const module = await loadEngine();
  const workers = 1 + (more.queues?.length ?? 0);
  const { memory } = await Engine.create({ module, bucketBits: 8, workers, arenaBytes: workers * ARENA_BYTES });
  const [traps, failures, left]: [number[], string[], string[]] = [[], [], [...modules]];
  const pump = new Pump({
    get module() { return left.shift() === "empty" ? EMPTY : module; },
    memory, ports: [], driver: "tap", imagePath: join(folder, "image"),
    onTrap: ({ worker }) => traps.push(worker), onFailure: (reason) => failures.push(reason), ...more,
  });
  return { pump, traps, failures };
}

const edit = (pump: Pump): Promise<number> => setPort(pump, PORT, "02:00:00:00:01:01", 1500, PortFlag.Up);

test("a thread that traps before it is ready is started again, and the start is over when it is", async (context) => {
  const { pump, traps, failures } = await build(context as TestContext, ["empty", "right"]);
  await pump.start();
  assert.deepEqual([traps, failures], [[0], []]);
  assert.ok(await edit(pump) >= 0);
  await pump.stop();
});

test("a thread that always traps ends the start with the reason", async (context) => {
  const { pump, traps, failures } = await build(context as TestContext, Array<"empty">(6).fill("empty"));
  await assert.rejects(pump.start(), /trapped 6 times in 10 s/);
  assert.deepEqual([traps.length, failures.length], [6, 1]);
});

test("a worker that loses its device while another is still starting is told of", async (context) => {
  const lost = [{ index: PORT, name: "lost", descriptor: NO_DESCRIPTOR }];
  const { pump, traps, failures } = await build(context as TestContext, ["right", "empty", "right"], { ports: lost, queues: [[]] });
  await pump.start();
  assert.deepEqual(traps, [1]);
  assert.match(failures.join(), /^lost: the device was taken away \(reading fails with errno 9\)$/);
  await pump.stop();
});

test("after the end a request is refused at once", async (context) => {
  const { pump } = await build(context as TestContext, []);
  await pump.start();
  await pump.stop();
  await assert.rejects(edit(pump), /the director is stopping/);
});
