// Scheduler flags: three bits, with names of their own for sh and mh.

import { misused } from "./context.js";

const BITS = [8, 16, 32];
const NAMES: Record<string, readonly string[]> = { sh: ["sh-fallback", "sh-port"], mh: ["mh-fallback", "mh-port"] };

/** Reads "-b a,b" as bits. Throws a CommandFailure for a flag nobody knows or another scheduler's. */
export function parseFlags(scheduler: string, text: string): number {
  let bits = 0;
  for (const flag of text.split(",").filter((one) => one !== "")) {
    const plain = /^flag-([123])$/.exec(flag);
    const owner = Object.keys(NAMES).find((name) => NAMES[name]?.includes(flag));
    if (plain) bits |= BITS[Number(plain[1]) - 1] ?? 0;
    else if (owner === undefined) throw misused(`invalid scheduler flag \`${flag}'`);
    else if (owner !== scheduler) throw misused(`incompatible scheduler flag \`${flag}'`);
    else bits |= BITS[NAMES[owner]?.indexOf(flag) ?? 0] ?? 0;
  }
  return bits;
}

/** "sh-fallback,sh-port" for the bits a service has; undefined without bits. */
export function formatFlags(scheduler: string, bits: number): string | undefined {
  if (bits === 0) return undefined;
  // A scheduler with names of its own shows nothing else, and so perhaps nothing at all.
  const names = NAMES[scheduler] ?? BITS.map((_, index) => `flag-${index + 1}`);
  return names.filter((_, index) => bits & (BITS[index] ?? 0)).join(",");
}
