// The ratios that must not worsen. Each is taken within one interleaved run, so neither the machine's speed nor its
// neighbours are in it: what the engine costs, by what something else costs at the same time.

import { CONTROL_BASE, CONTROL_GROUP } from "../../assembly/abi/layout.js";
import { BATCH_MAX, GROUP_MAX } from "../../assembly/abi/limits.js";
import { interleave, type Contestant } from "../lib/interleave.js";
import { clientTemplate, establish } from "../path/established.js";
import { natIn } from "../path/expected.js";
import { ACK, TCP } from "../path/frames.js";
import { HitPath } from "../path/hit.js";
import { OPENED, OpenPath } from "../path/open.js";
import { hitPath, ROADS } from "../path/suite.js";
import { OUTSIDE, World } from "../path/world.js";
import { NaiveRival } from "../rival/naive.js";
import { compileRival, NativeRival, type Library } from "../rival/native.js";

type Module = WebAssembly.Module;
type Receive = (count: number, nowMs: number) => number;

const ROUNDS = 9;
const BATCHES = 80;
/** Of the slow ones. */
const FEW = 8;
const NAT4 = { family: 4, protocol: TCP, forward: "masq" } as const;

/** The others' times by the first's: the lower of the median of the rounds' ratios and the ratio of the best rounds. */
function ratios(contestants: readonly Contestant[]): Map<string, number> {
  const [first, ...others] = interleave(contestants, ROUNDS);
  const bestNs = first?.bestNs ?? NaN;
  return new Map(others.map((other) => [`${other.name} by ${first?.name}`, Math.min(other.ratio, other.bestNs / bestNs)]));
}

/** The engine by its rival in C, by naive JavaScript, and by itself a frame at a time. */
async function byRivals(module: Module, library: Library | undefined, flows: number): Promise<Map<string, number>> {
  const world = await World.create(module, { ...NAT4, connections: flows });
  const servers = establish(world, flows);
  const templates = [clientTemplate(world, ACK)];
  const path = (name: string, receive: Receive, batches = BATCHES): Contestant =>
    new HitPath({ name, world, servers, templates, from: OUTSIDE, batchFrames: BATCH_MAX, batches, expected: natIn, receive });
  const engine = (group: number): Receive => (frames, nowMs) => {
    world.engine.view.setUint32(CONTROL_BASE + CONTROL_GROUP, group, true);
    return world.engine.receive(frames, nowMs);
  };
  const whole = (): Contestant => path(`NAT in, ${flows} flows,`, engine(GROUP_MAX));
  const native = library ? new NativeRival(library, world, servers, true) : undefined;
  const found = new Map([
    ...(native ? ratios([path("C", native.receive), whole()]) : []),
    ...ratios([path("naive JavaScript", new NaiveRival(world, servers).receive, FEW), whole()]),
    ...ratios([path("a frame at a time", engine(1)), whole()]),
  ]);
  native?.close();
  return found;
}

/** Other roads by NAT in. */
async function byRoad(module: Module, flows: number): Promise<Map<string, number>> {
  const contestants: Contestant[] = [];
  for (const road of ROADS.filter(({ name }) => ["NAT in", "DR", "TUN, IPIP", "IPv6 NAT in"].includes(name))) {
    const world = await World.create(module, { ...road.plan, connections: flows });
    contestants.push(hitPath(road, world, establish(world, flows), BATCH_MAX, BATCHES));
  }
  return ratios(contestants);
}

/** A new connection: by wlc over many servers by wlc over few; and a begin and an end by a packet of a known connection. */
async function byOpening(module: Module): Promise<Map<string, number>> {
  const opening = async (servers: number): Promise<Contestant> => new OpenPath(`a choice by wlc among ${servers}`,
    await World.create(module, { ...NAT4, scheduler: "wlc", servers, connections: OPENED }), 0, BATCH_MAX, "open");
  const known = await World.create(module, { ...NAT4, connections: OPENED });
  const packets = new HitPath({
    name: "NAT in", world: known, servers: establish(known, OPENED), templates: [clientTemplate(known, ACK)], from: OUTSIDE, batchFrames: BATCH_MAX,
    batches: BATCHES, expected: natIn,
  });
  const world = await World.create(module, { ...NAT4, scheduler: "mh", connections: OPENED });
  return new Map([
    ...ratios([await opening(16), await opening(1000)]),
    ...ratios([packets, new OpenPath("a new connection", world, 0, BATCH_MAX, "open"), new OpenPath("an expiry", world, 0, BATCH_MAX, "expire")]),
  ]);
}

/** Measures every ratio; those to the rival in C only where there is a compiler. */
export async function measureRatios(module: Module): Promise<Map<string, number>> {
  const library = await compileRival();
  return new Map([
    ...(await byRivals(module, library, 1)), ...(await byRivals(module, library, 64_000)),
    ...(await byRoad(module, 10_000)), ...(await byOpening(module)),
  ]);
}
