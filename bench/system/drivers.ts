// npm run bench:drivers: the drivers side by side. Each has a laboratory of its own; they take turns, so
// that whatever else the machine does meets all of them. Look at the ratios, not at the figures.

import meow from "meow";
import { lackingXdp } from "../../host/lab/cable.js";
import { canBuild, followOutside, runInside } from "../../host/lab/capability.js";
import { median } from "../lib/statistics.js";
import type { Order } from "./peer.js";
import { Site, type Figure, type Way } from "./site.js";

const TAP: Way = { name: "tap", driver: "tap", attach: "tap" };
/** The second tap is the control: as far as its ratio is from 1, so far is any ratio from the truth. */
const WAYS: readonly Way[] = [
  TAP,
  { name: "uring", driver: "uring", attach: "tap" },
  { name: "afxdp", driver: "auto", attach: "xdp" },
  { name: "afxdp+socket", driver: "auto", attach: "nic" },
  TAP,
];
const NAME_WIDTH = Math.max(...WAYS.map(({ name }) => name.length));
interface Case { name: string; kind: Order["kind"]; sockets: number; unit: string; scale: number }
const CASES: readonly Case[] = [
  { name: "round trips, 64 connections", kind: "requests", sockets: 64, unit: "1000/s", scale: 1e3 },
  { name: "round trips, 1 connection", kind: "requests", sockets: 1, unit: "1000/s", scale: 1e3 },
  { name: "connections, 32 at a time", kind: "connections", sockets: 32, unit: "1000/s", scale: 1e3 },
  { name: "bulk to the client", kind: "down", sockets: 2, unit: "Gbit/s", scale: 1e9 / 8 },
  { name: "bulk to the server", kind: "up", sockets: 2, unit: "Gbit/s", scale: 1e9 / 8 },
];
const FOR_MS_MAX = 60_000;
const REPETITIONS_MAX = 100;

const cli = meow(`
  Usage
    $ npm run bench:drivers -- [--repetitions 9] [--ms 500]
`, {
  importMeta: import.meta,
  allowUnknownFlags: false,
  flags: { repetitions: { type: "number", default: 9 }, ms: { type: "number", default: 500 } },
});

/** Each repetition measures every site once, each time beginning with another one. */
async function compare(sites: readonly Site[], one: Case, repetitions: number, forMs: number): Promise<Figure[][]> {
  const figures: Figure[][] = sites.map(() => []);
  for (let repetition = 0; repetition < repetitions; repetition++) {
    const order = sites.map((_, index) => (index + repetition) % sites.length);
    for (const index of order) figures[index]?.push(await (sites[index] as Site).measure(one.kind, one.sockets, forMs));
  }
  return figures;
}

function print(sites: readonly Site[], one: Case, figures: readonly Figure[][]): void {
  const base = figures[0] ?? [];
  sites.forEach((site, index) => {
    const own = figures[index] ?? [];
    const ratio = median(own.map((figure, repetition) => figure.perSecond / (base[repetition]?.perSecond ?? 1)));
    const cpu = median(own.map((figure, repetition) => figure.cpuSecondsPerMillion / (base[repetition]?.cpuSecondsPerMillion ?? 1)));
    const failures = own.reduce((sum, figure) => sum + figure.failures, 0);
    const rate = (median(own.map((figure) => figure.perSecond)) / one.scale).toFixed(2);
    const best = (Math.max(...own.map((figure) => figure.perSecond)) / one.scale).toFixed(2);
    process.stdout.write(`${one.name.padEnd(28)} ${site.name.padEnd(NAME_WIDTH)} ${rate.padStart(8)} ${best.padStart(8)} ${one.unit.padEnd(7)}`
      + ` ${ratio.toFixed(2).padStart(6)} ${cpu.toFixed(2).padStart(6)} ${String(failures).padStart(8)}\n`);
  });
}

async function run(repetitions: number, forMs: number): Promise<void> {
  const sites: Site[] = [];
  try {
    const lacks = lackingXdp();
    if (lacks !== false) process.stdout.write(`without afxdp: ${lacks}\n`);
    for (const way of WAYS) if (lacks === false || way.attach === "tap") sites.push(await Site.open(way));
    for (const site of sites) for (const one of CASES) await site.measure(one.kind, one.sockets, 300); // warm
    process.stdout.write(`${"".padEnd(28)} ${"driver".padEnd(NAME_WIDTH)} ${"median".padStart(8)} ${"best".padStart(8)} ${"".padEnd(7)}`
      + ` ${"ratio".padStart(6)} ${"cpu".padStart(6)} ${"failures".padStart(8)}\n`);
    for (const one of CASES) print(sites, one, await compare(sites, one, repetitions, forMs));
    process.stdout.write("ratio, cpu: medians over the repetitions, to the first tap; the second shows the noise.\n"
      + "cpu is the director's own time for each round trip or byte: trust it more than the rate.\n");
  } finally {
    for (const site of sites) await site.close();
  }
}

followOutside();
const { repetitions, ms } = cli.flags;
if (!(repetitions >= 1 && repetitions <= REPETITIONS_MAX && ms >= 100 && ms <= FOR_MS_MAX)) {
  process.stderr.write(`repetitions: 1 to ${REPETITIONS_MAX}; ms: 100 to ${FOR_MS_MAX}\n`);
  process.exit(2);
}
const capability = canBuild();
if (!capability.ok) {
  process.stderr.write(`the drivers cannot be compared here: ${capability.why}\n`);
  process.exitCode = 1;
} else if (capability.needsUserNamespace) {
  process.exitCode = await runInside(process.argv.slice(1), "empty");
} else {
  await run(repetitions, ms);
}
