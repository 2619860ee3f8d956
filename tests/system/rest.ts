// What a process costs when it has nothing to do.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";

const WINDOW_MS = 5000;
/** Times it is looked at; a process that polls is busy in each of them. */
const WINDOWS = 5;
const SHARE_MAX = 0.01;
const TICKS_PER_SECOND = 100; // USER_HZ, the same on every Linux

/** Seconds of processor time that all threads of a process have used. */
function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "latin1").split(") ")[1]?.split(" ") ?? [];
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

/**
 * Less than one percent of a core. After a load V8 tidies its memory and compiles for a while: a director must come
 * to rest, not rest at once.
 */
export async function comesToRest(pid: number): Promise<void> {
  const shares: number[] = [];
  while (shares.length < WINDOWS && !shares.some((share) => share <= SHARE_MAX)) {
    const before = cpuSeconds(pid);
    await pause(WINDOW_MS);
    shares.push((cpuSeconds(pid) - before) / (WINDOW_MS / 1000));
  }
  assert.ok(Math.min(...shares) <= SHARE_MAX, `${shares.map((share) => (share * 100).toFixed(1)).join(", ")} % of a core`);
}
