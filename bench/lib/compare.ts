// Figures of several contestants from one interleaved run: medians, and ratios taken inside each repetition,
// where both met the same neighbours.

import { median } from "./statistics.js";

/** What one contestant reached, by repetition; undefined where that repetition failed. */
export type Series = readonly (number | undefined)[];

export interface Summary { median: number; best: number; worst: number; count: number }

function known(series: Series): number[] {
  return series.filter((value): value is number => value !== undefined && Number.isFinite(value));
}

/** Median and extremes of what succeeded; undefined when nothing did. */
export function summarize(series: Series): Summary | undefined {
  const values = known(series);
  if (values.length === 0) return undefined;
  return { median: median(values), best: Math.max(...values), worst: Math.min(...values), count: values.length };
}

/** Median of own/other over the repetitions in which both succeeded; undefined when there is none. */
export function ratio(own: Series, other: Series): number | undefined {
  const ratios = own.flatMap((value, repetition) => {
    const base = other[repetition];
    return value === undefined || base === undefined || base === 0 ? [] : [value / base];
  });
  return ratios.length === 0 ? undefined : median(ratios);
}

/** The places of `count` contestants in one repetition: each repetition begins with another one. */
export function turns(count: number, repetition: number): number[] {
  return Array.from({ length: count }, (_, turn) => (repetition + turn) % count);
}
