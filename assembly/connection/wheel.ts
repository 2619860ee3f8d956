// When a kernel's timers go off. Its wheel has levels, each eight times coarser than the one before; a timer goes off at the
// first multiple of its level's grain after its time. Only what is compared with a kernel has ticks (CONTROL_TICK_MS, which
// `lvsd replay` sets): elsewhere a timer goes off when its time is over (docs/decisions/timers-end-when-they-should.md).

import { CONTROL_BASE, CONTROL_TICK_MS, CONTROL_TICKS_AT_MS } from "../abi/layout";

/** Ticks that the finest level reaches, and by how many bits grain and reach grow from each level to the next. */
const REACH_TICKS: u32 = 63;
const LEVEL_BITS: u32 = 3;
/** The coarsest level is the ninth. */
const COARSEST_BITS: u32 = 8 * LEVEL_BITS;

/** Of one tick those timers go off first that were set last: while this holds, all that were set until then wait. */
let isHolding = false;
let holdingMs: u32 = 0;

export function holdBack(untilMs: u32): void {
  isHolding = true;
  holdingMs = untilMs;
}

export function letGo(): void {
  isHolding = false;
}

/**
 * The timeout of a timer that is set as it goes off. Who goes off before what others are held back for is set before it too, so next time
 * it is the other way round; a millisecond that no tick shows says who was set behind it (as the kernel: recording rounds_by_turns).
 */
export function timeoutAnewMs(timeoutMs: u32): u32 {
  return isHolding || !hasTicks() ? timeoutMs : timeoutMs + 1;
}

/** True where timers go off by ticks: then the sweep is as punctual as they are. */
export function hasTicks(): bool {
  return load<u32>(CONTROL_BASE, CONTROL_TICK_MS) != 0;
}

/** How long after `startMs` a timer goes off that was set then for `timeoutMs`. */
export function goesOffAfterMs(startMs: u32, timeoutMs: u32): u32 {
  let tickMs = load<u32>(CONTROL_BASE, CONTROL_TICK_MS);
  if (tickMs == 0) return timeoutMs;
  let setMs = startMs - load<u32>(CONTROL_BASE, CONTROL_TICKS_AT_MS);
  if (isHolding && isHeld(startMs, setMs % tickMs == 0 && timeoutMs % tickMs != 0)) return u32.MAX_VALUE;
  let ticks = timeoutMs / tickMs;
  let grainBits: u32 = 0;
  for (let reach = REACH_TICKS; ticks >= reach && grainBits < COARSEST_BITS; reach <<= LEVEL_BITS) grainBits += LEVEL_BITS;
  return ((setMs / tickMs + ticks >> grainBits) + 1 << grainBits) * tickMs - setMs;
}

/** Of what was set in the very moment only that is not held which was set behind, as a tick went off. */
function isHeld(startMs: u32, isBehind: bool): bool {
  return startMs == holdingMs ? !isBehind : <i32>(startMs - holdingMs) < 0;
}
