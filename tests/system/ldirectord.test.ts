// Debian's ldirectord, as it is, watches the real servers and drives this director by a link named ipvsadm, over both families.

import assert from "node:assert/strict";
import type { ChildProcess } from "node:child_process";
import { symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { it, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { isDeepStrictEqual } from "node:util";
import { SocketDirector } from "../../host/cli/client.js";
import { serverAddress, VIRTUAL_ADDRESS } from "../../host/lab/addresses.js";
import { Client } from "../../host/lab/client.js";
import { LabDirector } from "../../host/lab/director.js";
import { addIpv6, EXTRA6, serverAddress6, VIRTUAL_ADDRESS6 } from "./ipv6.js";
import { Network, SERVERS } from "../../host/lab/network.js";
import { ended } from "../../host/lab/process.js";
import type { Program } from "../../host/lab/program.js";
import { inNamespaces, lacking } from "./inside.js";
import { makeFolder, until } from "./rig.js";

const REAL_SERVERS = 3; // the third only serves when the others are down
const WATCHER_ADDRESSES = ["10.0.2.2/24", "fd00:2::2/64 nodad"];
// It looks every second, and calls ipvsadm dozens of times; on a busy machine that takes its time.
const NOTICE_MS = 120_000;
const PERIODS = 10;

type Quiescent = "yes" | "no";

/** A family: what its words end with in ldirectord's language, its virtual service, its servers, how they are looked at. */
interface Family { suffix: "" | "6"; service: string; real(number: number): string; check: readonly string[] }

const FAMILIES: readonly Family[] = [
  {
    suffix: "",
    service: `${VIRTUAL_ADDRESS}:80`,
    real: (number) => `${serverAddress("nat", number)}:8080`,
    check: ["service=http", "checktype=negotiate", 'request="/"', 'receive="server"'],
  },
  {
    suffix: "6",
    service: `[${VIRTUAL_ADDRESS6}]:80`,
    real: (number) => `[${serverAddress6("nat", number)}]:8080`,
    // Asking by HTTP over IPv6 takes a module of Perl's that Debian's ldirectord does not bring.
    check: ["checktype=connect"],
  },
];

/** Servers 1 and 2 with weights 1 and 2, server 3 for when both are down. */
function virtual({ suffix, service, real, check }: Family): string[] {
  const lines = [
    `real${suffix}=${real(1)} masq 1`, `real${suffix}=${real(2)} masq 2`, `fallback${suffix}=${real(3)} masq`,
    "scheduler=wrr", "protocol=tcp", ...check,
  ];
  return [`virtual${suffix}=${service}`, ...lines.map((line) => `\t${line}`)];
}

function configuration(quiescent: Quiescent, logFile: string): string {
  return [
    "checktimeout=20", "negotiatetimeout=20", "checkinterval=1", "autoreload=no", `quiescent=${quiescent}`, `logfile="${logFile}"`,
    ...FAMILIES.flatMap(virtual), "",
  ].join("\n");
}

class Watched {
  private readonly programs = new Map<number, Program>();

  private watcher: ChildProcess | undefined;

  private constructor(
    private readonly network: Network, private readonly client: Client, private readonly socketPath: string,
  ) {}

  static async build(context: TestContext, quiescent: Quiescent): Promise<Watched> {
    const network = await Network.build("nat", REAL_SERVERS);
    context.after(() => network.stop());
    assert.ok(addIpv6(network));
    network.wire.set({ [`net.ipv6.conf.${SERVERS}.disable_ipv6`]: 0 });
    network.wire.ip(WATCHER_ADDRESSES.map((address) => `addr replace ${address} dev ${SERVERS}`));
    const work = makeFolder(context);
    const socketPath = join(work, "lvsd.sock");
    const director = await LabDirector.start(network, socketPath, [], EXTRA6);
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
    const words = ["--name", name, "--port", "8080", "--address", "::"];
    this.programs.set(number, await this.network.start(this.network.servers[number - 1] ?? this.network.wire, name, "server.js", words));
  }

  async stopServer(number: number): Promise<void> {
    await this.programs.get(number)?.stop();
  }

  /** Each service's servers as "number:weight". */
  private async tables(): Promise<string[]> {
    const reply = await new SocketDirector(this.socketPath).request({ do: "table" });
    assert.ok(reply.ok);
    return reply.value.services.map(({ servers }) => servers.map((one) => `${one.address.at(-1)}:${one.weight}`).sort().join(" "));
  }

  /** Waits until both families' services have these servers, or until there are no services. */
  async becomes(table: string | undefined): Promise<void> {
    const wanted = table === undefined ? [] : FAMILIES.map(() => table);
    let seen: string[] = [];
    await until(async () => isDeepStrictEqual(seen = await this.tables(), wanted), NOTICE_MS);
    assert.deepEqual(seen, wanted);
  }

  /** Asserts who answers, over both families; every request must be. */
  async answer(servers: Readonly<Record<string, number>>): Promise<void> {
    for (const { service } of FAMILIES) {
      const report = await this.client.request({ url: `http://${service}`, count: 3 * PERIODS, concurrency: 3 });
      assert.deepEqual([report.failures, report.servers], [{}, servers], service);
    }
  }
}

const BOTH = { server1: PERIODS, server2: 2 * PERIODS };

async function walk(watched: Watched, one: string, both: string): Promise<void> {
  await watched.becomes("1:1 2:2");
  await watched.answer(BOTH);
  await watched.stopServer(1);
  await watched.becomes(one);
  await watched.answer({ server2: 3 * PERIODS });
  await watched.stopServer(2);
  await watched.becomes(both);
  await watched.answer({ server3: 3 * PERIODS });
  await watched.startServer(1);
  await watched.startServer(2);
  await watched.becomes("1:1 2:2");
  await watched.answer(BOTH);
  watched.dismiss();
  await watched.becomes(undefined);
}

const skip = lacking("ldirectord", "setpriv");

inNamespaces("ldirectord, both families", import.meta.url, () => {
  it("quiescent: servers that are down keep their place with weight 0; the fallback serves when all are", { skip }, async (context) => {
    await walk(await Watched.build(context, "yes"), "1:0 2:2", "1:0 2:0 3:1");
  });

  it("not quiescent: servers that are down are removed; the fallback serves when all are", { skip }, async (context) => {
    await walk(await Watched.build(context, "no"), "2:2", "3:1");
  });
});
