// One laboratory with a director on one driver, ready to be measured.

import { createInterface, type Interface } from "node:readline";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DriverChoice } from "../../host/io/driver.js";
import { serverPort, VIRTUAL_ADDRESS, VIRTUAL_PORT } from "../../host/lab/addresses.js";
import { LabDirector, labRules } from "../../host/lab/director.js";
import { Network } from "../../host/lab/network.js";
import type { Program } from "../../host/lab/program.js";
import type { Order, Outcome } from "./peer.js";

// Programs of a laboratory are named from host/lab.
const PEER = "../../bench/system/peer.js";
const SERVERS = 2;
const TICKS_PER_SECOND = 100; // USER_HZ, the same on every Linux

/** Round trips or bytes a second, and what the director's processor time was for each million of them. */
export interface Figure { perSecond: number; cpuSecondsPerMillion: number; failures: number }

export class Site {
  private constructor(
    readonly driver: DriverChoice, private readonly network: Network, private readonly director: LabDirector,
    private readonly client: Program, private readonly answers: Interface, private readonly folder: string,
  ) {}

  static async open(driver: DriverChoice): Promise<Site> {
    const folder = mkdtempSync(join(tmpdir(), "lvs-bench-"));
    const network = await Network.build("nat", SERVERS);
    try {
      await Promise.all(network.servers.map((server, index) =>
        network.start(server, `server${index + 1}`, PEER, ["serve", String(serverPort("nat"))])));
      const client = await network.start(network.client, "client", PEER, ["ask"]);
      const director = await LabDirector.start(network, join(folder, "lvsd.sock"), labRules("nat", SERVERS), { fields: { driver } });
      const answers = createInterface({ input: client.child.stdout as NodeJS.ReadableStream });
      return new Site(driver, network, director, client, answers, folder);
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
