// Tables that read well on a terminal and in Markdown alike.

export type Row = readonly string[];

export function formatTable(head: Row, rows: readonly Row[]): string {
  const widths = head.map((title, column) => Math.max(3, title.length, ...rows.map((row) => row[column]?.length ?? 0)));
  const line = (row: Row): string =>
    `| ${widths.map((width, column) => (column === 0 ? (row[column] ?? "").padEnd(width) : (row[column] ?? "").padStart(width))).join(" | ")} |`;
  const rule = `|${widths.map((width, column) => (column === 0 ? `:${"-".repeat(width + 1)}` : `${"-".repeat(width + 1)}:`)).join("|")}|`;
  return [line(head), rule, ...rows.map(line)].join("\n");
}

/** Nanoseconds as people read them: median, and in brackets what was undisturbed, or the best; a dash where that is not known. */
export function nanoseconds(median: number, undisturbed: number): string {
  const digits = (value: number): string => (Number.isNaN(value) ? "-" : value.toFixed(value < 100 ? 1 : 0));
  return `${digits(median)} [${digits(undisturbed)}]`;
}

export function count(value: number): string {
  if (value >= 1e6) return `${value / 1e6}M`;
  return value >= 1000 ? `${value / 1000}k` : String(value);
}
