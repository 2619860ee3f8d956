// What is measured of every director, and by which tools.

import type { Contestant, Kind, Standing } from "../directors/director.js";
import type { Hall, Laboratory } from "../hall.js";
import type { Tool } from "../tools.js";

/** A director in its hall, ready to be measured. */
export interface Site { contestant: Contestant; hall: Hall; standing: Standing }

export interface Round {
  laboratory: Laboratory;
  seconds: number;
  /** Requests a second that "half load" means in this run; the same for every director. */
  halfLoad(): number | undefined;
  signal: AbortSignal;
}

export interface Figure {
  /** As in the table, and in the results' file. */
  name: string;
  unit: string;
  /** What one unit of the table is in the measured unit. */
  scale: number;
  /** True when less is better. */
  isCost: boolean;
}

/** One visit at one director: a value for each figure, and the work done, for the cost of it. */
export interface Sample { values: readonly number[]; work: number }

export interface Measure {
  name: string;
  about: string;
  figures: readonly Figure[];
  /** What processor time is counted by: "M requests", "M packets", "GB". */
  work: string;
  workScale: number;
  tools: readonly Tool[];
  kind: Kind;
  /** Rounds in each repetition, one without it: what varies more is measured more often. */
  rounds?: number;
  run(site: Site, round: Round): Promise<Sample>;
}
