// Results as people read them: one table of all figures, one of the goals.

import { ratio, summarize } from "../lib/compare.js";
import { formatTable, type Row } from "../lib/table.js";
import { AUTOMATIC, isOurs, TARGETS, type Target } from "./catalog.js";
import { seriesOf, type CostResults, type FigureResults, type Results } from "./results.js";

/** Ratios are to these, in this order. */
const RIVALS = ["haproxy", "nft", "nft-core"] as const;
const NONE = "-";

function digits(value: number): string {
  return value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0);
}

const shown = (value: number | undefined): string => (value === undefined ? NONE : value.toFixed(2));

function cost(results: Results, figure: FigureResults, director: string): string {
  const summary = summarize(seriesOf(results.costs.find((one) => one.measure === figure.measure), director));
  return summary === undefined ? NONE : digits(summary.median);
}

function figureRows(results: Results, figure: FigureResults): Row[] {
  return results.directors.flatMap(({ name }): Row[] => {
    const own = seriesOf(figure, name);
    const summary = summarize(own);
    if (!summary) return [];
    const best = figure.isCost ? summary.worst : summary.best;
    return [[
      `${figure.name}, ${figure.unit}`, name, digits(summary.median / figure.scale), digits(best / figure.scale),
      ...RIVALS.map((rival) => shown(ratio(own, seriesOf(figure, rival)))), cost(results, figure, name),
    ]];
  });
}

/** All figures of all directors: median, best, and ratios to the rivals of the same run. */
export function figureTable(results: Results): string {
  const head = ["figure", "director", "median", "best", ...RIVALS.map((rival) => `by ${rival}`), "cpu"];
  return formatTable(head, results.figures.flatMap((figure) => figureRows(results, figure)));
}

/** One director's ratio to a goal's rival; undefined when there is nothing to compare. */
function ratioOf(results: Results, target: Target, director: string): number | undefined {
  const figure = results.figures.find(({ name }) => name === target.figure);
  return figure && ratio(seriesOf(figure, director), seriesOf(figure, target.rival));
}

/** The best of our drivers in a figure by a rival; undefined when there is nothing to compare. */
export function bestOfOurs(results: Results, target: Target): { driver: string; ratio: number } | undefined {
  const figure = results.figures.find(({ name }) => name === target.figure);
  if (!figure) return undefined;
  const ratios = results.directors.filter(({ name }) => isOurs(name)).flatMap(({ name }) => {
    const found = ratioOf(results, target, name);
    return found === undefined ? [] : [{ driver: name, ratio: found }];
  });
  return ratios.sort((a, b) => (figure.isCost ? a.ratio - b.ratio : b.ratio - a.ratio))[0];
}

/** The goals and how far they are reached. */
export function targetTable(results: Results): string {
  const rows = TARGETS.flatMap((target): Row[] => {
    const found = bestOfOurs(results, target);
    if (!found) return [];
    const isCost = results.figures.find(({ name }) => name === target.figure)?.isCost === true;
    const reached = Math.round(found.ratio * 100) / 100; // what is shown is what counts
    const isMet = isCost ? reached <= target.ratio : reached >= target.ratio;
    const goal = `${isCost ? "<=" : ">="} ${target.ratio.toFixed(1)}`;
    const automatic = shown(ratioOf(results, target, AUTOMATIC));
    return [[`${target.figure} by ${target.rival}`, goal, reached.toFixed(2), found.driver, isMet ? "yes" : "no", automatic]];
  });
  return rows.length === 0 ? "" : formatTable(["ratio", "goal", "reached", "by", "met", AUTOMATIC], rows);
}

function costLegend(costs: readonly CostResults[]): string {
  const works = [...new Set(costs.map(({ work }) => work))];
  return `cpu: processor seconds of the director's own processes or kernel threads for each ${works.join(", ")} (as the row is).`;
}

/** What was measured oftener than the others. */
function oftener({ repetitions, measures, figures }: Results): string {
  return measures.filter(({ rounds = 1 }) => rounds > 1).map(({ name, rounds = 1 }) => {
    const names = figures.filter(({ measure }) => measure === name).map((figure) => figure.name);
    return `, ${repetitions * rounds} of ${names.join(" and ")}`;
  }).join("");
}

/** Everything a reader needs, as Markdown. */
export function report(results: Results): string {
  const parts = [
    results.machine.join("\n"),
    `- ${results.repetitions} interleaved repetitions of ${results.seconds} s for each figure${oftener(results)}`
      + (results.halfLoad === null ? "" : `; half load: about ${Math.round(results.halfLoad)} requests/s`),
    ...(results.congestion === undefined ? [] : [`- TCP's congestion control: ${results.congestion}`]),
    ...results.missing.map((line) => `- left out: ${line}`),
  ];
  const targets = targetTable(results);
  return [
    parts.join("\n"),
    results.directors.map(({ name, about }) => `- \`${name}\`: ${about}`).join("\n"),
    figureTable(results),
    costLegend(results.costs),
    ...(targets === "" ? [] : [targets]),
  ].join("\n\n");
}
