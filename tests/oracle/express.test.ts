// The express road must not be seen: traffic that may take it, and the same traffic kept off it, leave the
// same frames in the same order, and the same counters, drops and connections in memory.

import assert from "node:assert/strict";
import { test } from "node:test";
import { FrameFlag, PortFlag } from "../../assembly/abi/enums.js";
import {
  CONTROL_BASE, CONTROL_LONG_ROAD, CONTROL_TABLE_BASE, COUNTERS_BASE, SERVERS_BASE, SLABS_BASE, WORKERS_BASE,
} from "../../assembly/abi/layout.js";
import { Random } from "../../bench/lib/random.js";
import { ACK, buildFrame, SYN, TCP, UDP, type FramePlan } from "../../bench/path/frames.js";
import { INSIDE, INSIDE_MAC, OUTSIDE, SERVERS, VIRTUAL_PORT, World, type WorldPlan } from "../../bench/path/world.js";
import { addRoute, deleteServer, setPort } from "../../host/engine/requests.js";
import { loadEngine } from "../../host/load.js";

const module = await loadEngine();
const FIN = 1, RST = 4, PSH = 8;
const FLAGS = [SYN, ACK, ACK, ACK, ACK | PSH, ACK | FIN, RST, SYN | ACK, 0];
const HOPS = [64, 64, 64, 64, 2, 1];
const BATCHES = 150;
const BATCH = 40;
const FLOWS = 24;
const SLOT_BYTES = 2112;
const SLOT_HEADROOM = 66;
const VIRTIO_BYTES = 10;

/** One side's random frame; servers often speak for connections that are another server's. */
function randomFrame(world: World, random: Random): { port: number; plan: FramePlan } {
  const flow = random.below(FLOWS);
  const flags = FLAGS[random.below(FLAGS.length)] as number;
  const outside = random.below(2) === 0;
  const plan = outside ? world.fromClient(flow, flags) : world.fromServer(flow, random.below(SERVERS), flags);
  return { port: outside ? OUTSIDE : INSIDE, plan: { ...plan, hops: HOPS[random.below(HOPS.length)] as number } };
}

function enter(world: World, random: Random, index: number, vnet: boolean): void {
  const { engine } = world;
  const { port, plan } = randomFrame(world, random);
  const bytes = buildFrame(plan);
  const at = engine.arenaBase + index * SLOT_BYTES + SLOT_HEADROOM;
  if (plan.protocol === UDP && random.below(4) === 0) bytes.set([0, 0], 40);
  if (random.below(16) === 0) bytes[24] = (bytes[24] ?? 0) ^ 1;
  engine.bytes.set(bytes, at);
  engine.bytes.fill(0, at - VIRTIO_BYTES, at);
  // Every third frame's checksum is only begun, as from a kernel that leaves it to the device.
  if (vnet && random.below(3) === 0) engine.bytes[at - VIRTIO_BYTES] = 1;
  engine.enter(index, at, bytes.length, port, vnet ? FrameFlag.Vnet : 0);
}

/** What happens in the middle of it all: a server goes, and routes are looked up anew. */
function disturb(world: World): void {
  const { addresses, engine, plan } = world;
  assert.ok(deleteServer(engine, {
    protocol: plan.protocol === TCP ? "tcp" : "udp", family: 4, address: addresses.virtual, port: VIRTUAL_PORT, fwmark: 0,
  }, { family: 4, address: addresses.server(3), port: world.serverPort }) >= 0);
  assert.ok(addRoute(engine, OUTSIDE, "192.0.2.0/24", addresses.gateway) >= 0);
}

interface Traces { frames: string[]; records: Map<string, string> }

function hexOf(world: World, from: number, to: number): string {
  return Buffer.from(world.engine.bytes.slice(from, to)).toString("hex");
}

async function run(plan: WorldPlan, vnet: boolean, longRoad: boolean): Promise<Traces> {
  const world = await World.create(module, plan);
  const { engine } = world;
  const random = new Random(4711);
  engine.view.setUint32(CONTROL_BASE + CONTROL_LONG_ROAD, longRoad ? 1 : 0, true);
  if (vnet) assert.ok(setPort(engine, INSIDE, INSIDE_MAC, 1500, PortFlag.Up | PortFlag.Vnet) >= 0);
  const frames: string[] = [];
  for (let batch = 0; batch < BATCHES; batch++) {
    if (batch === BATCHES / 2) disturb(world);
    for (let index = 0; index < BATCH; index++) enter(world, random, index, vnet);
    world.nowMs += random.below(500);
    const count = engine.receive(BATCH, world.nowMs);
    for (let index = 0; index < count; index++) {
      const { port, flags, frame, bytes } = engine.sent(index);
      frames.push(`${port} ${flags} ${hexOf(world, frame - (flags & FrameFlag.Vnet ? VIRTIO_BYTES : 0), frame + bytes)}`);
    }
    engine.tick(world.nowMs);
  }
  const tables = engine.view.getUint32(CONTROL_BASE + CONTROL_TABLE_BASE, true);
  return {
    frames,
    records: new Map([
      ["servers", hexOf(world, SERVERS_BASE, SLABS_BASE)],
      ["counters, rates, drops", hexOf(world, COUNTERS_BASE, WORKERS_BASE)],
      ["connections", hexOf(world, tables, engine.bytes.length)],
    ]),
  };
}

const NAT: WorldPlan = { family: 4, protocol: TCP, forward: "masq", connections: 100 };
const CASES: [string, WorldPlan, boolean][] = [
  ["TCP by NAT", NAT, false],
  ["TCP by NAT, with virtio headers", NAT, true],
  ["UDP by NAT", { ...NAT, protocol: UDP }, false],
  ["TCP by direct routing", { ...NAT, forward: "route" }, false],
  ["TCP by tunnel", { ...NAT, forward: "tunnel" }, false],
];

for (const [name, plan, vnet] of CASES) {
  test(`the express road and the long one: ${name}`, async () => {
    const [express, long] = [await run(plan, vnet, false), await run(plan, vnet, true)];
    assert.ok(express.frames.length > BATCHES, "frames came out");
    assert.deepEqual(express.frames, long.frames);
    for (const [record, bytes] of long.records) assert.ok(express.records.get(record) === bytes, `${record} differ`);
  });
}
