// Comparisons on a machine that others use too: all contestants take turns in one run, and a ratio is
// taken within a round, where all of them met the same neighbours.

import { letCompile } from "./compile.js";
import { best, median } from "./statistics.js";

export interface Contestant {
  name: string;
  /** Does one round; answers nanoseconds for one unit of its work. */
  round(): number;
  /** Is warm now: forgets the samples that undisturbedNs() is of. */
  begin?(): void;
  /** As round(), of those samples since that nobody disturbed (stopwatch.ts); NaN when there were none. */
  undisturbedNs?(): number;
}

export interface Measured {
  name: string;
  medianNs: number;
  bestNs: number;
  /** Of contestants that can tell; NaN when somebody always disturbed. */
  undisturbedNs?: number | undefined;
  /** Median over the rounds of this contestant's time by the first contestant's. */
  ratio: number;
}

/** Rounds of each contestant before any counts. */
const WARM_UP_ROUNDS = 2;

/** Runs `rounds` rounds after some that warm up; each begins with another contestant. */
export function interleave(contestants: readonly Contestant[], rounds: number): Measured[] {
  const times = contestants.map((): number[] => []);
  for (let round = 0; round < WARM_UP_ROUNDS; round++) {
    for (const contestant of contestants) {
      contestant.round();
      letCompile();
    }
  }
  for (const contestant of contestants) contestant.begin?.();
  for (let round = 0; round < rounds; round++) {
    for (let turn = 0; turn < contestants.length; turn++) {
      const place = (round + turn) % contestants.length;
      times[place]?.push(contestants[place]?.round() ?? NaN);
    }
  }
  const reference = times[0] ?? [];
  return contestants.map((contestant, place) => {
    const own = times[place] ?? [];
    return {
      name: contestant.name, medianNs: median(own), bestNs: best(own), undisturbedNs: contestant.undisturbedNs?.(),
      ratio: median(own.map((time, round) => time / (reference[round] ?? NaN))),
    };
  });
}
