// Averages are useless on a shared machine: a preemption makes one batch a hundred times slower. So medians,
// and the best round; what nobody disturbed is told apart by stopwatch.ts.

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? NaN) + upper) / 2;
}

export function best(values: readonly number[]): number {
  return Math.min(...values);
}
