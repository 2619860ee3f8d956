// Staging must not be seen: groups of 64 and frames one at a time give the same bytes in the same order.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { CONTROL_BASE, CONTROL_GROUP, SLOT_HEADROOM } from "../../assembly/abi/layout.js";
import { Lab, CLIENT_MAC, CLIENT_SIDE, DIRECTOR_MAC, type LabPlan } from "../../host/lab/lab.js";
import { buildTcp } from "../../host/lab/frames.js";

const module = await WebAssembly.compile(readFileSync(new URL("../../engine.wasm", import.meta.url)));
const FLAGS = [2, 16, 24, 17, 4];
const FRAMES = 256;
const SLOT_BYTES = 2112;
const ARENA_SLOTS = 31; // what the lab's arena of 64 KB holds

const plan: LabPlan = {
  clients: { prefix: "10.0.1.1/24", address: "10.0.1.50", mac: CLIENT_MAC },
  virtual: { address: "10.0.1.100", port: 80 },
  inner: "10.0.2.1/24",
  servers: [1, 2, 3].map((n) => ({ address: `10.0.2.${n + 10}`, port: 8080, weight: n, mac: `02:00:00:00:02:0${n}` })),
  forward: "masq",
  scheduler: "wlc",
};

async function run(group: number): Promise<string[]> {
  const lab = await Lab.create(module, plan);
  lab.engine.view.setUint32(CONTROL_BASE + CONTROL_GROUP, group, true);
  const sent: string[] = [];
  for (let first = 0, state = 7; first < FRAMES * ARENA_SLOTS; first += ARENA_SLOTS) {
    for (let slot = 0; slot < ARENA_SLOTS; slot++) {
      state = (state * 1103515245 + 12345) & 0x7fffffff;
      // Few ports, so that one batch opens, uses, resets and reopens the same connections.
      const frame = buildTcp({ macTo: DIRECTOR_MAC, macFrom: CLIENT_MAC, source: plan.clients.address,
        sourcePort: 40000 + ((state >> 8) % 12), target: plan.virtual.address, targetPort: 80,
        flags: FLAGS[(state >> 16) % FLAGS.length] ?? 2 });
      const at = lab.engine.arenaBase + slot * SLOT_BYTES + SLOT_HEADROOM;
      lab.engine.bytes.set(frame, at);
      lab.engine.enter(slot, at, frame.length, CLIENT_SIDE);
    }
    const count = lab.engine.receive(ARENA_SLOTS, 1000 + first);
    for (let i = 0; i < count; i++) {
      const { port, frame, bytes } = lab.engine.sent(i);
      sent.push(`${port} ${Buffer.from(lab.engine.bytes.slice(frame, frame + bytes)).toString("hex")}`);
    }
  }
  return sent;
}

test("staged and one at a time: the same frames in the same order", async () => {
  const [staged, single] = [await run(64), await run(1)];
  assert.ok(staged.length > FRAMES, "frames came out");
  assert.deepEqual(staged, single);
});
