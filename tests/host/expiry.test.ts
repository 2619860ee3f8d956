// Connections end within a second of their time, whatever the sweep's words of 16 bits can hold of it.

import assert from "node:assert/strict";
import { test } from "node:test";
import { buildFrame, SYN, UDP } from "../../bench/path/frames.js";
import { OUTSIDE, World } from "../../bench/path/world.js";
import { setTimeouts } from "../../host/engine/requests.js";
import { loadEngine } from "../../host/load.js";
import { enterFrame } from "../oracle/traffic.js";

const module = await loadEngine();
const CLIENTS = 100;
const TICK_MS = 100;
const SECOND_MS = 1000;

/** A director on which so many clients have just sent a datagram; their connections rest for `seconds`. */
async function resting(seconds: number, startMs = 1000): Promise<World> {
  const world = await World.create(module, { family: 4, protocol: UDP, forward: "masq", connections: 4 * CLIENTS });
  world.nowMs = startMs;
  world.engine.tick(world.nowMs);
  assert.ok(setTimeouts(world.engine, { tcp: 0, tcpfin: 0, udp: seconds }) >= 0);
  for (let client = 0; client < CLIENTS; client++) enterFrame(world, client, buildFrame(world.fromClient(client, SYN)), OUTSIDE);
  world.engine.receive(CLIENTS, world.nowMs);
  assert.equal(world.used, CLIENTS);
  return world;
}

function pass(world: World, ms: number, stepMs = TICK_MS): void {
  for (const endMs = world.nowMs + ms; world.nowMs < endMs;) world.engine.tick((world.nowMs += stepMs));
}

for (const seconds of [1, 60, 900, 1000, 1049, 2097, 2098, 7200]) {
  test(`what rests for ${seconds} s is there until then, and gone a second later`, async () => {
    const world = await resting(seconds);
    pass(world, seconds * SECOND_MS - TICK_MS);
    assert.equal(world.used, CLIENTS);
    pass(world, SECOND_MS + TICK_MS);
    assert.equal(world.used, 0);
  });
}

test("the same where the clock of 32 bits begins anew", async () => {
  const world = await resting(60, 2 ** 32 - 30 * SECOND_MS);
  for (let tick = 0; tick < 599; tick++) world.engine.tick((world.nowMs += TICK_MS) >>> 0);
  assert.equal(world.used, CLIENTS);
  for (let tick = 0; tick < 11; tick++) world.engine.tick((world.nowMs += TICK_MS) >>> 0);
  assert.equal(world.used, 0);
});

for (const seconds of [61, 400, 600, 1100, 1200, 2000, 2100, 5000, 100_000]) {
  test(`time jumps by ${seconds} s: one tick ends what was over meanwhile`, async () => {
    const world = await resting(60);
    pass(world, 5 * SECOND_MS);
    world.engine.tick((world.nowMs += seconds * SECOND_MS));
    assert.equal(world.used, 0);
  });
}

test("what got packets meanwhile lives on", async () => {
  const world = await resting(60);
  for (let round = 0; round < 5; round++) {
    pass(world, 50 * SECOND_MS);
    enterFrame(world, 0, buildFrame(world.fromClient(7, SYN)), OUTSIDE);
    world.engine.receive(1, world.nowMs);
  }
  assert.equal(world.used, 1);
  pass(world, 61 * SECOND_MS);
  assert.equal(world.used, 0);
});
