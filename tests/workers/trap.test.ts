// A worker that traps while it holds the lock: nobody else may go in, until who knows that it has ended frees it.

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  CONTROL_BASE, CONTROL_LOCK, SERVERS_BASE, SERVER_BYTES, SERVICES_BASE, SERVICE_BYTES, SERVICE_CURSOR, SLOT_HEADROOM,
} from "../../assembly/abi/layout.js";
import { Random } from "../../bench/lib/random.js";
import { Engine } from "../../host/engine/engine.js";
import { loadEngine } from "../../host/load.js";
import { createSite, randomArrivals } from "./site.js";

const FRAMES = 200;
const NOBODY = 0;
/** No memory of a test reaches so far. */
const OUTSIDE_FROM = 0xfff00000;

test("an engine that traps under the lock leaves its number there, and another instance over the memory goes on", async () => {
  const module = await loadEngine();
  const first = await createSite(module, 2);
  const second = await Engine.attach(module, first.memory, 1);
  const lock = (): number => first.view.getUint32(CONTROL_BASE + CONTROL_LOCK, true);
  const random = new Random(1);
  /** Frames until one of them lets the engine trap; true when one did. */
  const feed = (engine: Engine): boolean => {
    for (let count = 0; count < FRAMES; count++) {
      for (const { port, bytes } of randomArrivals(random, count)) {
        engine.bytes.set(bytes, engine.arenaBase + SLOT_HEADROOM);
        engine.enter(0, engine.arenaBase + SLOT_HEADROOM, bytes.length, port);
        try {
          engine.receive(1, 1000 + count);
        } catch (error) {
          assert.ok(error instanceof WebAssembly.RuntimeError, String(error));
          return true;
        }
      }
    }
    return false;
  };
  const cursor = SERVICES_BASE + SERVICE_BYTES + SERVICE_CURSOR;
  first.view.setUint32(cursor, Math.floor((OUTSIDE_FROM - SERVERS_BASE) / SERVER_BYTES), true);
  assert.equal(feed(second), true, "a new connection asks where nothing is");
  assert.equal(lock(), second.worker + 1, "it held the lock");

  first.view.setUint32(cursor, 0, true);
  first.view.setUint32(CONTROL_BASE + CONTROL_LOCK, NOBODY, true);
  const again = await Engine.attach(module, first.memory, 1);
  assert.equal(feed(first) || feed(again), false);
  assert.equal(lock(), NOBODY);
});
