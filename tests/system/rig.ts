// A laboratory with a running director and a client, and lvsadm on its socket; it goes with its test.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { SocketDirector } from "../../host/cli/client.js";
import { splitWords } from "../../host/cli/words.js";
import type { Method } from "../../host/lab/addresses.js";
import { Client } from "../../host/lab/client.js";
import { LabDirector, labRules } from "../../host/lab/director.js";
import type { Namespace } from "../../host/lab/namespace.js";
import { Network } from "../../host/lab/network.js";
import type { Status, Table } from "../../host/protocol.js";

const SERVERS = 3;
/** How long what must happen may take on a machine that lends its processors to others: only a failure waits so long. */
export const PATIENT_MS = 30_000;
const LVSADM = fileURLToPath(new URL("../../host/cli/main.js", import.meta.url));

export interface Outcome { status: number | null; stdout: string; stderr: string }
export interface RigOptions {
  rules?: readonly string[];
  /** Further fields of the configuration file. */
  more?: Readonly<Record<string, unknown>>;
  /** Starts the programs on the servers; the laboratory's own HTTP servers without it. */
  startServers?(network: Network): Promise<unknown>;
}

/** A folder of the test's own. */
export function makeFolder(context: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "lvs-test-"));
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Runs lvsadm as a shell would. */
export function runLvsadm(socketPath: string, line: string): Promise<Outcome> {
  const child = spawn(process.execPath, [LVSADM, "--socket", socketPath, ...splitWords(line)], { stdio: ["ignore", "pipe", "pipe"] });
  const outcome: Outcome = { status: null, stdout: "", stderr: "" };
  child.stdout.setEncoding("utf8").on("data", (text: string) => (outcome.stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (outcome.stderr += text));
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (status) => resolve({ ...outcome, status }));
  });
}

/** An address answers two pings, however late. */
export function assertAnswers(from: Namespace, address: string): void {
  assert.match(from.output("ping", ["-c", "2", "-i", "0.2", "-W", "10", address]), / 0% packet loss/);
}

export class Rig {
  private constructor(readonly network: Network, readonly director: LabDirector, readonly client: Client, readonly socketPath: string) {}

  static async start(context: TestContext, method: Method, options: RigOptions = {}): Promise<Rig> {
    const network = await Network.build(method, SERVERS);
    context.after(() => network.stop());
    await (options.startServers?.(network) ?? network.startServers());
    const socketPath = join(makeFolder(context), "lvsd.sock");
    const director = await LabDirector.start(network, socketPath, options.rules ?? labRules(method, SERVERS), { fields: options.more ?? {} });
    context.after(() => director.stop());
    return new Rig(network, director, await Client.start(network), socketPath);
  }

  /** Runs lvsadm, which has to succeed; answers what it prints. */
  async lvsadm(line: string): Promise<string> {
    const done = await runLvsadm(this.socketPath, line);
    assert.deepEqual([done.status, done.stderr], [0, ""], `lvsadm ${line}`);
    return done.stdout;
  }

  async table(): Promise<Table> {
    const reply = await new SocketDirector(this.socketPath).request({ do: "table" });
    assert.ok(reply.ok);
    return reply.value;
  }

  async status(): Promise<Status> {
    const reply = await new SocketDirector(this.socketPath).request({ do: "status" });
    assert.ok(reply.ok);
    return reply.value;
  }
}

/** Waits until something holds, at most so long; answers whether it did. */
export async function until(holds: () => boolean | Promise<boolean>, timeoutMs = PATIENT_MS): Promise<boolean> {
  const deadlineMs = Date.now() + timeoutMs;
  while (!(await holds())) {
    // A process that was held up looks once more before it gives up.
    if (Date.now() > deadlineMs) return holds();
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return true;
}
