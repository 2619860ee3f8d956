// Programs of the machine inside the laboratory's namespaces: servers that go with their test, clients that end.

import { spawnSync, type ChildProcess } from "node:child_process";
import { readFileSync } from "node:fs";
import type { TestContext } from "node:test";
import type { Namespace } from "../../host/lab/namespace.js";
import { ended } from "../../host/lab/process.js";

const READY_MS = 10_000;
const PAUSE_MS = 30;
const OUTPUT_CHARACTERS_MAX = 20_000;
const CLIENT_MS = 30_000;
const LISTENING = { tcp: "0A", tcp6: "0A", udp: "07", udp6: "07" } as const;

/** What a server opens when it is ready. */
export interface Listens { table: keyof typeof LISTENING; port: number }

export interface Ended { status: number | null; stdout: string; stderr: string }

/** Whether somebody listens there in the network of a process. */
export function isListening(pid: number, { table, port }: Listens): boolean {
  const wanted = new RegExp(`:${port.toString(16).toUpperCase().padStart(4, "0")} [0-9A-F]+:0000 ${LISTENING[table]} `);
  try {
    return wanted.test(readFileSync(`/proc/${pid}/net/${table}`, "utf8"));
  } catch {
    return false;
  }
}

/** Waits until a condition holds; an error that names it when it does not in time. */
export async function until(what: string, holds: () => boolean | Promise<boolean>, timeoutMs = READY_MS, pauseMs = PAUSE_MS): Promise<void> {
  const deadlineMs = Date.now() + timeoutMs;
  while (!(await holds())) {
    if (Date.now() > deadlineMs) throw new Error(`${what}: not in ${timeoutMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
}

function collect(child: ChildProcess, stream: "stdout" | "stderr"): () => string {
  let text = "";
  child[stream]?.setEncoding("utf8").on("data", (part: string) => (text = (text + part).slice(-OUTPUT_CHARACTERS_MAX)));
  return () => text;
}

/** Starts a server in the foreground and waits until it listens. It ends with the test, and with us. */
export async function startServer(
  context: TestContext, namespace: Namespace, program: string, words: readonly string[], listens: Listens,
): Promise<ChildProcess> {
  const child = namespace.spawn("setpriv", ["--pdeathsig", "KILL", program, ...words], ["ignore", "pipe", "pipe"]);
  const said = [collect(child, "stdout"), collect(child, "stderr")] as const;
  const stop = async (): Promise<void> => {
    child.kill("SIGTERM");
    await ended(child);
  };
  context.after(stop);
  await until(`${program} listens at ${listens.table} ${listens.port}`, () => {
    if (child.exitCode !== null) throw new Error(`${program} ended with status ${child.exitCode}: ${said[0]()}${said[1]()}`);
    return isListening(namespace.pid, listens);
  });
  return child;
}

/** Runs a client to its end. */
export function runClient(namespace: Namespace, program: string, words: readonly string[], input = ""): Promise<Ended> {
  const child = namespace.spawn("setpriv", ["--pdeathsig", "KILL", program, ...words], ["pipe", "pipe", "pipe"]);
  const stdout = collect(child, "stdout");
  const stderr = collect(child, "stderr");
  const timer = setTimeout(() => child.kill("SIGKILL"), CLIENT_MS);
  // A client may leave without reading all of its orders.
  child.stdin?.on("error", () => undefined).end(input);
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (status) => {
      clearTimeout(timer);
      resolve({ status, stdout: stdout(), stderr: stderr() });
    });
  });
}

/** Programs that change their user cannot do so where only one user exists. */
export function hasUsers(): boolean {
  return spawnSync("setpriv", ["--reuid", "65534", "--regid", "65534", "--clear-groups", "true"]).status === 0;
}
