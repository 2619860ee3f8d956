// The engine against others on the same frames: one interleaved run for each number of flows.

import { CONTROL_BASE, CONTROL_GROUP, CONTROL_LONG_ROAD } from "../../assembly/abi/layout.js";
import { BATCH_MAX, GROUP_MAX } from "../../assembly/abi/limits.js";
import { interleave, type Contestant, type Measured } from "../lib/interleave.js";
import type { Report, Table, Timing } from "../lib/report.js";
import type { Settings } from "../lib/settings.js";
import { count } from "../lib/table.js";
import { clientTemplate, establish } from "../path/established.js";
import { ACK } from "../path/frames.js";
import { HitPath } from "../path/hit.js";
import { ROADS, type Road } from "../path/suite.js";
import { OUTSIDE, World } from "../path/world.js";
import { NaiveRival } from "./naive.js";
import { compileRival, NativeRival, type Library } from "./native.js";
import { TypedRival } from "./typed.js";

type Receive = (count: number, nowMs: number) => number;

/** Batches of a round for the slow ones. */
const FEW = 12;

type Columns = Map<string, Timing>[];

/** The engine and its rivals on one road; `all` of them, or those in C that work as the engine does. */
async function compare(
  module: WebAssembly.Module, library: Library | undefined, road: Road, all: boolean, flows: number, settings: Settings,
): Promise<Map<string, Timing>> {
  const world = await World.create(module, { ...road.plan, connections: flows });
  const servers = establish(world, flows);
  const templates = [clientTemplate(world, ACK)];
  const path = (name: string, batches: number, receive: Receive): Contestant =>
    new HitPath({ name, world, servers, templates, from: OUTSIDE, batchFrames: BATCH_MAX, batches, expected: road.expected, receive });
  const grouped = (group: number): Receive => (frames, nowMs) => {
    world.engine.view.setUint32(CONTROL_BASE + CONTROL_GROUP, group, true);
    return world.engine.receive(frames, nowMs);
  };
  const byLongRoad: Receive = (frames, nowMs) => {
    world.engine.view.setUint32(CONTROL_BASE + CONTROL_LONG_ROAD, 1, true);
    const sent = grouped(GROUP_MAX)(frames, nowMs);
    world.engine.view.setUint32(CONTROL_BASE + CONTROL_LONG_ROAD, 0, true);
    return sent;
  };
  const natives = library ? (all ? [true, false] : [true]).map((staged) => new NativeRival(library, world, servers, staged)) : [];
  const contestants = [
    path("the engine", settings.batches, grouped(GROUP_MAX)),
    ...natives.map((native, index) => path(index === 0 ? "C, staged alike" : "C, a frame at a time", settings.batches, native.receive)),
  ];
  if (all) {
    contestants.push(
      path("the engine, a frame at a time", settings.batches, grouped(1)),
      path("the engine, the long road", settings.batches, byLongRoad),
      path("JavaScript, typed arrays", settings.batches, new TypedRival(world, servers).receive),
      path("naive JavaScript", FEW, new NaiveRival(world, servers).receive),
    );
  }
  const found = new Map(interleave(contestants, settings.rounds).map(({ name, ...timing }: Measured) => [name, timing]));
  for (const native of natives) native.close();
  return found;
}

function tableOf(title: string, columns: Columns, settings: Settings): Table {
  const names = [...(columns[0]?.keys() ?? [])];
  return {
    head: [title, ...settings.flows.map((flows) => `${count(flows)} flows`)],
    rows: names.map((name) => [name, ...columns.map((column) => column.get(name) ?? "")]),
  };
}

export async function benchRivals(module: WebAssembly.Module, settings: Settings): Promise<Report> {
  const library = await compileRival();
  const tables: Table[] = [];
  for (const name of ["NAT in", "DR", "TUN, IPIP"]) {
    const road = ROADS.find((one) => one.name === name);
    if (road === undefined) throw new Error(`there is no road "${name}"`);
    const columns: Columns = [];
    for (const flows of settings.flows) {
      settings.progress(`rivals: ${name}, ${count(flows)} flows`);
      columns.push(await compare(module, library, road, name === "NAT in", flows, settings));
    }
    tables.push(tableOf(name, columns, settings));
  }
  return {
    title: "The same roads elsewhere",
    notes: [
      "Nanoseconds a packet, batches of 256: median [undisturbed], then the median ratio to the engine of the same run.",
      "All work on the same frames in the same lists, and what each sends is compared byte by byte with the same expectation.",
      ...(library ? [] : ["The rival in C is missing: there is no gcc here."]),
    ],
    tables,
  };
}
