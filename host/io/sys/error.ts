// A system call that failed, in words an operator can act on.

import { getSystemErrorMap } from "node:util";

/** What to do about an error number, by its name; only where the name alone does not say it. */
export type Hints = Readonly<Record<string, string>>;

/** A failed system call: what was tried, the error's name and meaning, what to do about it. */
export class SystemError extends Error {
  override readonly name = "SystemError";
  /** The error's name, such as "EPERM". */
  readonly code: string;

  constructor(readonly what: string, readonly errno: number, hints: Hints = {}) {
    const [code, meaning] = getSystemErrorMap().get(-errno) ?? [`errno ${errno}`, "unknown error"];
    const hint = hints[code];
    super(`${what}: ${meaning} (${code})${hint === undefined ? "" : `; ${hint}`}`);
    this.code = code;
  }
}
