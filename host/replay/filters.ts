// Programs of a scenario's pipelines that only pick, count or repeat lines: what busybox's do with these words.

export interface Filtered { exitCode: number; stdout: string }

/** What a filter makes of a text; undefined when its words are not known. */
export type Filter = (words: readonly string[]) => ((text: string) => Filtered) | undefined;

const linesOf = (text: string): string[] => (text === "" ? [] : text.replace(/\n$/, "").split("\n"));
const textOf = (lines: readonly string[]): string => lines.map((line) => `${line}\n`).join("");
const kept = (pick: (lines: string[]) => string[]): ((text: string) => Filtered) => (text) => ({ exitCode: 0, stdout: textOf(pick(linesOf(text))) });
const byBytes = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));

/** The count of `-5`, `-n 5`, `-n5`; 10 without one. */
function countOf(words: readonly string[]): string | undefined {
  return /^(?:-n? ?(\+?\d+))?$/.exec(words.join(" "))?.[1] ?? (words.length === 0 ? "10" : undefined);
}

const LITERAL = /[\\^$.*+?()[\]{}|]/g;

/** A basic expression has the signs of an extended one the other way round. */
function expression(flags: ReadonlySet<string>, pattern: string): RegExp | undefined {
  const source = flags.has("F") ? pattern.replace(LITERAL, "\\$&")
    : flags.has("E") ? pattern : pattern.replace(/\\?[+?(){}|]/g, (sign) => (sign.startsWith("\\") ? sign.slice(1) : `\\${sign}`));
  try {
    return new RegExp(source, flags.has("i") ? "i" : "");
  } catch {
    return undefined;
  }
}

const grep: Filter = (words) => {
  const switches = words.slice(0, -1);
  const pattern = words.at(-1);
  if (pattern === undefined || !switches.every((one) => /^-[vciqEF]+$/.test(one))) return undefined;
  const flags = new Set(switches.flatMap((one) => [...one.slice(1)]));
  const sought = expression(flags, pattern);
  if (!sought) return undefined;
  return (text) => {
    const found = linesOf(text).filter((line) => sought.test(line) !== flags.has("v"));
    return { exitCode: found.length > 0 ? 0 : 1, stdout: flags.has("q") ? "" : flags.has("c") ? `${found.length}\n` : textOf(found) };
  };
};

export const FILTERS: ReadonlyMap<string, Filter> = new Map(Object.entries<Filter>({
  grep,
  cat: (words) => (words.every((word) => word === "-") ? kept((lines) => lines) : undefined),
  wc: (words) => (words.join(" ") === "-l" ? (text) => ({ exitCode: 0, stdout: `${linesOf(text).length}\n` }) : undefined),
  sort: (words) => {
    if (words.length === 0) return kept((lines) => lines.sort(byBytes));
    return words.join(" ") === "-u" ? kept((lines) => [...new Set(lines)].sort(byBytes)) : undefined;
  },
  uniq: (words) => (words.length === 0 ? kept((lines) => lines.filter((line, at) => line !== lines[at - 1])) : undefined),
  head: (words) => {
    const count = countOf(words);
    return count === undefined || count.startsWith("+") ? undefined : kept((lines) => lines.slice(0, Number(count)));
  },
  tail: (words) => {
    const count = countOf(words);
    if (count === undefined) return undefined;
    const isFrom = count.startsWith("+");
    return kept((lines) => lines.slice(Math.max(0, isFrom ? Number(count) - 1 : lines.length - Number(count))));
  },
}));
