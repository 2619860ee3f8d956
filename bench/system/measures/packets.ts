// Packets a second: a flood of datagrams from one core, counted where the real servers receive them. The
// director's programs get another core for it, as far as there is one.

import { spawnSync } from "node:child_process";
import { cpus } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Namespace } from "../../../host/lab/namespace.js";
import { FLOOD_PORT, peerDevice, type Hall } from "../hall.js";
import { output } from "../running.js";
import type { Measure, Round, Site } from "./measure.js";

const SOURCE = fileURLToPath(new URL("../../../../bench/system/flood.c", import.meta.url));
const FLOWS = 64;
/** Ethernet's own, which nobody here sees. */
const CHECKSUM_BYTES = 4;
const DRAIN_MS = 100;
const GENERATOR_CORE = "0";

/** Compiles the generator into the laboratory's folder, once. */
function compile(folder: string): string {
  const program = join(folder, "flood");
  const done = spawnSync("gcc", ["-O2", "-Wall", "-Wextra", "-Werror", "-o", program, SOURCE], { encoding: "utf8" });
  if (done.status !== 0) throw new Error(`gcc: ${done.stderr}`);
  return program;
}

const programs = new Map<string, string>();
function generator(folder: string): string {
  const known = programs.get(folder) ?? compile(folder);
  programs.set(folder, known);
  return known;
}

/** Frames a device has received since it exists. */
function received(namespace: Namespace, device: string): number {
  const [link] = JSON.parse(namespace.show(["-s", "-j", "link", "show", "dev", device])) as { stats64: { rx: { packets: number } } }[];
  return link?.stats64.rx.packets ?? 0;
}

function targetMac(client: Namespace, hall: Hall): string {
  const mac = /lladdr ([0-9a-f:]{17})/.exec(client.show(["neigh", "show", hall.virtual, "dev", peerDevice(hall)]))?.[1];
  if (mac === undefined) throw new Error(`the client does not know the hardware address of ${hall.virtual}`);
  return mac;
}

function bind(pids: readonly number[], cores: string): void {
  for (const pid of pids) spawnSync("taskset", ["-apc", cores, String(pid)], { stdio: "ignore" });
}

async function flood(site: Site, { laboratory, seconds, signal }: Round, bytes: number): Promise<{ perSecond: number; frames: number }> {
  const { hall } = site;
  const count = (): number => laboratory.servers.reduce((sum, server) => sum + received(server, peerDevice(hall)), 0);
  const words = [peerDevice(hall), targetMac(laboratory.client, hall), hall.clientAddress, hall.virtual,
    String(FLOOD_PORT), String(bytes), String(FLOWS), String(seconds * 1000)];
  const before = count();
  const answer = await output(laboratory.client, ["taskset", "-c", GENERATOR_CORE, generator(laboratory.folder), ...words], seconds * 1000, signal);
  await new Promise((resolve) => setTimeout(resolve, DRAIN_MS));
  const frames = count() - before;
  return { perSecond: (frames * 1e9) / Number(answer.split(" ")[1]), frames };
}

function packets(name: string, figure: string, bytes: number): Measure {
  const last = cpus().length - 1;
  return {
    name, about: `${FLOWS} flows of UDP, frames of ${bytes + CHECKSUM_BYTES} bytes, what the servers received`,
    figures: [{ name: figure, unit: "1000/s", scale: 1e3, isCost: false }], work: "million packets", workScale: 1e6,
    tools: ["gcc", "headers", "taskset", "nginx", "wrk"], kind: "packets",
    run: async (site, round) => {
      const own = site.standing.programs.map((program) => program.pid);
      bind(own, String(last));
      try {
        const { perSecond, frames } = await flood(site, round, bytes);
        if (frames === 0) throw new Error("no packet arrived");
        return { values: [perSecond], work: frames };
      } finally {
        bind(own, `0-${last}`);
      }
    },
  };
}

export const small = packets("packets-64", "packets of 64 bytes", 60);
export const large = packets("packets-1500", "packets of 1500 bytes", 1514);
