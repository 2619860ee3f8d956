// This engine against that of another checkout, by turns in one process: so a change is judged by the ratio within a
// round, and not by the neighbours of the machine. Each side brings its own benches, so that memory may lie otherwise.

import { access } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { BATCH_MAX } from "../../assembly/abi/limits.js";
import { loadEngine } from "../../host/load.js";
import { interleave, type Contestant, type Measured } from "../lib/interleave.js";
import type { Report, Timing } from "../lib/report.js";
import type { Settings } from "../lib/settings.js";
import { count } from "../lib/table.js";
import { establish } from "./established.js";
import { TCP } from "./frames.js";
import { OPENED, OpenPath } from "./open.js";
import { hitPath, ROADS } from "./suite.js";
import { World } from "./world.js";

/** A ratio settles with rounds, not with their length. */
const ROUNDS_FACTOR = 3;
/** More flows need more memory than two engines should take at once. */
const FLOWS_MAX = 1_000_000;

/** What one side needs for a road: its engine, its model of the world, its frames. */
interface Side {
  roads: readonly { name: string }[];
  path(road: string, flows: number, settings: Settings): Promise<Contestant | undefined>;
}

type Suite = typeof import("./suite.js");
type Openings = typeof import("./open.js");
type Worlds = typeof import("./world.js");
type Established = typeof import("./established.js");
type Load = typeof import("../../host/load.js");

/** Beside the roads: connections that begin and end next to those that stay. */
const OPENINGS: readonly { name: string; timed: "open" | "expire" }[] = [
  { name: "new connection, mh", timed: "open" },
  { name: "expiry of one", timed: "expire" },
];

interface Parts {
  suite: Pick<Suite, "ROADS" | "hitPath">;
  worlds: Pick<Worlds, "World">;
  established: Pick<Established, "establish">;
  openings: Pick<Openings, "OpenPath" | "OPENED">;
}

function sideOf({ suite, worlds, established, openings }: Parts, module: WebAssembly.Module): Side {
  return {
    roads: [...suite.ROADS, ...OPENINGS],
    async path(name, flows, settings) {
      const opening = OPENINGS.find((one) => one.name === name);
      if (opening !== undefined) {
        const world = await worlds.World.create(module, { family: 4, protocol: TCP, forward: "masq", scheduler: "mh", connections: flows + openings.OPENED });
        established.establish(world, flows);
        return new openings.OpenPath(name, world, flows, BATCH_MAX, opening.timed);
      }
      const road = suite.ROADS.find((one) => one.name === name);
      if (road === undefined) return undefined;
      const world = await worlds.World.create(module, { ...road.plan, connections: flows });
      return suite.hitPath(road, world, established.establish(world, flows), BATCH_MAX, settings.batches);
    },
  };
}

/** The side of another checkout, which must have been built. */
async function otherSide(folder: string): Promise<Side> {
  const at = (...parts: string[]): string => join(folder, "build", ...parts);
  await access(at("engine.wasm")).catch(() => {
    throw new Error(`${folder} has no build/engine.wasm: give the folder of another checkout, and build it there (npm run build)`);
  });
  const from = async <T>(...parts: string[]): Promise<T> => (await import(pathToFileURL(at(...parts)).href)) as T;
  const { loadEngine: load } = await from<Load>("host", "load.js");
  return sideOf({
    suite: await from<Suite>("bench", "path", "suite.js"), worlds: await from<Worlds>("bench", "path", "world.js"),
    established: await from<Established>("bench", "path", "established.js"), openings: await from<Openings>("bench", "path", "open.js"),
  }, await load());
}

async function compare(sides: readonly Side[], road: string, flows: number, settings: Settings): Promise<Measured[] | undefined> {
  const paths: Contestant[] = [];
  for (const side of sides) {
    const path = await side.path(road, flows, settings);
    if (path === undefined) return undefined;
    paths.push(path);
  }
  return interleave(paths, settings.rounds * ROUNDS_FACTOR);
}

/** Every road that both checkouts know. The ratio is of this one's time to the other's. */
export async function benchAgainst(folder: string, settings: Settings): Promise<Report> {
  const own = sideOf({ suite: { ROADS, hitPath }, worlds: { World }, established: { establish }, openings: { OpenPath, OPENED } }, await loadEngine());
  const sides = [await otherSide(folder), own];
  const flowCounts = settings.flows.filter((flows) => flows <= FLOWS_MAX);
  const rows: (string | Timing)[][] = [];
  for (const { name } of own.roads) {
    const row: typeof rows[number] = [name];
    for (const flows of flowCounts) {
      settings.progress(`against ${folder}: ${name}, ${count(flows)} flows`);
      const timing = (await compare(sides, name, flows, settings))?.[1];
      row.push(timing
        ? { medianNs: timing.medianNs, bestNs: timing.bestNs, undisturbedNs: timing.undisturbedNs, ratio: timing.ratio }
        : "");
    }
    rows.push(row);
  }
  return {
    title: "This engine against another",
    notes: [
      `Nanoseconds a packet of this engine, batches of ${BATCH_MAX}: median [undisturbed], then the median over the rounds of its time by that of`,
      `${folder}: less than 1 means that this one is faster. Empty where the other does not know the road.`,
    ],
    tables: [{ head: ["road", ...flowCounts.map((flows) => `${count(flows)} flows`)], rows }],
  };
}
