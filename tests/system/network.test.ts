// The laboratory without a director: its namespaces, wires, servers and client are what they say.

import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readdirSync, readlinkSync } from "node:fs";
import { it, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import {
  CLIENT_ADDRESS, DIRECTOR_ADDRESS, DIRECTOR_INNER_ADDRESS, HOST_KERNEL_MAC, HOST_PORT_ADDRESS, VIRTUAL_ADDRESS,
  serverAddress,
} from "../../host/lab/addresses.js";
import { Client } from "../../host/lab/client.js";
import { Door } from "../../host/lab/door.js";
import { buildTcp, isIntact } from "../../host/lab/frames.js";
import { Network } from "../../host/lab/network.js";
import { patternBytes } from "../../host/lab/pattern.js";
import { close } from "../../host/io/sys/libc.js";
import { openTap } from "../../host/io/sys/tun.js";
import { firstLine } from "../../host/lab/process.js";
import { inNamespaces } from "./inside.js";
import { PATIENT_MS, until } from "./rig.js";
import { ETHERNET_BYTES, TapEnd, addressAt, macAt, wrap } from "./tapend.js";

const SYN = 0x02;
const SYN_ACK = 0x12;
const ICMP = 1;
const MANY = 1000; // more than a socket nobody reads can hold
const ANSWER_MS = 30_000;
const SILENCE_MS = 300;
const FAR_ADDRESS = "10.0.1.60"; // nobody's: the test answers for it
const TEST_MAC = "02:00:00:00:00:01";

const digest = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");
const interfaces = (): string => spawnSync("ip", ["-o", "link"], { encoding: "utf8" }).stdout;

/** Processes that are in one of these namespaces. */
function inhabitants(namespaces: ReadonlySet<string>): string[] {
  return readdirSync("/proc").filter((name) => /^\d+$/.test(name)).filter((pid) => {
    try {
      return namespaces.has(readlinkSync(`/proc/${pid}/ns/net`));
    } catch {
      return false; // gone, or not ours
    }
  });
}

/** A network that goes with its test. */
async function build(context: TestContext, ...wish: Parameters<typeof Network.build>): Promise<Network> {
  const network = await Network.build(...wish);
  context.after(() => network.stop());
  return network;
}

/** The director's TAPs, opened by the test and plugged in. */
async function plugged(context: TestContext, network: Network): Promise<TapEnd[]> {
  const ends = network.taps.map((tap, index) => new TapEnd(tap, `02:00:00:00:00:0${index + 1}`));
  context.after(() => ends.forEach((end) => end.close()));
  await network.plug();
  return ends;
}

/** A server's own address of its interface. */
function macOfServer(network: Network, index: number): string {
  return /link\/ether (\S+)/.exec(network.servers[index]?.show(["link", "show", "eth0"]) ?? "")?.[1] ?? "";
}

function tests(): void {
  it("opens TAPs with the flags asked for, where asked, and closes them away", async (context) => {
    const network = await build(context, "nat", 1);
    const before = interfaces();
    const options = { vnetHeader: true, offloads: true, namespacePath: network.wire.path };
    const fd = openTap("lvs-out", options);
    const shown = network.wire.show(["-d", "link", "show", "lvs-out"]);
    assert.match(shown, /tun type tap pi off vnet_hdr on/);
    assert.equal(interfaces(), before, "the TAP appeared in the caller's own namespace");
    assert.throws(() => openTap("lvs-out", options), /lvs-out.*EBUSY.*another program/);
    close(fd);
    assert.notEqual(network.wire.tryIp(["link show dev lvs-out"]), "");
    assert.throws(() => openTap("sixteen-letters-", options), RangeError);
    assert.throws(() => openTap("lvs-out", { ...options, namespacePath: "/proc/0/ns/net" }), /ENOENT/);
  });

  it("nat: each side is reached through its own TAP, and the sides not through each other", async (context) => {
    const network = await build(context, "nat");
    await network.startServers();
    const client = await Client.start(network);
    const [out, inner] = await plugged(context, network);
    assert.ok(out && inner);
    assert.match(network.wire.show(["-d", "link", "show", "lvs-out"]), /mtu 1500.*master lan-clients.*qlen 2000/);
    assert.match(network.wire.show(["link", "show", "lvs-in"]), /master lan-servers/);
    assert.notEqual(await out.ask(CLIENT_ADDRESS, DIRECTOR_ADDRESS, ANSWER_MS), "");
    for (let number = 1; number <= 3; number++) {
      const address = serverAddress("nat", number);
      assert.equal(await inner.ask(address, DIRECTOR_INNER_ADDRESS, ANSWER_MS), macOfServer(network, number - 1));
      assert.equal(await out.ask(address, DIRECTOR_ADDRESS, SILENCE_MS), "");
    }
    assert.match(network.servers[0]?.show(["route"]) ?? "", /default via 10\.0\.2\.1 dev eth0/);
    const report = await client.request({ url: `http://${serverAddress("nat", 1)}:8080/` });
    assert.deepEqual([report.succeeded, report.failures], [0, { ENETUNREACH: 1 }]);
  });

  it("dr: servers answer the client, and keep silent about the virtual address", async (context) => {
    const network = await build(context, "dr", 2);
    await network.startServers();
    const client = await Client.start(network);
    const [out] = await plugged(context, network);
    assert.ok(out);
    const server = macOfServer(network, 1);
    assert.equal(await out.ask(VIRTUAL_ADDRESS, DIRECTOR_ADDRESS, SILENCE_MS), "");
    assert.equal(await out.ask(serverAddress("dr", 2), DIRECTOR_ADDRESS, ANSWER_MS), server);
    // A frame to the virtual address, on the server's own MAC: what a director in DR sends.
    out.send(syn(server, 40000));
    assertAnswer(await out.receiveFor(FAR_ADDRESS, isTcpTo(40000), ANSWER_MS), server, 40000);

    const report = await client.request({ url: `http://${serverAddress("dr", 2)}/`, count: 20, concurrency: 4 });
    assert.deepEqual([report.succeeded, report.servers, report.sample], [20, { server2: 20 }, "server2\n"]);
  });

  it("tun: a server takes a tunnel's frame apart and answers from the virtual address", async (context) => {
    const network = await build(context, "tun", 1);
    await network.startServers();
    const [out] = await plugged(context, network);
    assert.ok(out);
    const server = macOfServer(network, 0);
    const frame = (clientPort: number): Buffer => wrap(syn(server, clientPort), DIRECTOR_ADDRESS, serverAddress("tun", 1));
    out.send(frame(40000));
    assertAnswer(await out.receiveFor(FAR_ADDRESS, isTcpTo(40000), ANSWER_MS), server, 40000);
    // What an engine hands on from a client of this machine: the inner checksum is not yet there.
    out.sendPartial(frame(40001), ETHERNET_BYTES + 20 + 20);
    assertAnswer(await out.receiveFor(FAR_ADDRESS, isTcpTo(40001), ANSWER_MS), server, 40001);
    // And one that is wrong stays wrong: no decapsulator may heal it.
    const broken = frame(40002);
    broken.writeUInt16BE(broken.readUInt16BE(70) ^ 1, 70);
    out.send(broken);
    for (let count = 0; count < MANY; count++) out.send(broken);
    const complaint = (answer: Buffer): boolean => isTcpTo(40002)(answer) || answer[23] === ICMP;
    assert.equal(await out.receiveFor(DIRECTOR_ADDRESS, complaint, SILENCE_MS), undefined);
  });

  it("local: the director's own kernel answers behind its TAP", async (context) => {
    const network = await build(context, "local");
    await network.startServers();
    const [, host] = await plugged(context, network);
    assert.ok(host);
    host.send(syn(HOST_KERNEL_MAC, 40000));
    assertAnswer(await host.receiveFor(HOST_PORT_ADDRESS, isTcpTo(40000), ANSWER_MS), HOST_KERNEL_MAC, 40000);
  });

  it("servers send what they say, the client counts what it gets, failures by reason", async (context) => {
    const network = await build(context, "dr", 1);
    await network.startServers();
    const client = await Client.start(network);
    const url = `http://${serverAddress("dr", 1)}`;
    const some = await client.request({ url, count: 20, concurrency: 4 });
    assert.deepEqual([some.succeeded, some.connections], [20, 20]);
    const kept = await client.request({ url, count: 20, concurrency: 4, keepAlive: true });
    assert.deepEqual([kept.succeeded, kept.connections], [20, 4]);
    const [down, up, missing, refused] = await Promise.all([
      client.request({ url: `${url}/bytes/300000` }),
      client.request({ url, bodyBytes: 200_000 }),
      client.request({ url: `${url}/nothing` }),
      client.request({ url: `http://${serverAddress("dr", 1)}:81/`, count: 3 }),
    ]);
    assert.deepEqual([down.bytes, down.sha256], [300_000, digest(patternBytes(0, 300_000))]);
    assert.equal(up.sample, `${digest(patternBytes(0, 200_000))}\n`);
    assert.deepEqual(missing.failures, { "status 404": 1 });
    assert.deepEqual(refused.failures, { ECONNREFUSED: 3 });
    await assert.rejects(client.request({ url, count: -1 }), /count/);
  });

  it("the door joins a connection of this machine to one from the client", async (context) => {
    const network = await build(context, "dr", 1);
    await network.startServers();
    const client = await Client.start(network);
    const door = await Door.open(client, { port: 0, to: { host: serverAddress("dr", 1), port: 80 } });
    context.after(() => door.close());
    assert.equal(await (await fetch(`${door.url}/`)).text(), "server1\n");
    const bytes = Buffer.from(await (await fetch(`${door.url}/bytes/3000000`)).arrayBuffer());
    assert.equal(digest(bytes), digest(patternBytes(0, 3_000_000)));
    const posted = await fetch(door.url, { method: "POST", body: new Uint8Array(patternBytes(0, 300_000)) });
    assert.equal(await posted.text(), `${digest(patternBytes(0, 300_000))}\n`);
  });

  it("stop leaves no process, interface or namespace", async () => {
    const before = interfaces();
    const network = await Network.build("nat");
    const all = [network.client, network.director, network.wire, ...network.servers];
    const namespaces = new Set(all.map((namespace) => readlinkSync(namespace.path)));
    assert.equal(namespaces.size, 6);
    await network.startServers();
    await Client.start(network);
    const alive = inhabitants(namespaces).length;
    await network.stop();
    assert.equal(alive, 6 + 3 + 1);
    assert.deepEqual(inhabitants(namespaces), []);
    assert.equal(interfaces(), before);
  });

  it("SIGKILL leaves nothing either", async () => {
    const program = fileURLToPath(new URL("victim.js", import.meta.url));
    const victim = spawn(process.execPath, [program], { stdio: ["ignore", "pipe", "pipe"] });
    const namespaces = new Set(JSON.parse(await firstLine(victim, "victim", PATIENT_MS)) as string[]);
    assert.ok(inhabitants(namespaces).length >= 5);
    victim.kill("SIGKILL");
    await until(() => inhabitants(namespaces).length === 0);
    assert.deepEqual(inhabitants(namespaces), []);
  });
}

/** A client's first segment to the service, as a director would put it on a wire. */
function syn(macTo: string, sourcePort: number): Buffer {
  return Buffer.from(buildTcp({ macTo, macFrom: TEST_MAC, source: FAR_ADDRESS, sourcePort, target: VIRTUAL_ADDRESS,
    targetPort: 80, flags: SYN }));
}

function isTcpTo(port: number): (frame: Buffer) => boolean {
  return (frame) => frame[23] === 6 && frame.readUInt16BE(36) === port;
}

function assertAnswer(frame: Buffer | undefined, mac: string, clientPort: number): void {
  assert.ok(frame, "no answer to the SYN");
  assert.equal(macAt(frame, 6), mac);
  assert.deepEqual([addressAt(frame, 26), addressAt(frame, 30)], [VIRTUAL_ADDRESS, FAR_ADDRESS]);
  assert.deepEqual([frame.readUInt16BE(34), frame.readUInt16BE(36), frame[47]], [80, clientPort, SYN_ACK]);
  assert.equal(frame.readUInt32BE(42), 1001);
  assert.ok(isIntact(frame));
}

inNamespaces("a laboratory in namespaces", import.meta.url, tests);
