// The grain of the kernel's timers, and how scenarios keep clear of it.
//
// A timer of 40.3 to 322 s goes off at a multiple of 5.12 s of the kernel's count of ticks, the first one after its time;
// a longer one, up to 43 minutes, at a multiple of 40.96 s; shorter ones at multiples of 0.64 s and less. So scenarios begin
// at a multiple of 40.96 s, and time passes in multiples of grains: what ends within a step, ends within the same step there.

/** At 100 ticks a second, which the guest is built for. */
const TICK_NS = 10_000_000n;
const NS_PER_SECOND = 1e9;
const GRAIN_TICKS = 512n;
const LONG_GRAIN_TICKS = 8n * GRAIN_TICKS;

export const GRAIN_SECONDS = Number(GRAIN_TICKS * TICK_NS) / NS_PER_SECOND;
/** What time passes in: a minute and what it is late are four of these. */
export const STEP_SECONDS = 3 * GRAIN_SECONDS;

const SHORT_GRAIN_SECONDS = GRAIN_SECONDS / 8;
const SHORT_SECONDS = 63 * SHORT_GRAIN_SECONDS;

/** When a timer goes off that is set at the beginning of a grain, for at most five minutes. */
export function lateSeconds(seconds: number): number {
  const grain = seconds < SHORT_SECONDS ? SHORT_GRAIN_SECONDS : GRAIN_SECONDS;
  return (Math.floor(seconds / grain) + 1) * grain;
}

/** What tells the kernel's clock, and its count of ticks. */
export const TICKS_PROGRAM = ["cat", "/proc/timer_list"];

/** What the kernel's list of timers tells: nanoseconds and ticks. */
function readCounts(timerList: string): { ns: bigint; ticks: bigint } {
  const [ns, ticks] = [/^now at (\d+) nsecs$/m, /^jiffies: (\d+)$/m].map((line) => line.exec(timerList)?.[1]);
  if (ns === undefined || ticks === undefined) throw new Error(`the guest does not tell its ticks: ${timerList.slice(0, 200)}`);
  return { ns: BigInt(ns), ticks: BigInt(ticks) };
}

/** So much after a grain has begun, in the middle of a tick: nothing hangs on a rounding, or on ticks that the guest is late to count. */
const INTO_GRAIN_NS = (9n * TICK_NS) / 2n;

/** How many seconds after this answer a grain of long timers has just begun. */
export function secondsToGrain(timerList: string): number {
  const { ns, ticks } = readCounts(timerList);
  const leftTicks = LONG_GRAIN_TICKS - (ticks % LONG_GRAIN_TICKS);
  return Number(leftTicks * TICK_NS - (ns % TICK_NS) + INTO_GRAIN_NS) / NS_PER_SECOND;
}

/** The ticks of an answer, with the part of the current one that is over. */
export function ticksOf(timerList: string): number {
  const { ns, ticks } = readCounts(timerList);
  return Number(ticks) + Number(ns % TICK_NS) / Number(TICK_NS);
}
