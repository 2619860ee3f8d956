// Times taken while nobody disturbed. A virtual processor is mostly one thread of a core that has two: while another guest
// uses the other one, ours gets little more than half of the core, for some tenths of a millisecond up to a few. Medians
// show a medley of both, and the best round is an extreme. So a loop that needs nothing but the core is timed before and
// after each sample: where it was slow, the sample tells of the neighbours.

import { performance } from "node:perf_hooks";
import { letCompile } from "./compile.js";
import { median } from "./statistics.js";

/** A probe slower than the fastest by this met a neighbour. Alone its times lie within 3 %, beside one they are 40 to 90 % longer. */
const SLOWER = 1.12;
/** A probe takes about six microseconds. */
const PROBE_TURNS = 6000;
/** Before the first sample: so many, and a rest in which their code is made; then a second of them, to meet a fastest one between the neighbours. */
const FIRST_PROBES = 300;
const FIRST_PROBES_MS = 1000;

let fastestMs = Infinity;
/** What the loop comes to must be used, else it is left out. */
let sink = 0;

function probe(): number {
  const begin = performance.now();
  sink = spin(sink);
  return performance.now() - begin;
}

/** Four chains of sums side by side, as many as keep a core's units busy. */
function spin(start: number): number {
  let a = start;
  let b = 2;
  let c = 3;
  let d = 4;
  for (let turn = 0; turn < PROBE_TURNS; turn++) {
    a = (Math.imul(a, 3) + turn) | 0;
    b = (b << 1) ^ turn;
    c = (c + (a >>> 3)) | 0;
    d ^= b + turn;
  }
  return a ^ b ^ c ^ d;
}

export class Stopwatch {
  private samples: { ms: number; probeMs: number }[] = [];

  constructor() {
    if (fastestMs !== Infinity) return;
    for (let count = 0; count < FIRST_PROBES; count++) probe();
    letCompile();
    for (const endMs = performance.now() + FIRST_PROBES_MS; performance.now() < endMs;) fastestMs = Math.min(fastestMs, probe());
  }

  /** Does some work; answers how many milliseconds it took. */
  time(work: () => void): number {
    const before = probe();
    const begin = performance.now();
    work();
    const ms = performance.now() - begin;
    const after = probe();
    fastestMs = Math.min(fastestMs, before, after);
    this.samples.push({ ms, probeMs: Math.max(before, after) });
    return ms;
  }

  /** Forgets the samples so far, which were taken while things warmed up. */
  reset(): void {
    this.samples = [];
  }

  /** The median of the samples that nobody disturbed; NaN when there are none. */
  undisturbedMs(): number {
    return median(this.samples.filter(({ probeMs }) => probeMs <= fastestMs * SLOWER).map(({ ms }) => ms));
  }
}
