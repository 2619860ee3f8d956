// The express road must not be seen: traffic that may take it, and the same traffic kept off it, leave the
// same frames in the same order, and the same counters, drops and connections in memory.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Operation, PortFlag, Sysctl } from "../../assembly/abi/enums.js";
import {
  CONTROL_BASE, CONTROL_LONG_ROAD, CONTROL_TABLE_BASE, COUNTERS_BASE, PATHS_BASE, PATH_BYTES, PATH_MTU, PATH_TOLD_MS, SERVERS_BASE,
  SLABS_BASE, WORKERS_BASE,
} from "../../assembly/abi/layout.js";
import { PATHS_MAX } from "../../assembly/abi/limits.js";
import { Random } from "../../bench/lib/random.js";
import { TCP, UDP, wireAddress } from "../../bench/path/frames.js";
import { GUE_PORT, INSIDE, INSIDE_MAC, OUTSIDE, serverMac, VIRTUAL_PORT, World, type WorldPlan } from "../../bench/path/world.js";
import { parseMac } from "../../host/engine/address.js";
import { addLocal, addNeighbor, addRoute, deleteNeighbor, deleteServer, setPort, setServer, setSysctl } from "../../host/engine/requests.js";
import { loadEngine } from "../../host/load.js";
import type { ServiceKey, TunnelName } from "../../host/protocol.js";
import { ethernet, ICMP, ICMP6, icmpMessage, ipPacket } from "../fuzz/packets.js";
import { enterFrame, enterRandom, hexOf, MTU_BYTES, sentFrame } from "./traffic.js";

const module = await loadEngine();
const BATCHES = 160;
const BATCH = 40;
const SERVERS = 8;

interface Tunnel { type: TunnelName; flags: number; mixed: boolean }
interface Case { plan: WorldPlan; vnet?: boolean; tunnel?: Tunnel }

const ok = (answer: number): void => assert.ok(answer >= 0, `the engine answered ${answer}`);
/** A server of the other family than its service's, which only a tunnel can reach. */
const otherFamily = (plan: WorldPlan, server: number): string => (plan.family === 4 ? `fd00:2::${(16 + server).toString(16)}` : `10.2.1.${10 + server}`);

function serviceOf(world: World): ServiceKey {
  const { addresses, plan } = world;
  return { protocol: plan.protocol === TCP ? "tcp" : "udp", family: plan.family, address: addresses.virtual, port: VIRTUAL_PORT, fwmark: 0 };
}

function edit(world: World, operation: Operation.ServerAdd | Operation.ServerEdit, server: number, tunnel: Tunnel): void {
  const { engine, plan, addresses } = world;
  ok(setServer(engine, operation, serviceOf(world), {
    family: tunnel.mixed ? (plan.family === 4 ? 6 : 4) : plan.family, address: tunnel.mixed ? otherFamily(plan, server) : addresses.server(server),
    port: world.serverPort, forward: "tunnel", weight: 1, upperThreshold: 0, lowerThreshold: 0,
    tunnel: tunnel.type, tunnelPort: tunnel.type === "gue" ? GUE_PORT : 0, tunnelFlags: tunnel.flags,
  }));
}

/** Tunnels of the case's kind, to servers of the other family where it says so. */
function dig(world: World, tunnel: Tunnel): void {
  const { engine, plan, addresses } = world;
  if (tunnel.mixed) ok(addLocal(engine, INSIDE, plan.family === 4 ? "fd00:2::1/64" : "10.2.0.1/16"));
  for (let server = 0; server < SERVERS; server++) {
    if (!tunnel.mixed) {
      edit(world, Operation.ServerEdit, server, tunnel);
      continue;
    }
    ok(addNeighbor(engine, INSIDE, otherFamily(plan, server), serverMac(server)));
    ok(deleteServer(engine, serviceOf(world), { family: plan.family, address: addresses.server(server), port: world.serverPort }));
    edit(world, Operation.ServerAdd, server, tunnel);
  }
}

/** Server 1 says by ARP where it is: known from now on, but only for a time. */
function answerArp(world: World): void {
  const frame = new Uint8Array(42);
  const mac = parseMac(serverMac(1)) ?? new Uint8Array(6);
  frame.set(parseMac(INSIDE_MAC) ?? [], 0);
  frame.set(mac, 6);
  frame.set([8, 6, 0, 1, 8, 0, 6, 4, 0, 2], 12);
  frame.set(mac, 22);
  frame.set(wireAddress(world.addresses.server(1)), 28);
  frame.set(parseMac(INSIDE_MAC) ?? [], 32);
  frame.set(wireAddress("10.2.0.1"), 38);
  enterFrame(world, 0, frame, INSIDE);
  world.engine.receive(1, world.nowMs);
}

/** A router quotes what the director said to a server, and tells what the way there carries: for ten seconds more. */
function tellPath(world: World, server: string): void {
  const { engine } = world;
  const six = server.includes(":");
  const [own, router] = six ? ["fd00:2::1", "fd00:2::77"] : ["10.2.0.1", "10.2.0.77"];
  const said = ipPacket({ source: own, target: server, protocol: six ? ICMP6 : ICMP, payload: icmpMessage(own, server, six ? 129 : 0, 0, 1, Buffer.alloc(8)) });
  const tooBig = six ? icmpMessage(router, own, 2, 0, MTU_BYTES - 20, said) : icmpMessage(router, own, 3, 4, MTU_BYTES - 20, said);
  const error = ipPacket({ source: router, target: own, protocol: six ? ICMP6 : ICMP, payload: tooBig });
  enterFrame(world, 0, ethernet(INSIDE_MAC, "02:00:00:02:00:77", error), INSIDE);
  assert.equal(engine.receive(1, world.nowMs), 0, "an error asks for no answer");
  const places = Array.from({ length: PATHS_MAX }, (_, index) => PATHS_BASE + index * PATH_BYTES);
  const path = places.find((at) => engine.view.getUint32(at + PATH_MTU, true) === MTU_BYTES - 20);
  assert.ok(path !== undefined, "the path is known");
  engine.view.setUint32(path + PATH_TOLD_MS, world.nowMs - 590_000, true);
}

/** What happens in the middle of it all, by the number of the batch. */
function disturb(world: World, batch: number, tunnel: Tunnel | undefined): void {
  const { addresses, engine, plan } = world;
  const address = (server: number): string => (tunnel?.mixed ? otherFamily(plan, server) : addresses.server(server));
  switch (batch) {
    case 30: return ok(deleteNeighbor(engine, INSIDE, address(1)));
    case 34: return address(1) === addresses.server(1) && plan.family === 4 ? answerArp(world) : ok(addNeighbor(engine, INSIDE, address(1), serverMac(1)));
    case 60: return ok(addRoute(engine, OUTSIDE, "192.0.2.0/24", world.plan.family === 4 ? addresses.gateway : undefined));
    case 70: return tellPath(world, address(3));
    case 80: {
      const family = tunnel?.mixed ? (plan.family === 4 ? 6 : 4) : plan.family;
      return ok(deleteServer(engine, serviceOf(world), { family, address: address(3), port: world.serverPort }));
    }
    case 100: return ok(setSysctl(engine, Sysctl.PmtuDisc, 0));
    // Another kind of tunnel for one server: what was prepared for it is out of date.
    case 120: return tunnel && edit(world, Operation.ServerEdit, 2, { type: tunnel.type === "gre" ? "ipip" : "gre", flags: 0, mixed: tunnel.mixed });
    case 140: return ok(setPort(engine, INSIDE, "02:00:00:00:02:99", MTU_BYTES - 30));
    default:
  }
}

interface Traces { frames: string[]; records: Map<string, string> }

async function run({ plan, vnet = false, tunnel }: Case, longRoad: boolean): Promise<Traces> {
  const world = await World.create(module, { ...plan, servers: SERVERS });
  const { engine } = world;
  const random = new Random(4711);
  engine.view.setUint32(CONTROL_BASE + CONTROL_LONG_ROAD, longRoad ? 1 : 0, true);
  if (vnet) ok(setPort(engine, INSIDE, INSIDE_MAC, MTU_BYTES, PortFlag.Up | PortFlag.Vnet));
  if (tunnel) dig(world, tunnel);
  const frames: string[] = [];
  for (let batch = 0; batch < BATCHES; batch++) {
    disturb(world, batch, tunnel);
    for (let index = 0; index < BATCH; index++) enterRandom(world, random, index, vnet);
    world.nowMs += random.below(500);
    const count = engine.receive(BATCH, world.nowMs);
    for (let index = 0; index < count; index++) frames.push(sentFrame(world, index));
    const timed = engine.tick(world.nowMs);
    for (let index = 0; index < timed; index++) frames.push(sentFrame(world, index));
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

const TUNNELS: [string, Omit<Tunnel, "mixed">][] = [
  ["IPIP", { type: "ipip", flags: 0 }], ["GRE", { type: "gre", flags: 0 }], ["GRE with checksums", { type: "gre", flags: 1 }],
  ["GUE", { type: "gue", flags: 0 }], ["GUE with checksums", { type: "gue", flags: 1 }],
];

function* cases(): Generator<[string, Case]> {
  for (const family of [4, 6] as const) {
    const plan: WorldPlan = { family, protocol: TCP, forward: "masq", connections: 100 };
    const udp: WorldPlan = { ...plan, protocol: UDP };
    yield [`IPv${family} TCP by NAT`, { plan }];
    yield [`IPv${family} TCP by NAT, with virtio headers`, { plan, vnet: true }];
    yield [`IPv${family} UDP by NAT`, { plan: udp }];
    yield [`IPv${family} UDP by NAT, with virtio headers`, { plan: udp, vnet: true }];
    yield [`IPv${family} TCP by direct routing`, { plan: { ...plan, forward: "route" } }];
    yield [`IPv${family} UDP by direct routing`, { plan: { ...udp, forward: "route" } }];
    for (const [name, tunnel] of TUNNELS) {
      for (const mixed of [false, true]) {
        const inside = `${name} over IPv${mixed ? 10 - family : family}`;
        yield [`IPv${family} TCP by ${inside}`, { plan: { ...plan, forward: "tunnel" }, tunnel: { ...tunnel, mixed } }];
      }
      yield [`IPv${family} UDP by ${name}, with virtio headers`, { plan: { ...udp, forward: "tunnel" }, vnet: true, tunnel: { ...tunnel, mixed: false } }];
    }
  }
}

for (const [name, one] of cases()) {
  test(`the express road and the long one: ${name}`, async () => {
    const [express, long] = [await run(one, false), await run(one, true)];
    assert.ok(express.frames.length > BATCHES, "frames came out");
    assert.deepEqual(express.frames, long.frames);
    for (const [record, bytes] of long.records) assert.ok(express.records.get(record) === bytes, `${record} differ`);
  });
}
