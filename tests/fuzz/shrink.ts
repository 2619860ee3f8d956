// A long scenario that shows something, made short: steps are left out as long as it still shows.

/** Says whether the steps left still show what the whole did. */
export type Shows<T> = (steps: T[]) => Promise<boolean>;

/**
 * Leaves out ever smaller runs of steps (delta debugging). Asks at most `asksMax` times, so the result
 * may be shorter still; it always shows.
 */
export async function shrink<T>(steps: readonly T[], shows: Shows<T>, asksMax: number): Promise<T[]> {
  let kept = [...steps];
  let asks = 0;
  for (let run = Math.ceil(kept.length / 2); run >= 1 && asks < asksMax;) {
    let shorter = false;
    // From the end: what comes last seldom matters to what comes first.
    for (let at = kept.length - run; at > -run && asks < asksMax; at -= run) {
      const from = Math.max(0, at);
      const without = [...kept.slice(0, from), ...kept.slice(at + run)];
      if (without.length === kept.length || without.length === 0) continue;
      asks++;
      if (!(await shows(without))) continue;
      kept = without;
      shorter = true;
    }
    if (run > 1) run = Math.ceil(run / 2);
    else if (!shorter) break;
  }
  return kept;
}
