// How a recorded kernel counted its ticks: its timers go off by them (assembly/connection/wheel.ts).

/** Of a kernel with 100 ticks a second, as the recorded ones are. */
export const TICK_MS = 10;
/** A kernel begins to count five minutes before its count would overflow 32 bits. */
const TICKS_AT_BOOT = -300_000 / TICK_MS;
/** From the start of a kernel's process to its first tick: 40 to 120 ms. */
const FIRST_TICK_SECONDS = 0.08;
/** A power of two, beyond the coarsest grain that a timeout of days has. */
const TICKS_SPAN = 2 ** 27;

/**
 * The moment, in milliseconds of a recording's time, at which its kernel's ticks were a multiple of every grain, or would have been.
 * A recording begins with how many they were at its `gt` (`ticks`); or else with how long the boot took, from which its time then counts.
 */
export function ticksAtMs(start: Record<string, unknown>, atSeconds: number): number | undefined {
  const { ticks } = start;
  if (typeof ticks === "number" && Number.isFinite(ticks)) return momentOf(ticks, atSeconds);
  return "boot_s" in start ? momentOf(TICKS_AT_BOOT, FIRST_TICK_SECONDS) : undefined;
}

function momentOf(ticks: number, atSeconds: number): number {
  const counted = ((ticks % TICKS_SPAN) + TICKS_SPAN) % TICKS_SPAN;
  return Math.round(atSeconds * 1000 - counted * TICK_MS);
}
