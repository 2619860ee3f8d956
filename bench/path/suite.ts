// Nanoseconds a packet by road and number of flows, all roads of one number in one interleaved run.

import { BATCH_MAX } from "../../assembly/abi/limits.js";
import { interleave, type Contestant } from "../lib/interleave.js";
import type { Cell, Report, Timing } from "../lib/report.js";
import type { Settings } from "../lib/settings.js";
import { count } from "../lib/table.js";
import { clientTemplate, establish, replyTemplates } from "./established.js";
import { direct, natIn, natOut, tunnel, tunnelGue } from "./expected.js";
import { ACK, TCP, UDP } from "./frames.js";
import { HitPath, type HitPlan, type Shape } from "./hit.js";
import { INSIDE, OUTSIDE, World, type WorldPlan } from "./world.js";

type Module = WebAssembly.Module;

export interface Road extends Pick<HitPlan, "from" | "expected"> {
  name: string;
  plan: Omit<WorldPlan, "connections">;
}

const NAT4: Road["plan"] = { family: 4, protocol: TCP, forward: "masq" };
const NAT6: Road["plan"] = { ...NAT4, family: 6 };

/** Roads of connections that exist. The first is what the others are compared with. */
export const ROADS: readonly Road[] = [
  { name: "NAT in", plan: NAT4, from: OUTSIDE, expected: natIn },
  { name: "NAT out", plan: NAT4, from: INSIDE, expected: natOut },
  { name: "DR", plan: { ...NAT4, forward: "route" }, from: OUTSIDE, expected: direct },
  { name: "TUN, IPIP", plan: { ...NAT4, forward: "tunnel" }, from: OUTSIDE, expected: tunnel },
  { name: "TUN, GUE", plan: { ...NAT4, forward: "tunnel", tunnel: "gue" }, from: OUTSIDE, expected: tunnelGue },
  { name: "UDP NAT in", plan: { ...NAT4, protocol: UDP }, from: OUTSIDE, expected: natIn },
  { name: "IPv6 NAT in", plan: NAT6, from: OUTSIDE, expected: natIn },
  { name: "IPv6 NAT out", plan: NAT6, from: INSIDE, expected: natOut },
  { name: "IPv6 DR", plan: { ...NAT6, forward: "route" }, from: OUTSIDE, expected: direct },
  { name: "IPv6 TUN, IPIP", plan: { ...NAT6, forward: "tunnel" }, from: OUTSIDE, expected: tunnel },
  { name: "IPv6 TUN, GUE", plan: { ...NAT6, forward: "tunnel", tunnel: "gue" }, from: OUTSIDE, expected: tunnelGue },
];

/** Simple IMIX: seven packets of 40 bytes, four of 576, one of 1500. */
const IMIX = [40, 576, 40, 40, 576, 40, 1500, 40, 576, 40, 576, 40] as const;
const MINIMUM: Record<4 | 6, number> = { 4: 40, 6: 60 };

/** A road over connections that exist; roads of the same plan share `world`. */
export function hitPath(road: Road, world: World, servers: Uint8Array, batchFrames: number, batches: number, mixed = false): HitPath {
  const { name, from, expected, plan } = road;
  const templates = (payloadBytes?: number): HitPlan["templates"] =>
    from === OUTSIDE ? [clientTemplate(world, ACK, payloadBytes)] : replyTemplates(world, ACK, payloadBytes);
  const shape = (bytes: number): Shape => {
    const payloadBytes = Math.max(0, bytes - MINIMUM[plan.family] + (plan.protocol === UDP ? 12 : 0));
    return { payloadBytes, templates: templates(payloadBytes) };
  };
  const shapes = new Map([...new Set(IMIX)].map((bytes) => [bytes, shape(bytes)]));
  const mix = mixed ? IMIX.map((bytes) => shapes.get(bytes) as Shape) : undefined;
  return new HitPath({ name: mixed ? `${name}, IMIX` : name, world, servers, templates: templates(), mix, from, batchFrames, batches, expected });
}

async function contestants(module: Module, flows: number, settings: Settings): Promise<Contestant[]> {
  const worlds = new Map<Road["plan"], { world: World; servers: Uint8Array }>();
  const plain: Contestant[] = [];
  const mixed: Contestant[] = [];
  for (const road of ROADS) {
    if (!worlds.has(road.plan)) {
      const world = await World.create(module, { ...road.plan, connections: flows });
      worlds.set(road.plan, { world, servers: establish(world, flows) });
    }
    const { world, servers } = worlds.get(road.plan) as { world: World; servers: Uint8Array };
    plain.push(hitPath(road, world, servers, BATCH_MAX, settings.batches));
    mixed.push(hitPath(road, world, servers, BATCH_MAX, settings.batches, true));
  }
  return [...plain, ...mixed];
}

/** The whole suite: a line for each road, a column for each number of flows; then the same with frames of mixed sizes. */
export async function benchPaths(module: Module, settings: Settings): Promise<Report> {
  const found = new Map<string, Timing>();
  for (const flows of settings.flows) {
    settings.progress(`roads: ${count(flows)} flows`);
    for (const { name, ...timing } of interleave(await contestants(module, flows, settings), settings.rounds)) found.set(`${name}|${flows}`, timing);
  }
  const columns = settings.flows.map((flows) => `${count(flows)} flows`);
  const rows = (nameOf: (name: string) => string): Cell[][] =>
    ROADS.map(({ name }) => [name, ...settings.flows.map((flows) => found.get(`${nameOf(name)}|${flows}`) ?? "")]);
  return {
    title: "Roads through the release engine",
    notes: [
      "Nanoseconds a packet, engine only, batches of 256: median of the rounds [undisturbed], then the median ratio to \"NAT in\" of the same run.",
      "Undisturbed is the median of the batches during which no other guest of the machine used the same core (bench/lib/stopwatch.ts); "
        + "a dash where there was none.",
      "Frames of 60 bytes (64 with the card's checksum; 74 of IPv6), flows in random order. IMIX: seven packets of 40 bytes, four of 576, one of 1500.",
    ],
    tables: [
      { head: ["road", ...columns], rows: rows((name) => name) },
      { head: ["road, IMIX", ...columns], rows: rows((name) => `${name}, IMIX`) },
    ],
  };
}
