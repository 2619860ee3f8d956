// A real FTP server behind VS-NAT, real clients before it: every way a data connection can be made.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { chmodSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { it, type TestContext } from "node:test";
import { VIRTUAL_ADDRESS, serverAddress } from "../../host/lab/addresses.js";
import { LabDirector } from "../../host/lab/director.js";
import { addIpv6, EXTRA6, serverAddress6, VIRTUAL_ADDRESS6 } from "./ipv6.js";
import { Network } from "../../host/lab/network.js";
import { patternBytes } from "../../host/lab/pattern.js";
import { runClient } from "./foreign.js";
import { inNamespaces, lacking, works } from "./inside.js";
import { makeFolder, until, type Outcome } from "./rig.js";
import { startVsftpd } from "./vsftpd.js";

const FILE_BYTES = 1 << 20;
const SERVERS = 2;
const OTHER_PORT = 2121;
const REFUSED_S = "3";

const digest = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");

interface Site { network: Network; director: LabDirector; work: string; seen: string[]; down: Buffer; up: Buffer }

function rules(port: number): string[] {
  return [
    `-A -t ${VIRTUAL_ADDRESS}:${port} -s rr`, `-A -t [${VIRTUAL_ADDRESS6}]:${port} -s rr`,
    ...[1, 2].flatMap((number) => [
      `-a -t ${VIRTUAL_ADDRESS}:${port} -r ${serverAddress("nat", number)}:21 -m`,
      `-a -t [${VIRTUAL_ADDRESS6}]:${port} -r [${serverAddress6("nat", number)}]:21 -m`,
    ]),
  ];
}

/** Two FTP servers behind a director that knows its FTP ports as told. */
async function build(context: TestContext, ports: readonly number[], fields: Record<string, unknown> = {}): Promise<Site> {
  const work = makeFolder(context);
  chmodSync(work, 0o755);
  const network = await Network.build("nat", SERVERS);
  context.after(() => network.stop());
  assert.ok(addIpv6(network));
  const down = patternBytes(0, FILE_BYTES);
  const up = patternBytes(FILE_BYTES, FILE_BYTES);
  writeFileSync(join(work, "up"), up);
  const seen = await Promise.all(network.servers.map((server, index) =>
    startVsftpd(context, server, join(work, `server${index + 1}`), { data: down })));
  const director = await LabDirector.start(network, join(work, "lvsd.sock"), ports.flatMap(rules), { ...EXTRA6, fields });
  context.after(() => director.stop());
  return { network, director, work, seen, down, up };
}

/** The file that a client put there, at whichever server it came to. */
function uploaded(site: Site, name: string): Buffer[] {
  return site.seen.map((path) => join(path, "upload", name)).filter((path) => existsSync(path)).map((path) => readFileSync(path));
}

function assertDone(done: Outcome, what: string): void {
  assert.equal(done.status, 0, `${what}: status ${done.status}: ${done.stdout}${done.stderr}`);
}

/** Down and up by curl; hashes on both ends. `command` is what the client must have said to the server. */
async function byCurl(site: Site, url: string, way: string, switches: readonly string[], command: RegExp): Promise<void> {
  const got = join(site.work, `${way}.got`);
  const down = await runClient(site.network.client, "curl", ["-sSv", ...switches, "-o", got, `${url}/data`]);
  assertDone(down, `${way} down`);
  assert.match(down.stderr, command);
  assert.equal(digest(readFileSync(got)), digest(site.down));
  assertDone(await runClient(site.network.client, "curl", ["-sS", ...switches, "-T", join(site.work, "up"), `${url}/upload/${way}`]), `${way} up`);
  assert.deepEqual(uploaded(site, way).map(digest), [digest(site.up)]);
}

const WAYS: readonly [string, string, readonly string[], RegExp][] = [
  ["passive, IPv4", VIRTUAL_ADDRESS, ["--disable-epsv"], /> PASV\r?\n[^]*< 227 /],
  ["extended passive, IPv4", VIRTUAL_ADDRESS, [], /> EPSV\r?\n[^]*< 229 /],
  ["PORT, IPv4", VIRTUAL_ADDRESS, ["--ftp-port", "-", "--disable-eprt"], /> PORT 10,0,1,50,\d+,\d+\r?\n[^]*< 200 /],
  ["EPRT, IPv4", VIRTUAL_ADDRESS, ["--ftp-port", "-"], /> EPRT \|1\|10\.0\.1\.50\|\d+\|\r?\n[^]*< 200 /],
  ["extended passive, IPv6", `[${VIRTUAL_ADDRESS6}]`, [], /> EPSV\r?\n[^]*< 229 /],
  ["EPRT, IPv6", `[${VIRTUAL_ADDRESS6}]`, ["--ftp-port", "-"], /> EPRT \|2\|fd00:1::50\|\d+\|\r?\n[^]*< 200 /],
];

const LFTP = "set cmd:fail-exit yes; set net:max-retries 1; set net:timeout 30;";

/** Several transfers over one command connection: the sequence numbers shift again and again. */
async function byLftp(site: Site, way: string, host: string, passive: boolean): Promise<void> {
  const names = [1, 2, 3].map((number) => `${way}${number}`);
  const orders = names.flatMap((name) => [`get data -o ${join(site.work, `${name}.got`)}`, `put ${join(site.work, "up")} -o upload/${name}`]);
  const script = `${LFTP} set ftp:passive-mode ${passive}; open -u anonymous,x ftp://${host}; ${orders.join("; ")}`;
  assertDone(await runClient(site.network.client, "lftp", ["-c", script]), way);
  for (const name of names) {
    assert.equal(digest(readFileSync(join(site.work, `${name}.got`))), digest(site.down));
    assert.deepEqual(uploaded(site, name).map(digest), [digest(site.up)]);
  }
}

/** The classic client, by its own words. */
async function byFtp(site: Site, way: string, host: string, switches: readonly string[]): Promise<void> {
  const orders = [
    "user anonymous x", "binary", `get data ${join(site.work, `${way}.got`)}`, `put ${join(site.work, "up")} upload/${way}`, "bye", "",
  ];
  const done = await runClient(site.network.client, "ftp", ["-n", "-v", ...switches, host], orders.join("\n"));
  assert.match(done.stdout, /226 Transfer complete[^]*226 Transfer complete/, `${done.stdout}${done.stderr}`);
  assert.equal(digest(readFileSync(join(site.work, `${way}.got`))), digest(site.down));
  assert.deepEqual(uploaded(site, way).map(digest), [digest(site.up)]);
}

// vsftpd changes its user, which cannot be done where only one user exists.
const hasUsers = works("setpriv", ["--reuid", "65534", "--regid", "65534", "--clear-groups", "true"]);

function reason(...clients: readonly string[]): string | false {
  return lacking("vsftpd", "setpriv", ...clients) || (hasUsers ? false : "vsftpd needs users to change to, and here is one");
}

inNamespaces("FTP through the director", import.meta.url, () => {
  it("curl: passive, extended passive, PORT and EPRT, both families, 1 MB both ways", { skip: reason("curl") }, async (context) => {
    const site = await build(context, [21]);
    for (const [way, host, switches, command] of WAYS) {
      await context.test(way, () => byCurl(site, `ftp://${host}`, way.replaceAll(/\W+/g, "-"), switches, command));
    }
  });

  it("lftp: six transfers over each command connection", { skip: reason("lftp") }, async (context) => {
    const site = await build(context, [21]);
    await byLftp(site, "passive4", VIRTUAL_ADDRESS, true);
    await byLftp(site, "active4", VIRTUAL_ADDRESS, false);
    await byLftp(site, "passive6", `[${VIRTUAL_ADDRESS6}]`, true);
    await byLftp(site, "active6", `[${VIRTUAL_ADDRESS6}]`, false);
  });

  it("ftp: the classic client, active and passive", { skip: reason("ftp") }, async (context) => {
    const site = await build(context, [21]);
    await byFtp(site, "passive", VIRTUAL_ADDRESS, ["-p"]);
    await byFtp(site, "active", VIRTUAL_ADDRESS, ["-A"]);
    await byFtp(site, "active6", VIRTUAL_ADDRESS6, ["-A"]);
  });

  it("ftp-ports: a port is FTP when the configuration says so, also after a reload", { skip: reason("curl") }, async (context) => {
    const site = await build(context, [OTHER_PORT]);
    const url = `ftp://${VIRTUAL_ADDRESS}:${OTHER_PORT}`;
    const refused = await runClient(site.network.client, "curl", ["-sS", "--connect-timeout", REFUSED_S, "-o", "/dev/null", `${url}/data`]);
    assert.notEqual(refused.status, 0, "a data connection was made through a port that is not FTP's");
    let log = "";
    site.director.onLog((text) => (log += text));
    const { configFile } = site.director;
    writeFileSync(configFile, `${readFileSync(configFile, "utf8")}ftp-ports: [21, ${OTHER_PORT}]\n`);
    site.director.signal("SIGHUP");
    assert.ok(await until(() => log.includes("reloaded")), "the configuration is read again");
    assert.match(log, /ftp-ports = 21, 2121/);
    await byCurl(site, url, "reloaded", ["--disable-epsv"], /< 227 /);
  });
});
