// A program of the laboratory: a process inside a namespace that answers JSON lines and ends with us.

import type { ChildProcess } from "node:child_process";
import { fileURLToPath } from "node:url";
import { firstLine, ended } from "./process.js";
import type { Namespace } from "./namespace.js";

const START_MS = 30_000;

/** A Node program running in a namespace, known to be ready. */
export class Program {
  private constructor(readonly name: string, readonly child: ChildProcess) {}

  /**
   * Starts host/lab/FILE inside a namespace and waits for its first line, which says that it is ready.
   * Its standard input stays open as long as we live: the program ends when that does.
   */
  static async start(namespace: Namespace, name: string, file: string, words: readonly string[] = []): Promise<Program> {
    const path = fileURLToPath(new URL(file, import.meta.url));
    const child = namespace.spawn(process.execPath, [path, ...words], ["pipe", "pipe", "pipe", "ipc"]);
    await firstLine(child, name, START_MS);
    return new Program(name, child);
  }

  get pid(): number | undefined {
    return this.child.pid;
  }

  async stop(): Promise<void> {
    if (this.child.connected) this.child.disconnect();
    this.child.stdin?.end();
    await ended(this.child);
  }
}
