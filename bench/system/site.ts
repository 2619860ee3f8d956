// One laboratory with a director on one driver, ready to be measured. TAPs lie in its bridges, NICs are cables to them.

import { createInterface, type Interface } from "node:readline";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { DriverChoice } from "../../host/io/driver.js";
import { DIRECTOR_ADDRESS, DIRECTOR_INNER_ADDRESS, serverPort, VIRTUAL_ADDRESS, VIRTUAL_PORT } from "../../host/lab/addresses.js";
import { layCable, NIC_IN, NIC_OUT } from "../../host/lab/cable.js";
import { LabDirector, labConfig, labRules } from "../../host/lab/director.js";
import { CLIENTS, Network, SERVERS as SERVERS_SEGMENT } from "../../host/lab/network.js";
import type { Program } from "../../host/lab/program.js";
import type { Order, Outcome } from "./peer.js";
import { Running } from "./running.js";

// Programs of a laboratory are named from host/lab.
const PEER = "../../bench/system/peer.js";
const LVSD = fileURLToPath(new URL("../../host/daemon/main.js", import.meta.url));
const SERVERS = 2;
const TICKS_PER_SECOND = 100; // USER_HZ, the same on every Linux

/** Round trips or bytes a second, and what the director's processor time was for each million of them. */
export interface Figure { perSecond: number; cpuSecondsPerMillion: number; failures: number }

/** A driver, what its ports are, and what it is called. */
export interface Way { name: string; driver: DriverChoice; attach: "tap" | "nic" | "xdp" }

export class Site {
  private constructor(
    readonly name: string, private readonly network: Network, private readonly director: Pick<LabDirector, "pid" | "stop">,
    private readonly client: Program, private readonly answers: Interface, private readonly folder: string,
  ) {}

  static async open(way: Way): Promise<Site> {
    const folder = mkdtempSync(join(tmpdir(), "lvs-bench-"));
    const network = await Network.build("nat", SERVERS);
    try {
      await Promise.all(network.servers.map((server, index) =>
        network.start(server, `server${index + 1}`, PEER, ["serve", String(serverPort("nat"))])));
      const client = await network.start(network.client, "client", PEER, ["ask"]);
      const director = await startDirector(network, folder, way);
      const answers = createInterface({ input: client.child.stdout as NodeJS.ReadableStream });
      return new Site(way.name, network, director, client, answers, folder);
    } catch (error) {
      await network.stop();
      throw error;
    }
  }

  async measure(kind: Order["kind"], sockets: number, forMs: number): Promise<Figure> {
    const order: Order = { kind, host: VIRTUAL_ADDRESS, port: VIRTUAL_PORT, sockets, forMs };
    const before = this.cpuSeconds();
    const answer = new Promise<string>((resolve) => this.answers.once("line", resolve));
    this.client.child.stdin?.write(`${JSON.stringify(order)}\n`);
    const outcome = JSON.parse(await answer) as Outcome;
    const cpu = this.cpuSeconds() - before;
    return {
      perSecond: (outcome.count * 1000) / outcome.elapsedMs,
      cpuSecondsPerMillion: (cpu / outcome.count) * 1e6, failures: outcome.failures,
    };
  }

  /** Of all threads of the director, the kernel's work for them included. */
  private cpuSeconds(): number {
    const fields = readFileSync(`/proc/${this.director.pid}/stat`, "latin1").split(") ")[1]?.split(" ") ?? [];
    return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
  }

  async close(): Promise<void> {
    await this.director.stop();
    await this.network.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

function startDirector(network: Network, folder: string, { name, driver, attach }: Way): Promise<Pick<LabDirector, "pid" | "stop">> {
  const socket = join(folder, "lvsd.sock");
  const rules = labRules("nat", SERVERS);
  if (attach === "tap") return LabDirector.start(network, socket, rules, { fields: { driver } });
  layCable(network, NIC_OUT, CLIENTS);
  layCable(network, NIC_IN, SERVERS_SEGMENT);
  const ports = [
    { name: "out", device: NIC_OUT, attach, addresses: [`${DIRECTOR_ADDRESS}/24`, `${VIRTUAL_ADDRESS}/32`] },
    { name: "in", device: NIC_IN, attach, addresses: [`${DIRECTOR_INNER_ADDRESS}/24`], ...(attach === "xdp" ? { gateway: true } : {}) },
  ];
  const file = join(folder, "director.yaml");
  writeFileSync(file, labConfig(network, socket, rules, { fields: { driver, ports } }));
  return Running.start(network.director, `lvsd (${name})`, [process.execPath, LVSD, "--config", file], true);
}
