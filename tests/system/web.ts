// A web farm of a test: the laboratory with both families, its servers, a director with the test's rules.

import assert from "node:assert/strict";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { serverAddress, serverPort, type Method } from "../../host/lab/addresses.js";
import { Client } from "../../host/lab/client.js";
import { LabDirector } from "../../host/lab/director.js";
import { addIpv6, EXTRA6 } from "./ipv6.js";
import { Network } from "../../host/lab/network.js";
import { patternBytes } from "../../host/lab/pattern.js";
import { makeFolder, runLvsadm } from "./rig.js";
import { digest } from "./webserver.js";

const SERVERS = 2;
const REQUESTS = 1000;
const CONCURRENCY = 16;
const TRANSFER_BYTES = 1 << 20;
// Clients use a port again long before a director that only sees their half forgets its connection. As on a
// busy site, those are given to a server anew (mode 3): only then are 1000 requests distributed exactly.
const FIELDS = { sysctl: { conn_reuse_mode: 3 } };


/** A client, a director with nothing to do yet, two servers that take every tunnel apart. */
export class Farm {
  private constructor(readonly network: Network, readonly client: Client, private readonly socketPath: string) {}

  static async build(context: TestContext, method: Exclude<Method, "local">): Promise<Farm> {
    const network = await Network.build(method, SERVERS);
    context.after(() => network.stop());
    assert.ok(addIpv6(network));
    const words = ["--port", String(serverPort(method)), "--address", "::", ...method === "nat" ? [] : ["--tunnels", "eth0"]];
    await Promise.all(network.servers.map((server, index) => {
      const name = `server${index + 1}`;
      return network.start(server, name, "server.js", ["--name", name, ...words]);
    }));
    const socketPath = join(makeFolder(context), "lvsd.sock");
    const director = await LabDirector.start(network, socketPath, [], { ...EXTRA6, fields: FIELDS });
    context.after(() => director.stop());
    return new Farm(network, await Client.start(network), socketPath);
  }

  private async adm(line: string): Promise<void> {
    const done = await runLvsadm(this.socketPath, line);
    assert.deepEqual([done.status, done.stderr], [0, ""], `lvsadm ${line}`);
  }

  /** A service, and nothing but it, with two servers by turns. */
  async serve(service: string, servers: readonly string[], how: string): Promise<void> {
    await this.adm("-C");
    await this.adm(`-A -t ${service} -s rr`);
    for (const server of servers) await this.adm(`-a -t ${service} -r ${server} ${how}`);
  }

  /** 1000 requests, each answered, the servers exactly by turns; 1 MB down and up without a byte changed. */
  async use(url: string): Promise<void> {
    const many = await this.client.request({ url: `${url}/`, count: REQUESTS, concurrency: CONCURRENCY });
    assert.deepEqual([many.succeeded, many.failures], [REQUESTS, {}]);
    assert.deepEqual(many.servers, { server1: REQUESTS / 2, server2: REQUESTS / 2 });
    const down = await this.client.request({ url: `${url}/bytes/${TRANSFER_BYTES}` });
    assert.deepEqual([down.failures, down.bytes, down.sha256], [{}, TRANSFER_BYTES, digest(patternBytes(0, TRANSFER_BYTES))]);
    const up = await this.client.request({ url: `${url}/`, bodyBytes: TRANSFER_BYTES });
    assert.deepEqual([up.failures, up.sample], [{}, `${digest(patternBytes(0, TRANSFER_BYTES))}\n`]);
  }

  /** What both servers took out of tunnels so far, by kind. */
  async tunnels(): Promise<Record<string, number>> {
    const total: Record<string, number> = {};
    for (let number = 1; number <= SERVERS; number++) {
      const report = await this.client.request({ url: `http://${serverAddress(this.network.method, number)}/tunnels` });
      for (const [kind, count] of Object.entries(JSON.parse(report.sample) as Record<string, number>)) total[kind] = (total[kind] ?? 0) + count;
    }
    return total;
  }

  /** As use(), and all of it came through one kind of tunnel: a packet of each request at the very least. */
  async useThrough(url: string, kind: string): Promise<void> {
    const before = await this.tunnels();
    await this.use(url);
    const grown = Object.entries(await this.tunnels()).filter(([one, count]) => count !== (before[one] ?? 0));
    assert.deepEqual(grown.map(([one]) => one), [kind]);
    assert.ok((grown[0]?.[1] ?? 0) - (before[kind] ?? 0) > REQUESTS);
  }
}
