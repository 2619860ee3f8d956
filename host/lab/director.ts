// The laboratory's director: a configuration like an operator's, and a real lvsd running it.

import type { ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { stringify } from "yaml";
import {
  DIRECTOR_ADDRESS, DIRECTOR_INNER_ADDRESS, HOST_KERNEL_MAC, HOST_PORT_ADDRESS, HOST_PREFIX_BITS, serverAddress, serverPort,
  TAP_HOST, TAP_IN, TAP_OUT, VIRTUAL_ADDRESS, VIRTUAL_PORT, type Method,
} from "./addresses.js";
import type { Network } from "./network.js";
import { ended, firstLine } from "./process.js";

const START_MS = 30_000;
const METHOD_SWITCH: Record<Method, string> = { nat: "-m", dr: "-g", tun: "-i", local: "-g" };

/** The rules an operator would type: server n has weight n. */
export function labRules(method: Method, servers: number): string[] {
  const service = `${VIRTUAL_ADDRESS}:${VIRTUAL_PORT}`;
  const rules = [`-A -t ${service} -s wrr`];
  // The director itself as the only server: any address of its own means that.
  if (method === "local") return [...rules, `-a -t ${service} -r ${DIRECTOR_ADDRESS}:${VIRTUAL_PORT} -g -w 1`];
  for (let n = 1; n <= servers; n++) {
    rules.push(`-a -t ${service} -r ${serverAddress(method, n)}:${serverPort(method)} ${METHOD_SWITCH[method]} -w ${n}`);
  }
  return rules;
}

/** What a configuration of the laboratory has beyond the usual. */
export interface LabExtra {
  /** More addresses of the ports. */
  out?: readonly string[];
  in?: readonly string[];
  /** More fields of the file. */
  fields?: Readonly<Record<string, unknown>>;
}

/** The configuration file for a laboratory's network. */
export function labConfig(network: Network, socketPath: string, rules: readonly string[], extra: LabExtra = {}): string {
  const { method } = network;
  const ports: object[] = [{ name: "out", device: TAP_OUT, addresses: [`${DIRECTOR_ADDRESS}/24`, `${VIRTUAL_ADDRESS}/32`, ...extra.out ?? []] }];
  if (method === "nat") ports.push({ name: "in", device: TAP_IN, addresses: [`${DIRECTOR_INNER_ADDRESS}/24`, ...extra.in ?? []] });
  if (method === "local") {
    ports.push({
      "name": "host", "device": TAP_HOST, "kind": "host", "namespace": network.director.path, "peer-mac": HOST_KERNEL_MAC,
      "addresses": [`${HOST_PORT_ADDRESS}/${HOST_PREFIX_BITS}`],
    });
  }
  const forward = { nat: "nat", dr: "dr", tun: "tun", local: "nat" }[method];
  return stringify({ "control-socket": socketPath, "default-forward": forward, ports, rules, ...extra.fields });
}

/** A running lvsd inside the laboratory's wires, so that its TAPs appear where the bridges are. */
export class LabDirector {
  private constructor(private readonly child: ChildProcess, private readonly folder: string, readonly configFile: string) {}

  static async start(network: Network, socketPath: string, rules: readonly string[], extra: LabExtra = {}): Promise<LabDirector> {
    const folder = mkdtempSync(join(tmpdir(), "lvs-lab-"));
    const configFile = join(folder, "director.yaml");
    writeFileSync(configFile, labConfig(network, socketPath, rules, extra));
    const program = fileURLToPath(new URL("../daemon/main.js", import.meta.url));
    // Whatever ends us ends it too: it holds the laboratory's wires.
    const words = ["--pdeathsig", "TERM", process.execPath, program, "--config", configFile];
    const child = network.wire.spawn("setpriv", words, ["ignore", "pipe", "pipe"]);
    try {
      await firstLine(child, "lvsd", START_MS);
      child.stderr?.pipe(process.stderr);
      await network.plug();
      return new LabDirector(child, folder, configFile);
    } catch (error) {
      child.kill("SIGTERM");
      rmSync(folder, { recursive: true, force: true });
      throw error;
    }
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  /** Its log, as it is written. */
  onLog(listener: (text: string) => void): void {
    this.child.stderr?.on("data", (part: Buffer) => listener(part.toString()));
  }

  signal(name: NodeJS.Signals): void {
    this.child.kill(name);
  }

  async stop(): Promise<void> {
    this.child.kill("SIGTERM");
    await ended(this.child);
    rmSync(this.folder, { recursive: true, force: true });
  }
}
