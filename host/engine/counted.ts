// How many of something there are, as people say it.

/** "1 worker", "2 workers". */
export function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}
