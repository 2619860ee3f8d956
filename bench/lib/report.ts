// What a part of the benches answers: numbers in tables. They are kept as JSON, one file for each part, and
// bench/RESULTS.md is written from those files alone.

import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { formatTable, nanoseconds } from "./table.js";

/** What was measured: nanoseconds for one unit, and its ratio to the table's first row where rows took turns. */
export interface Timing {
  medianNs: number;
  bestNs: number;
  /** The median of what nobody disturbed, where that was measured; null or NaN when somebody always did. */
  undisturbedNs?: number | null | undefined;
  ratio?: number;
}

export type Cell = string | number | Timing;

export interface Table {
  head: readonly string[];
  /** The first cell names the row. */
  rows: readonly (readonly Cell[])[];
}

export interface Report {
  title: string;
  notes: readonly string[];
  tables: readonly Table[];
}

interface Stored extends Report {
  /** One line for each thing that the figures depend on. */
  machine: readonly string[];
}

const RESULTS = new URL("../../../bench/results/", import.meta.url);
const SUMMARY = new URL("../../../bench/RESULTS.md", import.meta.url);
/** Comparisons of whole directors are kept beside them, in their own form (bench/system/results.ts). */
const SYSTEM = "system-";
/** The order of the parts in RESULTS.md; others follow by name. */
const ORDER = ["path", "open", "rival", "workers", "micro"];

function formatCell(cell: Cell): string {
  if (typeof cell !== "object") return String(cell);
  const time = nanoseconds(cell.medianNs, cell.undisturbedNs === undefined ? cell.bestNs : cell.undisturbedNs ?? NaN);
  return cell.ratio === undefined ? time : `${time} ${cell.ratio.toFixed(2)}x`;
}

/** A report as people read it, on a terminal and in Markdown alike. */
export function formatReport(report: Report): string {
  const tables = report.tables.map(({ head, rows }) => formatTable(head, rows.map((row) => row.map(formatCell))));
  return [`## ${report.title}`, report.notes.join("\n"), ...tables].filter((text) => text !== "").join("\n\n");
}

/** Keeps a part's report, and writes bench/RESULTS.md anew from everything that is kept. */
export async function keepReport(part: string, machine: readonly string[], report: Report): Promise<void> {
  await mkdir(RESULTS, { recursive: true });
  const stored: Stored = { machine, ...report };
  await writeFile(new URL(`${part}.json`, RESULTS), `${JSON.stringify(stored, rounded, 1)}\n`);
  await summarize();
}

/** Hundredths are more than any of it is true to. */
function rounded(_key: string, value: unknown): unknown {
  return typeof value === "number" ? Math.round(value * 100) / 100 : value;
}

async function summarize(): Promise<void> {
  const rank = (name: string): number => (ORDER.includes(name) ? ORDER.indexOf(name) : ORDER.length);
  const names = (await readdir(RESULTS)).filter((name) => name.endsWith(".json") && !name.startsWith(SYSTEM)).map((name) => name.slice(0, -".json".length));
  names.sort((a, b) => rank(a) - rank(b) || a.localeCompare(b));
  const sections = await Promise.all(names.map(async (name) => {
    const stored = JSON.parse(await readFile(new URL(`${name}.json`, RESULTS), "utf8")) as Stored;
    return `${formatReport(stored)}\n\n${stored.machine.join("\n")}\n`;
  }));
  const head = "# Results of `npm run bench`\n\n"
    + "Written by the benches from bench/results/*.json (`npm run bench -- --save`); docs/PERFORMANCE.md explains them.";
  await writeFile(SUMMARY, `${head}\n\n${sections.join("\n")}`);
}
