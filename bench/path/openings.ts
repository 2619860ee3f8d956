// What it costs that connections begin and end: by scheduler, by size of the table, in a table that is full.

import { SHARD_BYTES } from "../../assembly/abi/layout.js";
import { BATCH_MAX, CONNECTIONS_PER_BUCKET } from "../../assembly/abi/limits.js";
import { interleave, type Contestant } from "../lib/interleave.js";
import type { Cell, Report, Timing } from "../lib/report.js";
import type { Settings } from "../lib/settings.js";
import { count } from "../lib/table.js";
import { establish } from "./established.js";
import { TCP } from "./frames.js";
import { fill, FloodPath, OPENED, OpenPath, TurnoverPath } from "./open.js";
import { World, type WorldPlan } from "./world.js";

type Module = WebAssembly.Module;

const NAT4: Omit<WorldPlan, "connections"> = { family: 4, protocol: TCP, forward: "masq" };
/** Scheduler and number of servers; the first is what the others are compared with. */
const CHOICES: readonly (readonly [string, number])[] = [
  ["rr", 16], ["mh", 16], ["mh", 1000], ["wlc", 16], ["wlc", 1000], ["lc", 1000], ["sed", 1000], ["nq", 1000],
];

async function byScheduler(module: Module, settings: Settings): Promise<Cell[][]> {
  settings.progress("new connections by scheduler");
  const contestants: Contestant[] = [];
  for (const [scheduler, servers] of CHOICES) {
    const world = await World.create(module, { ...NAT4, scheduler, servers, connections: OPENED });
    contestants.push(new OpenPath(`${scheduler}, ${servers} servers`, world, 0, BATCH_MAX, "open"));
  }
  return interleave(contestants, settings.rounds).map(({ name, ...timing }) => [name, timing, (1000 / timing.medianNs).toFixed(1)]);
}

/** Opening and ending beside `flows` connections that stay, and what a full table refuses. */
async function besides(module: Module, flows: number, settings: Settings): Promise<Contestant[]> {
  const world = await World.create(module, { ...NAT4, scheduler: "mh", connections: flows + OPENED });
  establish(world, flows);
  const full = await World.create(module, { ...NAT4, scheduler: "mh", connections: flows });
  fill(full);
  return [
    new OpenPath("new connection", world, flows, BATCH_MAX, "open"),
    new OpenPath("expiry of one", world, flows, BATCH_MAX, "expire"),
    new FloodPath("SYN flood, table full", full, BATCH_MAX, settings.batches),
  ];
}

async function turnover(module: Module, settings: Settings): Promise<Cell[][]> {
  settings.progress("a table turned over");
  const contestants: Contestant[] = [];
  for (const scheduler of ["mh", "wlc"]) {
    const world = await World.create(module, { ...NAT4, scheduler, connections: TurnoverPath.connections });
    contestants.push(new TurnoverPath(`begin and end, ${scheduler}`, world));
  }
  return interleave(contestants, settings.rounds).map(({ name, ...timing }) => [name, timing]);
}

export async function benchOpenings(module: Module, settings: Settings): Promise<Report> {
  const scheduled = await byScheduler(module, settings);
  const found = new Map<string, Timing[]>();
  for (const flows of settings.flows) {
    settings.progress(`openings beside ${count(flows)} flows`);
    for (const { name, ...timing } of interleave(await besides(module, flows, settings), settings.rounds)) {
      found.set(name, [...(found.get(name) ?? []), timing]);
    }
  }
  return {
    title: "Connections that begin and end",
    notes: [
      "Nanoseconds for each connection, engine only, SYNs of new clients in batches of 256: median [undisturbed], "
        + "and the ratio to the first row of the same run.",
      "Expiry is ticks until 16384 that ended together are gone, beside those that stay; both by mh over 16 servers.",
      "Begin and end: every connection lives for the minute of a SYN, as many begin as end, 921,600 at a time, a tick each 100 ms; ticks included.",
      `An IPv4 connection takes ${SHARD_BYTES / CONNECTIONS_PER_BUCKET} bytes, all structures: `
        + "record, share of a bucket, the sweep's word, a place on the stack of the free.",
    ],
    tables: [
      { head: ["new connection by", "ns", "millions a second"], rows: scheduled },
      { head: ["", ...settings.flows.map((flows) => `beside ${count(flows)}`)], rows: [...found].map(([name, timings]) => [name, ...timings]) },
      { head: ["in a table of 1M", "ns"], rows: await turnover(module, settings) },
    ],
  };
}
