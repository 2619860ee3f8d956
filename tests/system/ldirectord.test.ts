// Debian's ldirectord, as it is, watches the real servers and drives this director by a link named ipvsadm.

import assert from "node:assert/strict";
import type { ChildProcess } from "node:child_process";
import { symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { it, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { SocketDirector } from "../../host/cli/client.js";
import { serverAddress, VIRTUAL_ADDRESS } from "../../host/lab/addresses.js";
import { Client } from "../../host/lab/client.js";
import { LabDirector } from "../../host/lab/director.js";
import { Network, SERVERS, SERVICE_URL } from "../../host/lab/network.js";
import { ended } from "../../host/lab/process.js";
import type { Program } from "../../host/lab/program.js";
import { inNamespaces, lacking } from "./inside.js";
import { makeFolder, until } from "./rig.js";

const REAL_SERVERS = 3; // the third only serves when the others are down
const WATCHER_ADDRESS = "10.0.2.2";
// It looks every second, and calls ipvsadm a dozen times; on a busy machine that takes its time.
const NOTICE_MS = 60_000;
const PERIODS = 10;
const SERVICE = `${VIRTUAL_ADDRESS}:80`;

const real = (number: number): string => `${serverAddress("nat", number)}:8080`;

/** Servers 1 and 2 with weights 1 and 2, server 3 for when both are down. */
function configuration(quiescent: "yes" | "no", logFile: string): string {
  return [
    "checktimeout=2", "negotiatetimeout=2", "checkinterval=1", "autoreload=no", `quiescent=${quiescent}`, `logfile="${logFile}"`,
    `virtual=${SERVICE}`,
    `\treal=${real(1)} masq 1`, `\treal=${real(2)} masq 2`, `\tfallback=${real(3)} masq`,
    "\tservice=http", "\tscheduler=wrr", "\tprotocol=tcp", "\tchecktype=negotiate", '\trequest="/"', '\treceive="server"', "",
  ].join("\n");
}

class Watched {
  private readonly programs = new Map<number, Program>();

  private watcher: ChildProcess | undefined;

  private constructor(
    private readonly network: Network, private readonly client: Client, private readonly socketPath: string,
  ) {}

  static async build(context: TestContext, quiescent: "yes" | "no"): Promise<Watched> {
    const network = await Network.build("nat", REAL_SERVERS);
    context.after(() => network.stop());
    network.wire.ip([`addr replace ${WATCHER_ADDRESS}/24 dev ${SERVERS}`]);
    const work = makeFolder(context);
    const socketPath = join(work, "lvsd.sock");
    const director = await LabDirector.start(network, socketPath, []);
    context.after(() => director.stop());
    symlinkSync(fileURLToPath(new URL("../../host/cli/main.js", import.meta.url)), join(work, "ipvsadm"));
    const watched = new Watched(network, await Client.start(network), socketPath);
    for (let number = 1; number <= REAL_SERVERS; number++) await watched.startServer(number);
    watched.watch(context, work, configuration(quiescent, join(work, "log")));
    return watched;
  }

  /** Starts ldirectord where it reaches the servers. */
  private watch(context: TestContext, work: string, text: string): void {
    const file = join(work, "ldirectord.cf");
    writeFileSync(file, text);
    // In the foreground (-d) it takes the ipvsadm of its folder before the system's.
    this.watcher = this.network.wire.spawn("setpriv", ["--pdeathsig", "KILL", "env", "-C", work, `LVSD_SOCKET=${this.socketPath}`,
      "ldirectord", "-d", file, "start"], ["ignore", "ignore", "ignore"]);
    context.after(async () => {
      this.watcher?.kill("SIGKILL");
      if (this.watcher) await ended(this.watcher);
    });
  }

  /** Ends ldirectord as its service would. */
  dismiss(): void {
    this.watcher?.kill("SIGTERM");
  }

  async startServer(number: number): Promise<void> {
    const name = `server${number}`;
    this.programs.set(number, await this.network.start(this.network.servers[number - 1] ?? this.network.wire, name, "server.js", ["--name", name, "--port", "8080"]));
  }

  async stopServer(number: number): Promise<void> {
    await this.programs.get(number)?.stop();
  }

  /** The director's servers as "number:weight". */
  private async table(): Promise<string> {
    const reply = await new SocketDirector(this.socketPath).request({ do: "table" });
    assert.ok(reply.ok);
    return reply.value.services.flatMap((service) => service.servers).map((one) => `${one.address.at(-1)}:${one.weight}`).sort().join(" ");
  }

  async becomes(table: string): Promise<void> {
    let seen = "";
    await until(async () => (seen = await this.table()) === table, NOTICE_MS);
    assert.equal(seen, table);
  }

  /** Who answers; every request must be. */
  async answers(): Promise<Record<string, number>> {
    const report = await this.client.request({ url: SERVICE_URL, count: 3 * PERIODS, concurrency: 3 });
    assert.deepEqual(report.failures, {});
    return report.servers;
  }
}

const BOTH = { server1: PERIODS, server2: 2 * PERIODS };

async function walk(watched: Watched, one: string, both: string): Promise<void> {
  await watched.becomes("1:1 2:2");
  assert.deepEqual(await watched.answers(), BOTH);
  await watched.stopServer(1);
  await watched.becomes(one);
  assert.deepEqual(await watched.answers(), { server2: 3 * PERIODS });
  await watched.stopServer(2);
  await watched.becomes(both);
  assert.deepEqual(await watched.answers(), { server3: 3 * PERIODS });
  await watched.startServer(1);
  await watched.startServer(2);
  await watched.becomes("1:1 2:2");
  assert.deepEqual(await watched.answers(), BOTH);
  watched.dismiss();
  await watched.becomes("");
}

const skip = lacking("ldirectord", "setpriv");

inNamespaces("ldirectord", import.meta.url, () => {
  it("quiescent: servers that are down keep their place with weight 0; the fallback serves when all are", { skip }, async (context) => {
    await walk(await Watched.build(context, "yes"), "1:0 2:2", "1:0 2:0 3:1");
  });

  it("not quiescent: servers that are down are removed; the fallback serves when all are", { skip }, async (context) => {
    await walk(await Watched.build(context, "no"), "2:2", "3:1");
  });
});
