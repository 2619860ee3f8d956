// Debian's ldirectord, as it is, watches the real servers and drives this director by a link named ipvsadm.

import assert from "node:assert/strict";
import { spawnSync, type ChildProcess } from "node:child_process";
import { symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { it, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { serverAddress, VIRTUAL_ADDRESS } from "../../host/lab/addresses.js";
import { Client } from "../../host/lab/client.js";
import { LabDirector } from "../../host/lab/director.js";
import { Network, SERVERS, SERVICE_URL } from "../../host/lab/network.js";
import { ended } from "../../host/lab/process.js";
import type { Program } from "../../host/lab/program.js";
import { until } from "./foreign.js";
import { folder, inLaboratory, missing, whereIs } from "./place.js";

const REAL_SERVERS = 3; // the third only serves when the others are down
const WATCHER_ADDRESS = "10.0.2.2";
const NOTICE_MS = 20_000;
const LOOK_MS = 300;
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

  private constructor(
    private readonly network: Network, private readonly client: Client, private readonly link: string,
    private readonly socketPath: string, readonly watcher: ChildProcess,
  ) {}

  static async build(context: TestContext, quiescent: "yes" | "no"): Promise<Watched> {
    const network = await Network.build("nat", REAL_SERVERS);
    context.after(() => network.stop());
    network.wire.ip([`addr replace ${WATCHER_ADDRESS}/24 dev ${SERVERS}`]);
    const work = folder(context);
    const socketPath = join(work, "lvsd.sock");
    const director = await LabDirector.start(network, socketPath, []);
    context.after(() => director.stop());
    const link = join(work, "ipvsadm");
    symlinkSync(fileURLToPath(new URL("../../host/cli/main.js", import.meta.url)), link);
    const file = join(work, "ldirectord.cf");
    writeFileSync(file, configuration(quiescent, join(work, "log")));
    // In the foreground (-d) it takes the ipvsadm of its folder before the system's.
    const watcher = network.wire.spawn("setpriv", ["--pdeathsig", "KILL", "env", "-C", work, `LVSD_SOCKET=${socketPath}`,
      whereIs("ldirectord") ?? "", "-d", file, "start"], ["ignore", "ignore", "ignore"]);
    context.after(async () => {
      watcher.kill("SIGKILL");
      await ended(watcher);
    });
    const watched = new Watched(network, await Client.start(network), link, socketPath, watcher);
    for (let number = 1; number <= REAL_SERVERS; number++) await watched.startServer(number);
    return watched;
  }

  async startServer(number: number): Promise<void> {
    const name = `server${number}`;
    this.programs.set(number, await this.network.start(this.network.servers[number - 1] ?? this.network.wire, name, "server.js", ["--name", name, "--port", "8080"]));
  }

  async stopServer(number: number): Promise<void> {
    await this.programs.get(number)?.stop();
  }

  /** The director's servers as "number:weight", by the same program that ldirectord calls. */
  table(): string {
    const done = spawnSync(this.link, ["-Ln"], { encoding: "utf8", env: { ...process.env, LVSD_SOCKET: this.socketPath } });
    assert.equal(done.status, 0, done.stderr);
    return [...done.stdout.matchAll(/-> 10\.0\.2\.1(\d):8080 +Masq +(\d+)/g)].map(([, number, weight]) => `${number}:${weight}`).sort().join(" ");
  }

  async becomes(table: string): Promise<void> {
    try {
      await until(`the table is "${table}"`, () => this.table() === table, NOTICE_MS, LOOK_MS);
    } catch (error) {
      throw new Error(`${(error as Error).message}; it is "${this.table()}"`);
    }
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
  watched.watcher.kill("SIGTERM");
  await watched.becomes("");
}

const skip = missing({ ldirectord: "ldirectord" }) ?? false;

inLaboratory("ldirectord", import.meta.url, () => {
  it("quiescent: servers that are down keep their place with weight 0; the fallback serves when all are", { skip }, async (context) => {
    await walk(await Watched.build(context, "yes"), "1:0 2:2", "1:0 2:0 3:1");
  });

  it("not quiescent: servers that are down are removed; the fallback serves when all are", { skip }, async (context) => {
    await walk(await Watched.build(context, "no"), "2:2", "3:1");
  });
});
