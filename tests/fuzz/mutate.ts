// Texts that are nearly right.

import type { Random } from "./random.js";

export interface Mutations {
  /** What may be put into a text. */
  characters: string;
  /** One text gets fewer changes than this. */
  changesMax: number;
  /** The longest run of one character that is put in. */
  runMax: number;
  /** The longest part that is said twice. */
  echoMax: number;
}

/** Changes, takes out, repeats or inserts characters; now and then cuts the rest off. */
export function mutate(text: string, random: Random, { characters, changesMax, runMax, echoMax }: Mutations): string {
  let result = text;
  for (let count = random.below(changesMax); count > 0; count--) {
    const at = random.below(result.length + 1);
    const char = characters[random.below(characters.length)] ?? "";
    const [before, after] = [result.slice(0, at), result.slice(at)];
    const kind = random.below(5);
    if (kind === 0) result = before + char + after.slice(1);
    else if (kind === 1) result = before + after.slice(1);
    else if (kind === 2) result = before + char.repeat(1 + random.below(runMax)) + after;
    else if (kind === 3) result = before + after.slice(0, echoMax) + after;
    else if (random.chance(25)) result = before;
  }
  return result;
}
