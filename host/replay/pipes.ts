// What stands before and after "|" in a scenario's command: texts for -R, and filters that count and pick lines.

const NUMBER = /^-?\d+$/;

/** True for what may stand after "|" and only picks or counts lines. */
export function isFilter(words: readonly string[]): boolean {
  const text = words.join(" ");
  return text === "" || text === "wc -l" || text === "sort" || /^grep (-[cv] )?[\w.:][\w.:-]*$/.test(text) || /^(tail|head) -(n )?\d+$/.test(text);
}

/** The lines a filter lets through. */
export function filtered(stdout: string, filter: readonly string[]): string {
  const lines = stdout.split("\n").slice(0, -1);
  const text = (kept: readonly string[]): string => kept.map((line) => `${line}\n`).join("");
  const count = Math.abs(Number(filter.find((word) => NUMBER.test(word)) ?? 0));
  switch (filter[0]) {
    case "wc": return `${lines.length}\n`;
    case "sort": return text([...lines].sort());
    case "grep": return grep(lines, filter.slice(1));
    case "tail": return text(count === 0 ? [] : lines.slice(-count));
    case "head": return text(lines.slice(0, count));
    default: return stdout;
  }
}

function grep(lines: readonly string[], words: readonly string[]): string {
  const sought = words.at(-1) ?? "";
  const found = lines.filter((line) => line.includes(sought) !== (words[0] === "-v"));
  return words[0] === "-c" ? `${found.length}\n` : found.map((line) => `${line}\n`).join("");
}

/** What `echo` or `printf` say; undefined when it is neither, or a format that needs more than a text. */
export function said(words: readonly string[]): string | undefined {
  if (words[0] === "echo") return `${words.slice(1).join(" ")}\n`;
  if (words[0] !== "printf") return undefined;
  const [format, ...rest] = words[1] === "--" ? words.slice(2) : words.slice(1);
  return format === undefined || rest.length > 0 || format.includes("%") ? undefined : format.replaceAll("\\n", "\n");
}

const PROC = /^\/proc\/net\/((?:ip_vs|nf_conntrack)\w*)$/;

/** The names that `cat` or `head -N` of files below /proc/net asks for; undefined for anything else. */
export function procNames(words: readonly string[]): string[] | undefined {
  const files = words[0] === "cat" ? words.slice(1) : words[0] === "head" && /^-\d+$/.test(words[1] ?? "") ? words.slice(2, 3) : [];
  const names = files.map((file) => PROC.exec(file)?.[1]).filter((name) => name !== undefined);
  return names.length > 0 && names.length === files.length ? names : undefined;
}
