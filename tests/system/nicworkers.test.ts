// Two workers on NICs that the kernel keeps (wiring C of docs/OPERATING.md): each has a packet socket on every NIC, and
// the kernel gives each frame to the worker it belongs to.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { it, type TestContext } from "node:test";
import { lackingXdp } from "../../host/lab/cable.js";
import { SERVICE_URL } from "../../host/lab/network.js";
import { patternBytes } from "../../host/lab/pattern.js";
import { inNamespaces } from "./inside.js";
import { NicRig, proveReload } from "./nics.js";
import { runLvsadm } from "./rig.js";

const TRANSFER_BYTES = 3 << 20;
const CONTENT = createHash("sha256").update(patternBytes(0, TRANSFER_BYTES)).digest("hex");
const REQUESTS = 1206;
const SHARES = { server1: 201, server2: 402, server3: 603 };
const OPTIONS = { attach: "nic", more: { workers: 2 } } as const;
/** Programs need the machine's root; without it flows are spread, and handed over. */
const isSteered = lackingXdp() === false;

interface Share { frames: number; handedOver: number }

async function shares(rig: NicRig): Promise<Share[]> {
  const { stdout } = await runLvsadm(rig.socketPath, "status");
  if (isSteered) assert.match(stdout, /frames are steered to their worker by a BPF program/);
  else assert.match(stdout, /frames are spread by the kernel and handed over/);
  const found = [...stdout.matchAll(/worker \d+: (\d+) frames, (\d+) handed over/g)];
  return found.map(([, frames, handedOver]) => ({ frames: Number(frames), handedOver: Number(handedOver) }));
}

async function traffic(context: TestContext, method: "nat" | "dr"): Promise<void> {
  const rig = await NicRig.start(context, method, OPTIONS);
  const report = await rig.client.request({ url: `${SERVICE_URL}/`, count: REQUESTS, concurrency: 16 });
  assert.deepEqual([report.failures, report.servers], [{}, SHARES]);
  assert.equal((await rig.client.request({ url: `${SERVICE_URL}/bytes/${TRANSFER_BYTES}` })).sha256, CONTENT, "download");
  assert.equal((await rig.client.request({ url: SERVICE_URL, bodyBytes: TRANSFER_BYTES })).sample, `${CONTENT}\n`, "upload");
  const workers = await shares(rig);
  assert.equal(workers.length, 2);
  for (const { frames } of workers) assert.ok(frames > REQUESTS, `each has its part: ${JSON.stringify(workers)}`);
  const all = workers.reduce((sum, { frames }) => sum + frames, 0);
  const handed = workers.reduce((sum, { handedOver }) => sum + handedOver, 0);
  if (isSteered) assert.ok(handed < all / 50, `${handed} of ${all} frames were handed over`);
}

async function reloaded(context: TestContext): Promise<void> {
  const rig = await NicRig.start(context, "nat", OPTIONS);
  await proveReload(rig, OPTIONS);
  assert.equal((await shares(rig)).length, 2);
}

inNamespaces("two workers on NICs by packet sockets", import.meta.url, () => {
  it("nat", (context) => traffic(context as TestContext, "nat"));
  it("dr", (context) => traffic(context as TestContext, "dr"));
  it("a reload steers by the new addresses", (context) => reloaded(context as TestContext));
});
