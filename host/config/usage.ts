// Mistakes in calling lvsd, and files that cannot be used, in words.

/** lvsd was called in a way that makes no sense: told in one line, exit code 2. */
export class UsageError extends Error {}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file or folder", ENOTDIR: "there is no such folder", EISDIR: "it is a folder", EACCES: "this user has no right to it",
};

/** Why a file could not be read or written. */
export function whyNot(error: unknown): string {
  const { code = "", message } = error as NodeJS.ErrnoException;
  return REASONS[code] ?? message;
}
