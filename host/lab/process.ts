// Child processes: waiting for their first word and for their end, never for ever; and being one.

import type { ChildProcess } from "node:child_process";
import { createInterface } from "node:readline";

/** A process that is told to end may have to wait for a processor first. */
const END_MS = 10_000;

/** The first line a process prints; an error with its complaint when it ends or stays silent. */
export function firstLine(child: ChildProcess, what: string, timeoutMs: number): Promise<string> {
  const { stdout } = child;
  if (!stdout) throw new Error(`${what}: its output is not piped`);
  const lines = createInterface({ input: stdout });
  let complaint = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => (complaint = (complaint + text).slice(-2000)));
  return new Promise((resolve, reject) => {
    const settle = (error?: Error, line = ""): void => {
      clearTimeout(timer);
      lines.close();
      child.off("error", settle);
      child.off("close", onClose);
      // Closing the reader has paused the stream: what follows must not fill the pipe, unless it is read.
      stdout.resume();
      if (error) reject(error);
      else resolve(line);
    };
    const fail = (why: string): void => settle(new Error(`${what}: ${why}${complaint === "" ? "" : `: ${complaint.trim()}`}`));
    const onClose = (code: number | null): void => fail(`ended with status ${code}`);
    const timer = setTimeout(() => { child.kill("SIGKILL"); fail(`silent for ${timeoutMs} ms`); }, timeoutMs);
    child.once("error", settle);
    child.once("close", onClose);
    lines.once("line", (line) => settle(undefined, line));
  });
}

/** Waits for a process to end by itself, and makes it end when it does not. */
export function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return Promise.resolve();
  return new Promise((resolve) => {
    const timer = setTimeout(() => child.kill("SIGKILL"), END_MS);
    child.once("exit", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}

/** For the program itself: end when whoever started it does. */
export function endWithParent(): void {
  process.stdin.on("end", () => process.exit(0)).on("error", () => process.exit(0));
  process.stdin.resume();
  process.on("disconnect", () => process.exit(0));
  // Control-C reaches a whole terminal group: let the parent decide the order of things.
  process.on("SIGINT", () => undefined);
}
