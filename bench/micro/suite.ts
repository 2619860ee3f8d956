// Leaves alone, by the package `benchmark`: what a checksum, a hash, a parse, a lookup, a choice costs.

import Benchmark from "benchmark";
import { Operation, Scheduler } from "../../assembly/abi/enums.js";
import { addService, setServer, deleteService } from "../../host/engine/requests.js";
import type { ServiceSpec } from "../../host/protocol.js";
import type { Cell, Report } from "../lib/report.js";
import type { Settings } from "../lib/settings.js";
import { interleave, type Contestant } from "../lib/interleave.js";
import { count } from "../lib/table.js";
import { Random } from "../lib/random.js";
import { Batch } from "../path/batch.js";
import { clientTemplate, establish } from "../path/established.js";
import { clientPortWire, clientWord } from "../path/flows.js";
import { ACK, TCP } from "../path/frames.js";
import { hitPath, ROADS } from "../path/suite.js";
import { OUTSIDE, World } from "../path/world.js";
import { parseAddress } from "../../host/engine/address.js";
import { attachMicro, loadMicro, type MicroExports } from "./module.js";

interface Leaf { name: string; units: number; run: () => void }

const TIMES = 1000;
/** Frames in a call, and calls in a round. */
const CALLED = [1, 2, 4, 8, 16, 32, 64, 128, 256];
const CALLS = 400;
const SCANNED = 64;
const LOOKED_UP = 4096;
const SERVICE_INDEX = 2;
const PORT_OF_SCHEDULERS = 81;
/** In the world's arena, above its frames. */
const PLACES = { bytes: 600 << 10, list: 640 << 10, scratch: 720 << 10, virtual: 721 << 10, client: 722 << 10 };

function must(condition: boolean, what: string): void {
  if (!condition) throw new Error(what);
}

function plain(micro: MicroExports, arena: number): Leaf[] {
  const at = arena + PLACES.bytes;
  const sizes = [20, 64, 512, 1500];
  return [
    ...sizes.map((bytes) => ({ name: `checksum, ${bytes} bytes`, units: TIMES, run: () => void micro.checksums(at, bytes, TIMES) })),
    ...[64, 1500].map((bytes) => ({ name: `SCTP's CRC32c, ${bytes} bytes`, units: 100, run: () => micro.sctpChecksums(at, bytes, 100) })),
    { name: "hash of a client", units: TIMES, run: () => void micro.hashes(1, TIMES) },
  ];
}

/** Parsing and looking up in a table with this many connections. */
function tableLeaves(micro: MicroExports, world: World, flows: number): Leaf[] {
  const { engine } = world;
  const batch = new Batch(world);
  const random = new Random(99);
  const template = clientTemplate(world, ACK);
  for (let index = 0; index < SCANNED; index++) batch.write(index, random.below(flows), template);
  batch.list(SCANNED, template.bytes, OUTSIDE);
  must(micro.scans(SCANNED, 1) === SCANNED, "not every frame is ordinary");
  const at = Object.fromEntries(Object.entries(PLACES).map(([name, offset]) => [name, engine.arenaBase + offset])) as typeof PLACES;
  for (let index = 0; index < LOOKED_UP; index++) {
    const flow = random.below(flows);
    engine.view.setUint32(at.list + index * 8, clientWord(flow), true);
    engine.view.setUint32(at.list + index * 8 + 4, clientPortWire(flow), true);
  }
  engine.bytes.set(parseAddress("0.0.0.0")?.bytes ?? [], at.scratch);
  engine.bytes.set(parseAddress(world.addresses.virtual)?.bytes ?? [], at.virtual);
  const lookups = (): number => micro.lookups(at.list, LOOKED_UP, at.virtual, 80 << 8, at.scratch);
  must(lookups() === LOOKED_UP, "not every connection was found");
  return [
    { name: "parse of a TCP frame", units: SCANNED * 20, run: () => void micro.scans(SCANNED, 20) },
    { name: `bucket alone, ${count(flows)} flows`, units: LOOKED_UP, run: () => void micro.matchings(at.list, LOOKED_UP) },
    { name: `lookup not staged, ${count(flows)} flows`, units: LOOKED_UP, run: () => void lookups() },
  ];
}

const SCHEDULERS = Object.keys(Scheduler).filter((name) => Number.isNaN(Number(name)) && name !== "None").map((name) => name.toLowerCase());

/** A second service, over sixteen servers of weights 1 to 4, under one scheduler after the other. */
function prepareScheduler(micro: MicroExports, world: World, scheduler: string): () => void {
  const { engine, addresses } = world;
  const service: ServiceSpec = {
    protocol: "tcp", family: 4, address: addresses.virtual, port: PORT_OF_SCHEDULERS, fwmark: 0, scheduler, schedulerFlags: 0,
    persistent: false, timeoutSeconds: 0, netmask: "255.255.255.255", persistenceEngine: "", onePacket: false,
  };
  deleteService(engine, service);
  must(addService(engine, service) === SERVICE_INDEX, `no service for ${scheduler}`);
  for (let server = 0; server < 16; server++) {
    setServer(engine, Operation.ServerAdd, service, {
      family: 4, address: addresses.server(server), port: 8080, forward: "masq", weight: 1 + (server & 3),
      upperThreshold: 0, lowerThreshold: 0, tunnel: "ipip", tunnelPort: 0, tunnelFlags: 0,
    });
  }
  const client = engine.arenaBase + PLACES.client;
  const virtual = engine.arenaBase + PLACES.virtual;
  engine.bytes.set(parseAddress("0.0.0.0")?.bytes ?? [], client);
  const choose = (): number => micro.choices(SERVICE_INDEX, client, virtual, TIMES);
  must(choose() === TIMES, `${scheduler} did not choose every time`);
  return () => void choose();
}

function measure(leaf: Leaf, seconds: number): Cell[] {
  const bench = new Benchmark(leaf.name, leaf.run, { maxTime: seconds, minSamples: 5 }).run();
  const ns = (time: number): number => (time * 1e9) / leaf.units;
  const samples = [...bench.stats.sample].sort((a, b) => a - b);
  return [leaf.name, { medianNs: ns(samples[samples.length >> 1] ?? NaN), bestNs: ns(samples[0] ?? NaN) }, samples.length];
}

/** What a frame costs by the frames of a call: the same flow over and over, so that nothing else grows. */
async function callCosts(module: WebAssembly.Module, settings: Settings): Promise<Cell[][]> {
  settings.progress("calls");
  const [road] = ROADS;
  if (road === undefined) throw new Error("there is no road");
  const world = await World.create(module, { ...road.plan, connections: 1 });
  const servers = establish(world, 1);
  const empty: Contestant = { name: "none (a call)", round: () => emptyCallNs(world) };
  const paths = interleave([...CALLED.map((frames) => hitPath(road, world, servers, frames, CALLS)), empty], settings.rounds);
  return paths.map(({ medianNs, bestNs }, index) => [String(CALLED[index] ?? empty.name), { medianNs, bestNs }]);
}

/** A call without frames, of many between two readings of the clock. */
function emptyCallNs(world: World): number {
  const begin = performance.now();
  for (let call = 0; call < TIMES; call++) world.engine.receive(0, world.nowMs);
  return ((performance.now() - begin) * 1e6) / TIMES;
}

export async function benchLeaves(module: WebAssembly.Module, settings: Settings): Promise<Report> {
  const rows: Cell[][] = [];
  const seconds = settings.quick ? 0.05 : 0.3;
  const micro = await loadMicro();
  for (const flows of settings.quick ? [1000, 100_000] : [1000, 100_000, 1_000_000]) {
    settings.progress(`leaves: ${count(flows)} flows`);
    const world = await World.create(module, { family: 4, protocol: TCP, forward: "masq", connections: flows });
    establish(world, flows);
    const leaves = await attachMicro(micro, world.engine.memory);
    const table = tableLeaves(leaves, world, flows);
    for (const leaf of rows.length === 0 ? [...plain(leaves, world.engine.arenaBase), ...table] : table.slice(1)) rows.push(measure(leaf, seconds));
    if (rows.length > 12) continue;
    for (const scheduler of SCHEDULERS) {
      rows.push(measure({ name: `choice by ${scheduler}`, units: TIMES, run: prepareScheduler(leaves, world, scheduler) }, seconds));
    }
  }
  return {
    title: "Leaves of the engine",
    notes: [
      "Nanoseconds an operation, in loops within Wasm, driven by the package `benchmark`: median [best]. "
        + "Choices are among 16 servers of weights 1 to 4, none of them loaded.",
      "These times stand alone: they were not interleaved, so compare them loosely.",
    ],
    tables: [
      { head: ["leaf", "ns", "samples"], rows },
      { head: ["frames in a call, NAT in, 1 flow", "ns a frame, two clock readings a call included"], rows: await callCosts(module, settings) },
    ],
  };
}
