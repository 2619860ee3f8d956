// Nanoseconds a packet by road and number of flows, all roads of one number in one interleaved run.

import { interleave, type Contestant } from "../lib/interleave.js";
import type { Cell, Report } from "../lib/report.js";
import type { Settings } from "../lib/settings.js";
import { count } from "../lib/table.js";
import { clientTemplate, establish, replyTemplates } from "./established.js";
import { direct, natIn, natOut, tunnel } from "./expected.js";
import { ACK, TCP, UDP } from "./frames.js";
import { HitPath, type HitPlan } from "./hit.js";
import { BATCHES, FloodPath, OPENED, OpenPath } from "./open.js";
import { INSIDE, OUTSIDE, World, type WorldPlan } from "./world.js";

type Module = WebAssembly.Module;

export interface Road extends Pick<HitPlan, "from" | "expected"> {
  name: string;
  plan: Omit<WorldPlan, "connections">;
}

const NAT4: Road["plan"] = { family: 4, protocol: TCP, forward: "masq" };
/** Roads of connections that exist. The first is what the others are compared with. */
export const ROADS: readonly Road[] = [
  { name: "NAT in", plan: NAT4, from: OUTSIDE, expected: natIn },
  { name: "NAT out", plan: NAT4, from: INSIDE, expected: natOut },
  { name: "DR", plan: { ...NAT4, forward: "route" }, from: OUTSIDE, expected: direct },
  { name: "TUN (IPIP)", plan: { ...NAT4, forward: "tunnel" }, from: OUTSIDE, expected: tunnel },
  { name: "UDP NAT in", plan: { ...NAT4, protocol: UDP }, from: OUTSIDE, expected: natIn },
  { name: "IPv6 NAT in", plan: { ...NAT4, family: 6 }, from: OUTSIDE, expected: natIn },
];

/** A road over connections that exist; roads of the same plan share `world`. */
export function hitPath(road: Road, world: World, servers: Uint8Array, batchFrames: number, batches: number, name = road.name): HitPath {
  const templates = road.from === OUTSIDE ? [clientTemplate(world, ACK)] : replyTemplates(world, ACK);
  return new HitPath({ name, world, servers, templates, from: road.from, batchFrames, batches, expected: road.expected });
}

interface Ready { world: World; servers: Uint8Array }

async function ready(module: Module, plan: Road["plan"], flows: number): Promise<Ready> {
  const world = await World.create(module, { ...plan, connections: flows + OPENED });
  return { world, servers: establish(world, flows) };
}

async function contestants(module: Module, flows: number, batchFrames: number, settings: Settings): Promise<Contestant[]> {
  const worlds = new Map<Road["plan"], Ready>();
  const list: Contestant[] = [];
  for (const road of ROADS) {
    const { world, servers } = worlds.get(road.plan) ?? (await ready(module, road.plan, flows));
    worlds.set(road.plan, { world, servers });
    list.push(hitPath(road, world, servers, batchFrames, settings.batches));
  }
  const nat = worlds.get(NAT4) as Ready;
  list.push(new OpenPath("new connection", nat.world, flows, batchFrames, "open"));
  list.push(new OpenPath("expiry of one", nat.world, flows, batchFrames, "expire"));
  const full = await World.create(module, { ...NAT4, connections: flows });
  FloodPath.fill(full);
  list.push(new FloodPath("SYN flood, table full", full, batchFrames, settings.batches));
  return list;
}

/** The whole suite as one table: a line for each road, a column for each number of flows. */
export async function benchPaths(module: Module, settings: Settings): Promise<Report> {
  const lines = new Map<string, Cell[]>();
  for (const batchFrames of settings.quick ? BATCHES.slice(1) : BATCHES) {
    for (const flows of settings.flows) {
      settings.progress(`paths: batches of ${batchFrames}, ${count(flows)} flows`);
      for (const result of interleave(await contestants(module, flows, batchFrames, settings), settings.rounds)) {
        const key = `${result.name}|${batchFrames}`;
        const line = lines.get(key) ?? [result.name, String(batchFrames)];
        const { medianNs, bestNs, ratio } = result;
        line.push({ medianNs, bestNs, ratio });
        lines.set(key, line);
      }
    }
  }
  return {
    title: "Roads through the release engine",
    notes: [
      "Nanoseconds a packet, engine only: median of the rounds [best round], then the median ratio to \"NAT in\" of the same run.",
      "60-byte TCP frames (74 of IPv6), flows in random order. Expiry is one tick over the whole table, shared among 16384 that end.",
    ],
    tables: [{ head: ["road", "batch", ...settings.flows.map((flows) => `${count(flows)} flows`)], rows: [...lines.values()] }],
  };
}
