// nginx on the real servers and curl before the director: both families, every method, every kind of tunnel, families mixed.

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { it, type TestContext } from "node:test";
import { serverAddress, serverPort, VIRTUAL_ADDRESS, type Method } from "../../host/lab/addresses.js";
import { LabDirector } from "../../host/lab/director.js";
import { addIpv6, EXTRA6, serverAddress6, VIRTUAL_ADDRESS6 } from "./ipv6.js";
import { Network } from "../../host/lab/network.js";
import { GUE_PORT } from "../../host/lab/unwrap.js";
import { runClient } from "./foreign.js";
import { inNamespaces, lacking } from "./inside.js";
import { makeFolder, runLvsadm } from "./rig.js";
import { digest, WebServers } from "./webserver.js";

const SERVERS = 2;
const REQUESTS = 20;
const TRANSFER_BYTES = 1 << 20;
/** The director sees only the client's half of these: a port that comes again is a new connection (docs/IPVSADM.md). */
const FIELDS = { sysctl: { conn_reuse_mode: 3 } };
/** curl's own words after a request: how it ended, and who answered. */
const TOLD = "%{http_code} %header{x-server}\\n";

interface Site { network: Network; web: WebServers; socketPath: string; folder: string }

async function build(context: TestContext, method: Exclude<Method, "local">): Promise<Site> {
  const network = await Network.build(method, SERVERS);
  context.after(() => network.stop());
  assert.ok(addIpv6(network));
  const web = new WebServers(context, TRANSFER_BYTES);
  await web.start(network, method === "nat" ? undefined : "eth0");
  const folder = makeFolder(context);
  const socketPath = join(folder, "lvsd.sock");
  const director = await LabDirector.start(network, socketPath, [], { ...EXTRA6, fields: FIELDS });
  context.after(() => director.stop());
  return { network, web, socketPath, folder };
}

async function serve(site: Site, family: Family, serverFamily: Family, how: string): Promise<void> {
  const { method } = site.network;
  const service = `${shown(family, VIRTUAL_ADDRESS, VIRTUAL_ADDRESS6)}:80`;
  const servers = [1, 2].map((n) => `${shown(serverFamily, serverAddress(method, n), serverAddress6(method, n))}:${serverPort(method)}`);
  for (const line of ["-C", `-A -t ${service} -s rr`, ...servers.map((one) => `-a -t ${service} -r ${one} ${how}`)]) {
    const done = await runLvsadm(site.socketPath, line);
    assert.deepEqual([done.status, done.stderr], [0, ""], `lvsadm ${line}`);
  }
}

async function curl(site: Site, ...words: string[]): Promise<string> {
  const done = await runClient(site.network.client, "curl", ["-sS", "--fail", "--noproxy", "*", "--max-time", "20", ...words]);
  assert.equal(done.status, 0, `curl ${words.join(" ")}: ${done.stderr}`);
  return done.stdout;
}

/** Requests, each on a connection of its own, the servers by turns; a file down and up, no byte changed. */
async function use(site: Site, family: Family): Promise<void> {
  const url = `http://${shown(family, VIRTUAL_ADDRESS, VIRTUAL_ADDRESS6)}`;
  const request = ["--next", "-sS", "--fail", "-H", "Connection: close", "-o", "/dev/null", "-w", TOLD, `${url}/`];
  const each = Array.from({ length: REQUESTS }, () => request).flat().slice(1);
  const told = (await curl(site, ...each)).trim().split("\n").sort();
  assert.deepEqual(told, ["server1", "server2"].flatMap((name) => Array.from({ length: REQUESTS / 2 }, () => `200 ${name}`)));
  const [down, up] = [join(site.folder, "down"), join(site.folder, "up")];
  await curl(site, "-o", down, `${url}/files/down`);
  assert.equal(digest(readFileSync(down)), digest(site.web.content));
  writeFileSync(up, site.web.content);
  const name = `up-${process.hrtime.bigint()}`;
  await curl(site, "-T", up, `${url}/files/${name}`);
  assert.equal(site.web.arrived(name), digest(site.web.content));
}

type Family = 4 | 6;
const shown = (family: Family, four: string, six: string): string => (family === 4 ? four : `[${six}]`);
const FAMILIES: readonly Family[] = [4, 6];
const GUE = `--tun-type gue --tun-port ${GUE_PORT}`;
const TUNNELS = ["-i", "-i --tun-type gre", "-i --tun-type gre --tun-csum", `-i ${GUE}`, `-i ${GUE} --tun-csum`];

const skip = lacking("nginx", "curl", "setpriv");

inNamespaces("nginx and curl", import.meta.url, () => {
  it("nat and dr, IPv4 and IPv6", { skip }, async (context) => {
    for (const [method, how] of [["nat", "-m"], ["dr", "-g"]] as const) {
      const site = await build(context, method);
      for (const family of FAMILIES) {
        await context.test(`${method}, IPv${family}`, async () => {
          await serve(site, family, family, how);
          await use(site, family);
        });
      }
    }
  });

  it("every tunnel around and inside both families", { skip }, async (context) => {
    const site = await build(context, "dr");
    for (const how of TUNNELS) {
      for (const family of FAMILIES) {
        for (const outer of FAMILIES) {
          await context.test(`${how}, IPv${family} in IPv${outer}`, async () => {
            await serve(site, family, outer, how);
            await use(site, family);
          });
        }
      }
    }
  });
});
