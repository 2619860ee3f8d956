// Requests and connections, by wrk: one thread, against nginx on the real servers.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { readWrk, type WrkReport } from "../../lib/wrk.js";
import { WEB_PORT } from "../hall.js";
import { output } from "../running.js";
import type { Measure, Round, Site } from "./measure.js";

const MANY = 64;
const TIMEOUT_SECONDS = 2;
/** Below this an average pause would be shorter than wrk's clock of milliseconds can make it. */
const PAUSE_MS_MIN = 1;
/** A director needs some time until it listens. */
const TRIES = 20;
const TRY_AGAIN_MS = 250;

async function wrk(site: Site, round: Round, connections: number, words: readonly string[] = [], seconds = round.seconds): Promise<WrkReport> {
  const url = `http://${site.hall.virtual}:${WEB_PORT}/`;
  const all = ["wrk", "-t1", `-c${connections}`, `-d${seconds}s`, "--timeout", `${TIMEOUT_SECONDS}s`, "--latency", ...words, url];
  const report = readWrk(await output(round.laboratory.client, all, seconds * 1000 + TIMEOUT_SECONDS * 1000, round.signal));
  if (report.requests === 0) throw new Error("not one request was answered");
  if (report.failures > report.requests / 100) throw new Error(`${report.failures} of ${report.requests} requests failed`);
  return report;
}

/** Requests until the director works and has warmed up; throws when it does not answer in the end. */
export async function warmUp(site: Site, round: Round): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      await wrk(site, round, MANY, [], 1);
      break;
    } catch (error) {
      if (tries === TRIES || round.signal.aborted) throw error;
      await pause(TRY_AGAIN_MS, undefined, { signal: round.signal });
    }
  }
  await wrk(site, round, MANY, ["-H", "Connection: close"], 1);
}

/** The script that makes wrk pause between requests, so that the rate is about the one asked for. */
function paced(round: Round, perSecond: number): string {
  const pauseMs = Math.max(PAUSE_MS_MIN, Math.round((MANY / perSecond) * 1000));
  const path = join(round.laboratory.folder, "paced.lua");
  writeFileSync(path, `function delay() return math.random(0, ${2 * pauseMs}) end\n`);
  return path;
}

const perSecond = (name: string): Measure["figures"][number] => ({ name, unit: "1000/s", scale: 1e3, isCost: false });
const micros = (name: string): Measure["figures"][number] => ({ name, unit: "us", scale: 1, isCost: true });
const web = { work: "million requests", workScale: 1e6, tools: ["wrk", "nginx"], kind: "streams" } as const;

export const requests: Measure = {
  ...web, name: "requests", about: `GET over ${MANY} connections that stay open`, figures: [perSecond("requests")],
  run: async (site, round) => {
    const report = await wrk(site, round, MANY);
    return { values: [report.perSecond], work: report.requests };
  },
};

export const connections: Measure = {
  ...web, name: "connections", about: `a new connection for each GET, ${MANY} at a time`, figures: [perSecond("connections")],
  work: "million connections",
  run: async (site, round) => {
    const report = await wrk(site, round, MANY, ["-H", "Connection: close"]);
    return { values: [report.perSecond], work: report.requests };
  },
};

export const low: Measure = {
  ...web, name: "low", about: "one connection, one request after the other", figures: [micros("p50, low load"), micros("p99, low load")],
  run: async (site, round) => {
    const report = await wrk(site, round, 1);
    return { values: [report.p50Us, report.p99Us], work: report.requests };
  },
};

export const half: Measure = {
  ...web, name: "half", about: `${MANY} connections that pause, at half the load`, figures: [micros("p50, half load"), micros("p99, half load")],
  run: async (site, round) => {
    const load = round.halfLoad();
    if (load === undefined) throw new Error("half of what is not known: it is measured together with requests");
    const report = await wrk(site, round, MANY, ["-s", paced(round, load)]);
    return { values: [report.p50Us, report.p99Us], work: report.requests };
  },
};
