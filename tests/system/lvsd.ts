// A bare lvsd for tests of the program itself: a TAP in a namespace of its own, nothing plugged in.

import assert from "node:assert/strict";
import type { ChildProcess } from "node:child_process";
import { writeFileSync } from "node:fs";
import { request as httpRequest } from "node:http";
import { fileURLToPath } from "node:url";
import type { Namespace } from "../../host/lab/namespace.js";
import { PATIENT_MS, until } from "./rig.js";

export const LVSD = fileURLToPath(new URL("../../host/daemon/main.js", import.meta.url));
const WITHOUT_RING = fileURLToPath(new URL("withoutring.js", import.meta.url));

/** A process of lvsd, ready or ended. */
export class Lvsd {
  output = "";
  log = "";
  /** It has ended, and all that it said was heard. */
  hasEnded = false;

  private constructor(readonly child: ChildProcess) {
    child.stdout?.setEncoding("utf8").on("data", (text: string) => (this.output += text));
    child.stderr?.setEncoding("utf8").on("data", (text: string) => (this.log += text));
    child.once("close", () => (this.hasEnded = true));
  }

  /** Starts it in a namespace, where io_uring may be forbidden, and waits until it is ready or has ended. */
  static async start(namespace: Namespace, words: readonly string[], isWithoutRing = false): Promise<Lvsd> {
    const program = isWithoutRing ? [WITHOUT_RING, LVSD] : [LVSD];
    const lvsd = new Lvsd(namespace.spawn("setpriv", ["--pdeathsig", "KILL", process.execPath, ...program, ...words], ["ignore", "pipe", "pipe"]));
    await until(() => lvsd.isReady || lvsd.hasEnded);
    return lvsd;
  }

  get isReady(): boolean {
    return this.output.includes("ready\n");
  }

  /** Sends a signal and waits for the end; answers the exit status. */
  async end(signal: NodeJS.Signals): Promise<number | null> {
    this.child.kill(signal);
    assert.ok(await until(() => this.hasEnded), `it does not end by ${signal}`);
    return this.child.exitCode;
  }

  /** Sends HUP and waits for the line that tells what came of it. */
  async reload(): Promise<string> {
    const before = this.log.length;
    this.child.kill("SIGHUP");
    assert.ok(await until(() => /reloaded[^\n]*\n/.test(this.log.slice(before))), `silent after HUP: ${this.log.slice(before)}`);
    return this.log.slice(before);
  }
}

/** Writes a configuration with one port and these rules. */
export function writeConfig(file: string, device: string, rules: readonly string[], more = "", addresses: readonly string[] = []): void {
  const port = `  - { name: one, device: ${device}, addresses: [${["10.9.0.1/24", "10.9.0.100/32", ...addresses].join(", ")}] }`;
  const lines = rules.map((rule) => `  - "${rule}"`);
  writeFileSync(file, `ports:\n${port}\n${more}rules:${lines.length === 0 ? " []" : ""}\n${lines.join("\n")}\n`);
}

export interface HttpAnswer { status: number; body: string }

/** One HTTP request over a Unix socket, whatever it says. */
export function ask(socketPath: string, body: Buffer | string, how: { method?: string; path?: string; type?: string } = {}): Promise<HttpAnswer> {
  return new Promise((resolve, reject) => {
    const request = httpRequest({
      socketPath, method: how.method ?? "POST", path: how.path ?? "/control", timeout: PATIENT_MS,
      headers: { "content-type": how.type ?? "application/json", "content-length": Buffer.byteLength(body) },
    }, (response) => {
      const parts: Buffer[] = [];
      response.on("data", (part: Buffer) => parts.push(part));
      response.on("end", () => resolve({ status: response.statusCode ?? 0, body: Buffer.concat(parts).toString() }));
    });
    request.on("timeout", () => request.destroy(new Error("no answer")));
    request.on("error", reject);
    request.end(body);
  });
}
