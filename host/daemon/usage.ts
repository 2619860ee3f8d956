/** lvsd was called in a way that makes no sense: told in one line, exit code 2. */
export class UsageError extends Error {}
