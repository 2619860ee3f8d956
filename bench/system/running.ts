// Programs inside namespaces: some stand until they are stopped, others do their work and print it.

import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { ended, firstLine } from "../../host/lab/process.js";
import type { Namespace } from "../../host/lab/namespace.js";

const WORDS_KEPT = 2000;
const START_MS = 15_000;
const KILL_AFTER_MS = 3000;

/** A program that stands. Whatever ends us ends it too. */
export class Running {
  private complaint = "";

  private constructor(readonly name: string, private readonly child: ChildProcess) {
    child.stderr?.setEncoding("utf8").on("data", (text: string) => (this.complaint = (this.complaint + text).slice(-WORDS_KEPT)));
  }

  /** Starts it; with `speaks` it is ready when it has printed its first line, else at once. */
  static async start(namespace: Namespace, name: string, words: readonly string[], speaks = false): Promise<Running> {
    const child = namespace.spawn("setpriv", ["--pdeathsig", "TERM", ...words], ["ignore", speaks ? "pipe" : "ignore", "pipe"]);
    const running = new Running(name, child);
    if (speaks) {
      try {
        await firstLine(child, name, START_MS);
      } catch (error) {
        child.kill("SIGKILL");
        throw error;
      }
    }
    return running;
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  /** Its last words when it has ended by itself, else undefined. */
  get failure(): string | undefined {
    if (this.child.exitCode === null && this.child.signalCode === null) return undefined;
    return `${this.name} ended with ${this.child.exitCode ?? this.child.signalCode}: ${this.complaint.trim()}`;
  }

  async stop(): Promise<void> {
    this.child.kill("SIGTERM");
    await ended(this.child);
  }
}

/** Runs a program to its end and answers what it printed. It is ended when it takes too long or `signal` says so. */
export async function output(namespace: Namespace, words: readonly string[], timeoutMs: number, signal?: AbortSignal): Promise<string> {
  signal?.throwIfAborted();
  const child = namespace.spawn("setpriv", ["--pdeathsig", "KILL", ...words], ["ignore", "pipe", "pipe"]);
  let text = "";
  let complaint = "";
  child.stdout?.setEncoding("utf8").on("data", (part: string) => (text += part));
  child.stderr?.setEncoding("utf8").on("data", (part: string) => (complaint = (complaint + part).slice(-WORDS_KEPT)));
  const end = (): void => void child.kill("SIGKILL");
  const timer = setTimeout(end, timeoutMs + KILL_AFTER_MS);
  signal?.addEventListener("abort", end, { once: true });
  try {
    const [status] = await once(child, "close") as [number | null];
    signal?.throwIfAborted();
    // iperf3 tells its errors in its JSON and ends with 1.
    if (status !== 0 && text.trim() === "") throw new Error(`${words[0]}: ${complaint.trim() || `ended with status ${status}`}`);
    return text;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", end);
  }
}
