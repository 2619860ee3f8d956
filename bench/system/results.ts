// What a run of the comparison found: kept as it is, so that tables can be made of it again.

import type { Series } from "../lib/compare.js";

export interface FigureResults {
  name: string;
  unit: string;
  scale: number;
  isCost: boolean;
  measure: string;
  /** By director: what each repetition reached, null where it failed. */
  series: Record<string, (number | null)[]>;
}

export interface CostResults {
  measure: string;
  /** What the processor seconds are for, as "million requests". */
  work: string;
  series: Record<string, (number | null)[]>;
}

export interface Results {
  machine: readonly string[];
  /** TCP's, by which everybody sent; older results do not say it. */
  congestion?: string;
  seconds: number;
  repetitions: number;
  directors: { name: string; about: string }[];
  /** How many rounds each repetition had; one where it is not said. */
  measures: { name: string; about: string; rounds?: number }[];
  /** Requests a second of the half load. */
  halfLoad: number | null;
  figures: FigureResults[];
  costs: CostResults[];
  /** What was left out, and why. */
  missing: string[];
}

/** A director's series of a figure or cost, for computing with. */
export function seriesOf(results: { series: Record<string, (number | null)[]> } | undefined, director: string): Series {
  return (results?.series[director] ?? []).map((value) => value ?? undefined);
}
