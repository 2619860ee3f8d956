// What wrk prints: requests, failures and the distribution of what one request took.

/** One run of wrk; times in microseconds. */
export interface WrkReport { perSecond: number; requests: number; failures: number; p50Us: number; p99Us: number }

const UNIT_US: Readonly<Record<string, number>> = { us: 1, ms: 1e3, s: 1e6, m: 6e7 };

function number(text: string, pattern: RegExp, what: string): number {
  const found = pattern.exec(text)?.[1];
  if (found === undefined) throw new Error(`wrk printed no ${what}: ${text.trim().slice(0, 300)}`);
  return Number(found);
}

function percentileUs(text: string, percent: number): number {
  const [, value, unit = ""] = new RegExp(`^ *${percent}% +([\\d.]+)(us|ms|s|m)$`, "m").exec(text) ?? [];
  const factor = UNIT_US[unit];
  if (value === undefined || factor === undefined) throw new Error(`wrk printed no ${percent}% of its latency distribution`);
  return Number(value) * factor;
}

/** Reads the output of `wrk --latency`. Throws when it is something else. */
export function readWrk(text: string): WrkReport {
  const errors = /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(text)?.slice(1) ?? [];
  const refused = /Non-2xx or 3xx responses: (\d+)/.exec(text)?.[1] ?? 0;
  const perSecond = number(text, /^Requests\/sec: +([\d.]+)$/m, "Requests/sec");
  return {
    perSecond, requests: number(text, /^ *(\d+) requests in /m, "number of requests"),
    failures: errors.reduce((sum, one) => sum + Number(one), Number(refused)),
    p50Us: percentileUs(text, 50), p99Us: percentileUs(text, 99),
  };
}
