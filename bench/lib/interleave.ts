// Comparisons on a machine that others use too: all contestants take turns in one run, and a ratio is
// taken within a round, where all of them met the same neighbours.

import { best, median } from "./statistics.js";

export interface Contestant {
  name: string;
  /** Does one round; answers nanoseconds for one unit of its work. */
  round(): number;
}

export interface Measured {
  name: string;
  medianNs: number;
  bestNs: number;
  /** Median over the rounds of this contestant's time by the first contestant's. */
  ratio: number;
}

/** Runs `rounds` rounds after one that warms up; each begins with another contestant. */
export function interleave(contestants: readonly Contestant[], rounds: number): Measured[] {
  const times = contestants.map((): number[] => []);
  for (const contestant of contestants) contestant.round();
  for (let round = 0; round < rounds; round++) {
    for (let turn = 0; turn < contestants.length; turn++) {
      const place = (round + turn) % contestants.length;
      times[place]?.push(contestants[place]?.round() ?? NaN);
    }
  }
  const reference = times[0] ?? [];
  return contestants.map(({ name }, place) => {
    const own = times[place] ?? [];
    return {
      name, medianNs: median(own), bestNs: best(own),
      ratio: median(own.map((time, round) => time / (reference[round] ?? NaN))),
    };
  });
}
