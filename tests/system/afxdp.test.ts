// The director on NICs (wiring D of docs/OPERATING.md): real requests by AF_XDP over cables, and what a NIC carries
// beside the director's traffic goes on as if nobody were there.

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { it, type TestContext } from "node:test";
import { stringify } from "yaml";
import { SocketDirector } from "../../host/cli/client.js";
import { DIRECTOR_ADDRESS, DIRECTOR_INNER_ADDRESS, VIRTUAL_ADDRESS } from "../../host/lab/addresses.js";
import { lackingXdp, NIC_IN, NIC_OUT } from "../../host/lab/cable.js";
import { Namespace } from "../../host/lab/namespace.js";
import { SERVICE_URL } from "../../host/lab/network.js";
import { ended } from "../../host/lab/process.js";
import type { PortRow } from "../../host/protocol.js";
import { inNamespaces, lacking } from "./inside.js";
import { KERNEL_ADDRESS, KERNEL_INNER_ADDRESS, nicConfig, NicRig, proveIpv6, type NicOptions } from "./nics.js";
import { Lvsd } from "./lvsd.js";
import { assertAnswers, makeFolder, runLvsadm, until } from "./rig.js";
import { comesToRest } from "./rest.js";
import { ringProblem } from "./ringprobe.js";
import { proveTraffic, TRANSFER } from "./traffic.js";

const NEEDED = lackingXdp();

async function ports(rig: NicRig): Promise<PortRow[]> {
  const reply = await new SocketDirector(rig.socketPath).request({ do: "status" });
  assert.ok(reply.ok);
  return reply.value.ports;
}

const programs = (rig: NicRig): number => rig.network.director.show(["-d", "link", "show", "dev", NIC_OUT]).split("prog/xdp").length - 1;

/** Whether peers compute their checksums themselves. */
function offload(state: "on" | "off"): NicOptions {
  return { prepare: ({ client, servers }) => [client, ...servers].forEach((one) => one.output("ethtool", ["-K", "eth0", "tx", state])) };
}

async function reloading(context: TestContext): Promise<void> {
  const rig = await NicRig.start(context, "nat");
  const added = "10.0.1.101";
  const assertSilent = (): void => assert.throws(() => rig.network.client.output("ping", ["-c", "2", "-i", "0.2", "-W", "2", added]));
  assertSilent();
  writeFileSync(rig.configFile, nicConfig(rig.network, { addresses: [`${added}/32`] }));
  assert.match(await rig.lvsd.reload(), /address 10\.0\.1\.101\/32 added/);
  assertAnswers(rig.network.client, added);
  writeFileSync(rig.configFile, nicConfig(rig.network, {}));
  await rig.lvsd.reload();
  assertSilent();
  await proveTraffic(rig);
}

async function othersUndisturbed(context: TestContext): Promise<void> {
  const rig = await NicRig.start(context, "nat");
  const { network, client } = rig;
  await network.start(network.director, "host", "server.js", ["--name", "host", "--port", "80"]);
  const load = client.request({ url: SERVICE_URL, count: 4000, concurrency: 16 });
  assertAnswers(network.client, KERNEL_ADDRESS);
  assertAnswers(network.servers[0] as Namespace, KERNEL_INNER_ADDRESS);
  const own = await client.request({ url: `http://${KERNEL_ADDRESS}/bytes/${TRANSFER.bytes}`, count: 3 });
  assert.deepEqual([own.failures, own.sha256], [{}, TRANSFER.sha256]);
  assert.deepEqual((await load).failures, {});
  assertAnswers(network.client, VIRTUAL_ADDRESS);
  // Both answer ARP from the one NIC, each for its own.
  const neighbours = network.client.show(["neigh", "show"]);
  const macs = [KERNEL_ADDRESS, VIRTUAL_ADDRESS].map((address) => new RegExp(`^${address} .*lladdr (\\S+)`, "m").exec(neighbours)?.[1]);
  assert.equal(macs[0], macs[1]);
  assert.equal(macs[0], (await ports(rig))[0]?.mac);
}

/** Whoever held the NIC's namespace has ended: the director's sockets keep it, but nobody finds the way in. */
async function unreachable(context: TestContext): Promise<void> {
  const [home, far] = [await Namespace.create(`lvs-${process.pid}-home`), await Namespace.create(`lvs-${process.pid}-far`)];
  context.after(() => home.close());
  far.ip(["link add name nic type veth peer name wire", "link set nic up", "link set wire up"]);
  const folder = makeFolder(context);
  const [socketPath, file] = [join(folder, "lvsd.sock"), join(folder, "lvsd.yaml")];
  writeFileSync(file, stringify({ ports: [{ name: "one", device: "nic", namespace: far.path, attach: "xdp", addresses: ["10.0.1.1/24"] }] }));
  const lvsd = await Lvsd.start(home, ["--config", file, "--socket", socketPath]);
  context.after(() => { lvsd.child.kill("SIGKILL"); return ended(lvsd.child); });
  assert.ok(lvsd.isReady, lvsd.log);
  await far.close();
  for (const _ of ["once", "and again"]) {
    assert.match(await lvsd.reload(), /ENOENT.*not reloaded/);
    assert.equal((await runLvsadm(socketPath, "-Ln")).status, 0, lvsd.log);
  }
}

async function endings(context: TestContext): Promise<void> {
  const rig = await NicRig.start(context, "nat");
  assert.equal(programs(rig), 1);
  await rig.lvsd.end("SIGKILL");
  assert.ok(await until(() => programs(rig) === 0), "the program outlives its director");
  assertAnswers(rig.network.client, KERNEL_ADDRESS);
}

async function takenAway(context: TestContext): Promise<void> {
  const rig = await NicRig.start(context, "nat");
  await proveEnd(rig, NIC_IN);
}

/** A NIC goes while something always comes by the other port: nobody ever sleeps so long that nothing has come. */
async function takenAwayBusy(context: TestContext, options: NicOptions, gone: typeof NIC_IN | typeof NIC_OUT): Promise<void> {
  const rig = await NicRig.start(context, "nat", options);
  const { client, servers: [server] } = rig.network;
  assert.ok(server);
  const [asker, asked] = gone === NIC_IN ? [client, DIRECTOR_ADDRESS] : [server, DIRECTOR_INNER_ADDRESS];
  assertAnswers(asker, asked);
  const ping = asker.spawn("ping", ["-q", "-i", "0.01", "-c", "12000", asked], "ignore");
  context.after(() => { ping.kill("SIGKILL"); return ended(ping); });
  await proveEnd(rig, gone);
  assert.equal(ping.exitCode, null, "nobody was busy");
}

async function proveEnd(rig: NicRig, gone: string): Promise<void> {
  rig.network.director.ip([`link del dev ${gone}`]);
  assert.ok(await until(() => rig.lvsd.hasEnded), "it goes on without its NIC");
  assert.match(rig.lvsd.log, new RegExp(`${gone}: the device was taken away`));
  assert.doesNotMatch(rig.lvsd.log, /trapped/);
}

async function idle(context: TestContext): Promise<void> {
  const rig = await NicRig.start(context, "nat");
  await rig.client.request({ url: SERVICE_URL, count: 400, concurrency: 16 });
  await comesToRest(rig.lvsd.child.pid ?? 0);
}

inNamespaces("AF_XDP on NICs", import.meta.url, () => {
  const test = (name: string, work: (context: TestContext) => Promise<void>, skip: string | false = false): void => {
    it(name, { skip: NEEDED || skip }, (context) => work(context as TestContext));
  };

  for (const method of ["nat", "dr", "tun"] as const) {
    test(`${method}: requests by weight, 3 MB both ways`, async (context) => proveTraffic(await NicRig.start(context, method)));
  }

  test("nat, the program behind the driver: generic", async (context) => {
    // A cable's end without XDP of its own hands over segments of 64 KB: the peers must not make them.
    const rig = await NicRig.start(context, "nat", {
      mode: "generic",
      prepare: ({ wire }) => [NIC_OUT, NIC_IN].forEach((name) => wire.output("ethtool", ["-K", `far-${name}`, "tso", "off", "gso", "off"])),
    });
    assert.match((await ports(rig))[0]?.driverReason ?? "", /^generic: the configuration says so$/);
    await proveTraffic(rig);
  }, lacking("ethtool"));

  for (const state of ["on", "off"] as const) {
    test(`nat, the peers' checksum offload ${state}`, async (context) => proveTraffic(await NicRig.start(context, "nat", offload(state))), lacking("ethtool"));
  }

  test("nat over IPv6", (context) => proveIpv6(context));

  for (const driver of ["tap", "uring"] as const) {
    test(`a NIC and a TAP in one director, the TAP by ${driver}`, async (context) => {
      const rig = await NicRig.start(context, "nat", { in: "tap", driver });
      assert.deepEqual((await ports(rig)).map((port) => port.driver), ["afxdp", driver]);
      await proveTraffic(rig);
    }, driver === "uring" && (ringProblem() ?? false));
  }

  test("status says how each NIC runs, and counts at its queues", async (context) => {
    const rig = await NicRig.start(context, "nat");
    await proveTraffic(rig);
    const { stdout } = await runLvsadm(rig.socketPath, "status");
    assert.match(stdout, /driver afxdp: native: the NIC's driver runs the program; frames are copied once, as zero-copy is not to be had: /);
    assert.match(stdout, /queue 0: dropped 0, receive ring full 0, fill ring empty 0, .* bad chunks 0, bad frames sent 0/);
  });

  test("several queues: each has a socket, and all traffic is whole", async (context) => {
    const rig = await NicRig.start(context, "nat", { queues: 4 });
    await proveTraffic(rig);
    assert.deepEqual((await ports(rig)).map((port) => port.queues.length), [4, 4]);
    assert.deepEqual((await ports(rig)).flatMap((port) => port.queues.map((queue) => queue.invalid)), Array<number>(8).fill(0));
  });

  test("the kernel's own traffic on the NICs is undisturbed, under load too", othersUndisturbed, lacking("ping"));
  test("HUP where the NIC's namespace cannot be entered any more changes nothing, and the director goes on", unreachable);
  test("HUP: a new address is the director's, one that is gone is not", reloading, lacking("ping"));
  test("a killed director leaves no program behind", endings, lacking("ping"));
  test("a NIC that is taken away ends the director with one clear word", takenAway);
  test("a NIC that is taken away while the other is busy, too", (context) => takenAwayBusy(context, {}, NIC_IN), lacking("ping"));
  for (const driver of ["tap", "uring"] as const) {
    test(`a NIC that is taken away while a TAP is busy, by ${driver}, too`, (context) => takenAwayBusy(context, { in: "tap", driver }, NIC_OUT),
      lacking("ping") || (driver === "uring" && (ringProblem() ?? false)));
  }
  test("it is quiet when nothing happens", idle);
});
