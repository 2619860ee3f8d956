// Who is compared, and by what. A new driver or rival is one entry here.

import type { Contestant } from "./directors/director.js";
import { nft, nftThreads } from "./directors/kernel.js";
import { lvsAuto, lvsNic, lvsNicTap, lvsTap, lvsUring, lvsXdp, lvsXdpThreads } from "./directors/lvs.js";
import { haproxy, nginx, node } from "./directors/proxies.js";
import { down, up } from "./measures/bulk.js";
import type { Measure } from "./measures/measure.js";
import { large, small } from "./measures/packets.js";
import { connections, half, low, requests } from "./measures/web.js";

export const CONTESTANTS: readonly Contestant[] = [lvsAuto, lvsTap, lvsUring, lvsNicTap, lvsNic, lvsXdp, lvsXdpThreads, nft, nftThreads, haproxy, nginx, node];
/** `half` comes after `requests`, from which it takes its load. */
export const MEASURES: readonly Measure[] = [requests, connections, up, down, small, large, low, half];

/** A goal: the best of our drivers by a rival, in one figure. */
export interface Target { figure: string; rival: string; ratio: number }

export const TARGETS: readonly Target[] = [
  { figure: "requests", rival: haproxy.name, ratio: 1.1 },
  { figure: "connections", rival: haproxy.name, ratio: 1.2 },
  { figure: "bulk to the server", rival: haproxy.name, ratio: 1.6 },
  { figure: "bulk to the client", rival: haproxy.name, ratio: 1.6 },
  { figure: "p99, low load", rival: haproxy.name, ratio: 1.0 },
  { figure: "requests", rival: nft.name, ratio: 0.9 },
  { figure: "connections", rival: nft.name, ratio: 1.0 },
  { figure: "bulk to the server", rival: nft.name, ratio: 0.8 },
  { figure: "bulk to the client", rival: nft.name, ratio: 0.8 },
  { figure: "packets of 64 bytes", rival: nftThreads.name, ratio: 0.8 },
];

/** The one of ours that chooses for itself. */
export const AUTOMATIC = lvsAuto.name;

/** Our own rows of the table. */
export const isOurs = (name: string): boolean => name.startsWith("lvs-");

export interface Choice { contestants: readonly Contestant[]; measures: readonly Measure[] }

/** Reads "--only a,b,c": names of directors and measures; all of a kind of which none is named. Throws on a name unknown. */
export function choose(only: string | undefined): Choice {
  const names = (only ?? "").split(",").map((name) => name.trim()).filter((name) => name !== "");
  const contestants = CONTESTANTS.filter(({ name }) => names.includes(name));
  const measures = MEASURES.filter(({ name }) => names.includes(name));
  const unknown = names.filter((name) => ![...contestants, ...measures].some((one) => one.name === name));
  if (unknown.length > 0) {
    const all = [...CONTESTANTS, ...MEASURES].map(({ name }) => name).join(", ");
    throw new RangeError(`there is no ${unknown.map((name) => `"${name}"`).join(", no ")}; there are: ${all}`);
  }
  return {
    contestants: contestants.length > 0 ? contestants : CONTESTANTS,
    measures: measures.length > 0 ? measures : MEASURES,
  };
}
