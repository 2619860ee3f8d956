// The express road of beginnings must not be seen: new clients in great numbers, and the same kept off that road, leave
// the same frames in the same order, and the same counters, drops and connections in memory.

import assert from "node:assert/strict";
import { test } from "node:test";
import { LocalKind, Operation, PortFlag, ServiceFlag, Sysctl } from "../../assembly/abi/enums.js";
import {
  CONTROL_BASE, CONTROL_LONG_ROAD, CONTROL_TABLE_BASE, COUNTERS_BASE, NEIGHBORS_BASE, NEIGHBORS_HASH, PREPARED_BYTES, SERVICES_BASE,
  SLABS_BASE, SLAB_BYTES, WORKERS_BASE, WORKER_PREPARED,
} from "../../assembly/abi/layout.js";
import { Random } from "../../bench/lib/random.js";
import { ACK, buildFrame, RST, SYN, TCP, UDP } from "../../bench/path/frames.js";
import { INSIDE, INSIDE_MAC, OUTSIDE, serverMac, VIRTUAL_PORT, World, type WorldPlan } from "../../bench/path/world.js";
import {
  addLocalSubnet, addMark, addNeighbor, addRoute, addService, clearMarks, deleteNeighbor, deleteServer, deleteService, editService,
  setHelperPorts, setPort, setServer, setSysctl, setTimeouts, startDaemon, stopDaemon,
} from "../../host/engine/requests.js";
import { loadEngine } from "../../host/load.js";
import type { ServerSpec, ServiceSpec } from "../../host/protocol.js";
import { enterFrame, hexOf, MTU_BYTES, sentFrame } from "./traffic.js";

const module = await loadEngine();
const BATCHES = 150;
const BATCH = 64;
const SERVERS = 20;
/** As many connections as the smallest table has room for live at a time, and some more want to. */
const STRANGERS = 1 << 20;
const KNOWN = 40;
const STEP_MS = 900;

interface Case { plan: WorldPlan; vnet?: boolean }

const ok = (answer: number): void => assert.ok(answer >= 0, `the engine answered ${answer}`);

function serviceOf({ addresses, plan }: World): ServiceSpec {
  return {
    protocol: plan.protocol === TCP ? "tcp" : "udp", family: plan.family, address: addresses.virtual, port: VIRTUAL_PORT, fwmark: 0,
    scheduler: plan.scheduler ?? "rr", schedulerFlags: 0, persistent: false, timeoutSeconds: 0, netmask: plan.family === 4 ? "255.255.255.255" : "128",
    persistenceEngine: "", onePacket: false,
  };
}

function serverOf({ addresses, plan, serverPort }: World, server: number): ServerSpec {
  return {
    family: plan.family, address: addresses.server(server), port: serverPort, forward: plan.forward, weight: 1, upperThreshold: 0, lowerThreshold: 0,
    tunnel: plan.tunnel ?? "ipip", tunnelPort: 0, tunnelFlags: 0,
  };
}

/** What happens in the middle of it all, by the number of the batch. */
function disturb(world: World, batch: number): void {
  const { addresses, engine, plan } = world;
  const service = serviceOf(world);
  const edit = (server: number, change: Partial<ServerSpec>): void =>
    ok(setServer(engine, Operation.ServerEdit, service, { ...serverOf(world, server), ...change }));
  switch (batch) {
    case 8: return ok(setTimeouts(engine, { tcp: 0, tcpfin: 0, udp: 20 }));
    case 12: return edit(2, { weight: 0 });
    case 16: return edit(5, { upperThreshold: 8, lowerThreshold: 3 });
    case 20: return ok(deleteNeighbor(engine, INSIDE, addresses.server(1)));
    case 24: return ok(addNeighbor(engine, INSIDE, addresses.server(1), serverMac(1)));
    case 28: return ok(deleteServer(engine, service, { family: plan.family, address: addresses.server(3), port: world.serverPort }));
    case 34: return ok(setServer(engine, Operation.ServerAdd, service, { ...serverOf(world, 3), weight: 3 }));
    case 40: return ok(setSysctl(engine, Sysctl.SecureTcp, 3));
    case 46: return ok(setSysctl(engine, Sysctl.SecureTcp, 0));
    case 50: return ok(setSysctl(engine, Sysctl.DropPacket, 3));
    case 54: return ok(setSysctl(engine, Sysctl.DropPacket, 0));
    case 58: return ok(setHelperPorts(engine, [VIRTUAL_PORT]));
    case 62: return ok(setHelperPorts(engine, [21]));
    case 66: return ok(editService(engine, { ...service, persistent: true, timeoutSeconds: 30 }));
    case 72: return ok(editService(engine, service));
    case 76: return ok(editService(engine, { ...service, onePacket: true }));
    case 80: return ok(editService(engine, service));
    case 92: return ok(addRoute(engine, OUTSIDE, plan.family === 4 ? "192.0.2.0/24" : "2001:db8:9::/48", addresses.gateway));
    case 96: return ok(setPort(engine, INSIDE, "02:00:00:00:02:99", MTU_BYTES - 30));
    case 100: return ok(deleteService(engine, service));
    case 104: {
      ok(addService(engine, service));
      for (let server = 4; server < SERVERS; server++) ok(setServer(engine, Operation.ServerAdd, service, serverOf(world, SERVERS + 3 - server)));
      return;
    }
    case 108: return ok(addMark(engine, {
      family: plan.family, interface: "", source: "", destination: "", protocol: "", portLow: 0, portHigh: 65535, mark: 7,
    }, 0));
    case 112: return ok(clearMarks(engine));
    case 116: return ok(startDaemon(engine, {
      role: "master", interface: "", syncId: 1, messageBytes: 0, group: "224.0.0.81", udpPort: 8848, timeToLive: 1,
    }, INSIDE));
    case 120: return ok(editService(engine, { ...service, schedulerFlags: ServiceFlag.Flag1 | ServiceFlag.Flag2 }));
    case 126: return ok(stopDaemon(engine, "master"));
    case 134: return ok(addLocalSubnet(engine, OUTSIDE, plan.family === 4 ? "10.0.9.0/24" : "fd00:9::/64", LocalKind.Whole));
    default:
  }
}

/** A frame of a client: mostly a stranger's first, at times one that was here before, or the same in the same batch. */
function enterClient(world: World, random: Random, index: number): void {
  const once = (times: number): boolean => random.below(times) === 0;
  const flow = once(4) ? random.below(KNOWN) : KNOWN + random.below(STRANGERS);
  const flags = once(8) ? [ACK, RST, SYN | RST, SYN | ACK, SYN | 0xc0, 0][random.below(6)] ?? SYN : SYN;
  const bytes = buildFrame({
    ...world.fromClient(flow, flags), hops: once(20) ? random.below(3) : 64,
    payloadBytes: once(10) ? MTU_BYTES - 70 + random.below(40) : undefined,
  });
  const transport = world.plan.family === 4 ? 34 : 54;
  if (world.plan.protocol === UDP && once(10)) bytes.set([0, 0], transport + 6);
  enterFrame(world, index, bytes, OUTSIDE);
}

interface Traces { frames: string[]; records: Map<string, string>; prepared: boolean }

async function run({ plan, vnet = false }: Case, longRoad: boolean): Promise<Traces> {
  const world = await World.create(module, { ...plan, servers: SERVERS });
  const { engine } = world;
  const random = new Random(1234);
  engine.view.setUint32(CONTROL_BASE + CONTROL_LONG_ROAD, longRoad ? 1 : 0, true);
  if (vnet) ok(setPort(engine, INSIDE, INSIDE_MAC, MTU_BYTES, PortFlag.Up | PortFlag.Vnet));
  const frames: string[] = [];
  for (let batch = 0; batch < BATCHES; batch++) {
    disturb(world, batch);
    for (let index = 0; index < BATCH; index++) enterClient(world, random, index);
    world.nowMs += random.below(STEP_MS);
    const count = engine.receive(BATCH, world.nowMs);
    for (let index = 0; index < count; index++) frames.push(sentFrame(world, index));
    const timed = engine.tick(world.nowMs);
    for (let index = 0; index < timed; index++) frames.push(sentFrame(world, index));
  }
  const tables = engine.view.getUint32(CONTROL_BASE + CONTROL_TABLE_BASE, true);
  const prepared = WORKERS_BASE + WORKER_PREPARED;
  return {
    frames,
    records: new Map([
      ["services, servers", hexOf(world, SERVICES_BASE, SLABS_BASE)],
      ["neighbours", hexOf(world, NEIGHBORS_BASE, NEIGHBORS_HASH)],
      ["scheduler tables", hexOf(world, SLABS_BASE, SLABS_BASE + 4 * SLAB_BYTES)],
      ["counters, rates, drops", hexOf(world, COUNTERS_BASE, WORKERS_BASE)],
      ["connections", hexOf(world, tables, engine.bytes.length)],
    ]),
    prepared: engine.bytes.subarray(prepared, prepared + SERVERS * PREPARED_BYTES).some((byte) => byte !== 0),
  };
}

function* cases(): Generator<[string, Case]> {
  for (const family of [4, 6] as const) {
    const plan: WorldPlan = { family, protocol: TCP, forward: "masq", connections: 4000 };
    const udp: WorldPlan = { ...plan, protocol: UDP };
    for (const scheduler of ["rr", "wrr", "wlc", "mh", "lblc", "twos"]) yield [`IPv${family} TCP by NAT, ${scheduler}`, { plan: { ...plan, scheduler } }];
    yield [`IPv${family} TCP by NAT, with virtio headers`, { plan, vnet: true }];
    yield [`IPv${family} UDP by NAT`, { plan: udp }];
    yield [`IPv${family} TCP by direct routing`, { plan: { ...plan, forward: "route" } }];
    yield [`IPv${family} UDP by direct routing`, { plan: { ...udp, forward: "route" } }];
    yield [`IPv${family} TCP by IPIP`, { plan: { ...plan, forward: "tunnel" } }];
    yield [`IPv${family} UDP by GUE`, { plan: { ...udp, forward: "tunnel", tunnel: "gue" } }];
    yield [`IPv${family} TCP to the director itself`, { plan: { ...plan, forward: "local" } }];
  }
}

for (const [name, one] of cases()) {
  test(`beginnings on the express road and the long one: ${name}`, async () => {
    const [express, long] = [await run(one, false), await run(one, true)];
    assert.equal(express.prepared, one.plan.forward !== "local");
    assert.equal(long.prepared, false);
    assert.ok(express.frames.length > BATCHES, "frames came out");
    assert.deepEqual(express.frames, long.frames);
    for (const [record, bytes] of long.records) assert.ok(express.records.get(record) === bytes, `${record} differ`);
  });
}
