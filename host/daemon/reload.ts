// SIGHUP: the configuration file is read again, and the difference to the running director applied.

import type { Config, PortConfig } from "../config/config.js";
import { ConfigError } from "../config/locator.js";
import { applyMarks, applyNetwork, applyRules } from "../config/apply.js";
import { NO_NAMES, type Names } from "../cli/context.js";
import { readSetting } from "../cli/sysctls.js";
import { planTable } from "./plan.js";
import { EngineDirector } from "../engine/director.js";
import { Engine, type Performer } from "../engine/engine.js";
import { Records } from "../engine/records.js";
import {
  addLocal, addNeighbor, addRoute, announce, deleteLocal, deleteNeighbor, deleteRoute, setHelperPorts, setSysctl, startDaemon, stopDaemon,
} from "../engine/requests.js";
import { DEFENCES, SYSCTLS } from "../engine/names.js";
import type { Director, Table } from "../protocol.js";

const SCRATCH_BITS = 8;

/** What a configuration describes: the table, and every setting, those included that it does not name. */
export interface Wanted { table: Table; sysctls: Record<string, number | string> }

/** From an engine that only exists for this. Throws a ConfigError. */
export async function wantedOf(module: WebAssembly.Module, config: Config, names: Names = NO_NAMES): Promise<Wanted> {
  const engine = await Engine.create({ module, bucketBits: SCRATCH_BITS });
  const records = new Records(engine.memory);
  const director = new EngineDirector(engine, records, {
    version: "check", ports: () => [], defaultForward: config.defaultForward, startedMs: Date.now(),
  });
  await applyNetwork(engine, config);
  await applyRules(director, config.rules, names);
  return { table: records.table(), sysctls: records.sysctls() };
}

const sameDevice = (a: PortConfig, b: PortConfig): boolean =>
  a.name === b.name && a.device === b.device && (a.xdp !== undefined || a.mac === b.mac) && a.mtu === b.mtu && a.isHost === b.isHost && a.isNic === b.isNic
  && a.namespacePath === b.namespacePath && a.peerMac === b.peerMac && JSON.stringify(a.xdp) === JSON.stringify(b.xdp);

/** What a running director cannot take over; empty when everything can be applied. */
export function needsRestart(before: Config, after: Config): string[] {
  const reasons: string[] = [];
  if (before.tableBits !== after.tableBits) reasons.push("table-bits");
  if (before.socketPath !== after.socketPath) reasons.push("control-socket");
  if (before.transparent.join() !== after.transparent.join()) reasons.push("transparent");
  if (before.driver !== after.driver) reasons.push("driver");
  if (before.workers !== after.workers) reasons.push("workers");
  const ports = before.ports.length === after.ports.length && before.ports.every((port, index) => sameDevice(port, after.ports[index] as PortConfig));
  if (!ports) reasons.push("ports (devices, hardware addresses, MTU)");
  return reasons;
}

/** Applies the difference; answers in words what was changed. */
export async function reload(engine: Performer, director: Director, before: Config, after: Config, wanted: Wanted): Promise<string[]> {
  const changes: string[] = [];
  const step = async (what: string, code: number | Promise<number>): Promise<void> => {
    if ((await code) < 0) throw new ConfigError([`${after.file}: the engine refuses: ${what}`]);
    changes.push(what);
  };
  await reloadNetwork(engine, before, after, step);
  if (JSON.stringify(before.marks) !== JSON.stringify(after.marks)) await step("marks", applyMarks(engine, after));
  if (before.ftpPorts.join() !== after.ftpPorts.join()) await step(`ftp-ports = ${after.ftpPorts.join(", ")}`, setHelperPorts(engine, after.ftpPorts));
  const running = await director.request({ do: "sysctls" });
  if (!running.ok) throw new ConfigError([`${after.file}: the running settings cannot be read`]);
  for (const [name, value] of changedSettings(running.value, wanted.sysctls)) {
    const sysctl = SYSCTLS.get(name);
    if (sysctl !== undefined) await step(`sysctl ${name} = ${value.join(" ")}`, setSysctl(engine, sysctl, value[0] ?? 0, value[1]));
  }
  await reloadDaemons(engine, before, after, step);
  const current = await director.request({ do: "table" });
  if (!current.ok) throw new ConfigError([`${after.file}: the running table cannot be read`]);
  for (const request of planTable(current.value, wanted.table)) {
    const reply = await director.request(request);
    if (!reply.ok) throw new ConfigError([`${after.file}: ${request.do}: ${reply.detail ?? reply.error}`]);
    changes.push(request.do);
  }
  return changes;
}

type Step = (what: string, code: number | Promise<number>) => Promise<void>;

/** What is in one list and not in the other. */
function missing<T>(from: readonly T[], inThe: readonly T[]): T[] {
  const known = new Set(inThe.map((one) => JSON.stringify(one)));
  return from.filter((one) => !known.has(JSON.stringify(one)));
}

/** Settings that are not what the file says, or else their default, whether the file or `lvsadm` made them so. */
function changedSettings(running: Wanted["sysctls"], wanted: Wanted["sysctls"]): [string, number[]][] {
  return Object.entries(wanted).filter(([name, value]) => asWritten(name, running[name]) !== asWritten(name, value))
    .map(([name, value]) => [name, readSetting(name, String(value)) ?? []]);
}

/** What an operator has set where the engine may have moved it since. */
function asWritten(name: string, value: number | string | undefined): number | string | undefined {
  return DEFENCES.has(name) && value === 2 ? 1 : value;
}

/** Whoever was started or stopped by hand meanwhile is no obstacle. */
async function reloadDaemons(engine: Performer, before: Config, after: Config, step: Step): Promise<void> {
  for (const { spec } of missing(before.daemons, after.daemons)) {
    if ((await stopDaemon(engine, spec.role)) >= 0) await step(`sync ${spec.role} stopped`, 0);
  }
  for (const { spec, port } of missing(after.daemons, before.daemons)) {
    await stopDaemon(engine, spec.role);
    await step(`sync ${spec.role} started`, startDaemon(engine, spec, port));
  }
}

async function reloadNetwork(engine: Performer, before: Config, after: Config, step: Step): Promise<void> {
  const addresses = (config: Config): { port: number; address: string }[] =>
    config.ports.flatMap((port) => port.addresses.map((address) => ({ port: port.index, address })));
  // A route that only leads elsewhere is written over, so that there is always one.
  const left = missing(before.routes, after.routes).filter((one) => !after.routes.some(({ to }) => to === one.to));
  for (const one of left) await step(`route ${one.to} removed`, deleteRoute(engine, one.port, one.to));
  for (const one of missing(before.neighbors, after.neighbors)) await step(`neighbour ${one.address} removed`, deleteNeighbor(engine, one.port, one.address));
  for (const one of missing(addresses(before), addresses(after))) await step(`address ${one.address} removed`, deleteLocal(engine, one.port, one.address));
  const added = missing(addresses(after), addresses(before));
  for (const one of added) await step(`address ${one.address} added`, addLocal(engine, one.port, one.address));
  for (const port of new Set(added.map((one) => one.port))) await announce(engine, port);
  for (const { port, address, mac } of missing(after.neighbors, before.neighbors)) {
    await step(`neighbour ${address} added`, addNeighbor(engine, port, address, mac));
  }
  for (const one of missing(after.routes, before.routes)) await step(`route ${one.to} added`, addRoute(engine, one.port, one.to, one.via));
}
