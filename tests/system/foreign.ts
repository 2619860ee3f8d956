// Programs of the machine inside the laboratory's namespaces: servers that go with their test, clients that end.

import type { ChildProcess } from "node:child_process";
import { readFileSync } from "node:fs";
import type { TestContext } from "node:test";
import type { Namespace } from "../../host/lab/namespace.js";
import { ended } from "../../host/lab/process.js";
import { until, type Outcome } from "./rig.js";

const OUTPUT_CHARACTERS_MAX = 20_000;
const CLIENT_MS = 120_000;
const LISTENING = { tcp: "0A", tcp6: "0A", udp: "07", udp6: "07" } as const;

/** What a server opens when it is ready. */
export interface Listens { table: keyof typeof LISTENING; port: number }

/** Whether somebody listens there in the network of a process. */
function isListening(pid: number, { table, port }: Listens): boolean {
  const wanted = new RegExp(`:${port.toString(16).toUpperCase().padStart(4, "0")} [0-9A-F]+:0000 ${LISTENING[table]} `);
  try {
    return wanted.test(readFileSync(`/proc/${pid}/net/${table}`, "utf8"));
  } catch {
    return false;
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
  const ready = await until(() => child.exitCode !== null || isListening(namespace.pid, listens));
  if (ready && child.exitCode === null) return child;
  throw new Error(`${program} does not listen at ${listens.table} ${listens.port}, status ${child.exitCode}: ${said[0]()}${said[1]()}`);
}

/** Runs a client to its end. */
export function runClient(namespace: Namespace, program: string, words: readonly string[], input = ""): Promise<Outcome> {
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
