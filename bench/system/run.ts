// The comparison itself: everything is set up once, then every measure visits every director in turn, each
// repetition beginning with another one.

import { summarize, turns } from "../lib/compare.js";
import { describeMachine } from "../lib/machine.js";
import type { Choice } from "./catalog.js";
import { cpuSeconds } from "./cpu.js";
import type { Contestant } from "./directors/director.js";
import { Laboratory } from "./hall.js";
import type { Measure, Round, Site } from "./measures/measure.js";
import { warmUp } from "./measures/web.js";
import type { CostResults, FigureResults, Results } from "./results.js";
import type { Running } from "./running.js";
import { startServers } from "./servers.js";
import { provide, type Tool } from "./tools.js";

export interface Settings {
  choice: Choice;
  seconds: number;
  repetitions: number;
  /** TCP's congestion control; the machine's default without it. */
  congestion?: string | undefined;
  signal: AbortSignal;
  say(text: string): void;
}

const HALF_LOAD_OF = "haproxy";

class Comparison {
  private readonly sites: Site[] = [];
  private readonly figures: FigureResults[];
  private readonly costs: CostResults[];
  private readonly missing: string[] = [];
  private readonly round: Round;

  constructor(private readonly settings: Settings, private readonly laboratory: Laboratory, private readonly measures: readonly Measure[]) {
    const { seconds, signal } = settings;
    this.round = { laboratory, seconds, signal, halfLoad: () => this.halfLoad() };
    this.figures = measures.flatMap((measure) => measure.figures.map((figure) => ({ ...figure, measure: measure.name, series: {} })));
    this.costs = measures.map(({ name, work }) => ({ measure: name, work, series: {} }));
  }

  /** Starts one director and sees that it works; one that does not is left out by name. */
  async add(contestant: Contestant): Promise<void> {
    const { say, signal } = this.settings;
    say(`${contestant.name} ...`);
    const hall = await this.laboratory.addHall();
    let site: Site | undefined;
    try {
      site = { contestant, hall, standing: await contestant.start(hall, this.laboratory) };
      await warmUp(site, this.round);
      this.sites.push(site);
    } catch (error) {
      if (site) await stopAll(site.standing.programs);
      signal.throwIfAborted();
      this.leaveOut(`${contestant.name}: ${(error as Error).message}`);
    }
  }

  leaveOut(text: string): void {
    this.missing.push(text);
    this.settings.say(`left out: ${text}`);
  }

  async measure(repetition: number): Promise<void> {
    for (const measure of this.measures) {
      const { rounds = 1 } = measure;
      for (let round = repetition * rounds; round < (repetition + 1) * rounds; round++) await this.visitAll(measure, round);
    }
  }

  private async visitAll(measure: Measure, round: number): Promise<void> {
    for (const turn of turns(this.sites.length, round)) {
      const site = this.sites[turn] as Site;
      if (site.contestant.takes.includes(measure.kind)) await this.visit(measure, site, round);
    }
  }

  private async visit(measure: Measure, site: Site, round: number): Promise<void> {
    const { name } = site.contestant;
    const pids = site.standing.pids();
    const before = cpuSeconds(pids);
    try {
      const { values, work } = await measure.run(site, this.round);
      const cost = ((cpuSeconds(pids) - before) / work) * measure.workScale;
      this.figuresOf(measure).forEach((figure, index) => note(figure.series, name, round, values[index]));
      if (pids.length > 0) note(this.costOf(measure).series, name, round, cost);
      const shown = this.figuresOf(measure).map(({ scale }, index) => ((values[index] ?? 0) / scale).toFixed(2)).join(" / ");
      this.settings.say(`${String(round + 1).padStart(2)} ${measure.name.padEnd(13)} ${name.padEnd(12)} ${shown}`);
    } catch (error) {
      this.settings.signal.throwIfAborted();
      const ended = site.standing.programs.map((program) => program.failure).find((text) => text !== undefined);
      this.leaveOut(`${name}, ${measure.name}, round ${round + 1}: ${ended ?? (error as Error).message}`);
      this.figuresOf(measure).forEach((figure) => note(figure.series, name, round, undefined));
    }
  }

  private figuresOf(measure: Measure): FigureResults[] {
    return this.figures.filter((figure) => figure.measure === measure.name);
  }

  private costOf(measure: Measure): CostResults {
    return this.costs.find((cost) => cost.measure === measure.name) as CostResults;
  }

  /** Half of what HAProxy did so far, or of the slowest when it is not here. */
  private halfLoad(): number | undefined {
    const series = this.figures.find(({ name }) => name === "requests")?.series ?? {};
    const medians = Object.entries(series).flatMap(([name, values]) => {
      const summary = summarize(values.map((value) => value ?? undefined));
      return summary ? [{ name, median: summary.median }] : [];
    });
    const base = medians.find(({ name }) => name === HALF_LOAD_OF)?.median ?? Math.min(...medians.map(({ median }) => median));
    return Number.isFinite(base) ? base / 2 : undefined;
  }

  results(machine: readonly string[]): Results {
    const { seconds, repetitions } = this.settings;
    const isHalved = this.measures.some(({ name }) => name === "half");
    return {
      machine, congestion: this.laboratory.congestionControl, seconds, repetitions, halfLoad: isHalved ? this.halfLoad() ?? null : null,
      directors: this.sites.map(({ contestant: { name, about } }) => ({ name, about })),
      measures: this.measures.map(({ name, about, rounds = 1 }) => ({ name, about, rounds })),
      figures: this.figures, costs: this.costs, missing: this.missing,
    };
  }

  async stop(): Promise<void> {
    for (const site of this.sites) await stopAll(site.standing.programs);
  }
}

function note(series: Record<string, (number | null)[]>, name: string, repetition: number, value: number | undefined): void {
  (series[name] ??= [])[repetition] = value ?? null;
}

async function stopAll(programs: readonly Running[]): Promise<void> {
  await Promise.all(programs.map((program) => program.stop()));
}

/** Why a director or measure cannot take part, by the tools it needs; undefined when it can. */
function lacks(tools: readonly Tool[], absent: ReadonlyMap<Tool, string>): string | undefined {
  const names = tools.filter((tool) => absent.has(tool)).map((tool) => `${tool} (package ${absent.get(tool)})`);
  return names.length === 0 ? undefined : `not installed: ${names.join(", ")}`;
}

/** Builds the laboratory, measures, and takes everything down again, however it ends. */
export async function compareDirectors(settings: Settings): Promise<Results> {
  const { choice, repetitions, congestion, signal, say } = settings;
  const machine = describeMachine();
  // Every director is asked for a page before it is measured.
  const always: Tool[] = ["setpriv", "wrk", "nginx"];
  const absent = provide([...always, ...choice.contestants.flatMap(({ tools }) => tools), ...choice.measures.flatMap(({ tools }) => tools)], say);
  const base = lacks(always, absent);
  if (base !== undefined) throw new Error(`nothing can be compared without the client and the servers; ${base}`);
  const able = choice.measures.filter(({ tools }) => lacks(tools, absent) === undefined);
  const laboratory = await Laboratory.build(congestion);
  const programs: Running[] = [];
  let comparison: Comparison | undefined;
  try {
    programs.push(...await startServers(laboratory, (tool) => !absent.has(tool)));
    comparison = new Comparison(settings, laboratory, able);
    for (const { name, tools } of [...choice.measures, ...choice.contestants]) {
      const why = lacks(tools, absent);
      if (why !== undefined) comparison.leaveOut(`${name}: ${why}`);
    }
    for (const contestant of choice.contestants) if (lacks(contestant.tools, absent) === undefined) await comparison.add(contestant);
    for (let repetition = 0; repetition < repetitions; repetition++) await comparison.measure(repetition);
    signal.throwIfAborted();
    return comparison.results(machine);
  } finally {
    await comparison?.stop();
    await stopAll(programs);
    await laboratory.close();
  }
}
