// The director on NICs that it shares with the kernel (wiring C of docs/OPERATING.md): packet sockets, and where it can
// be had AF_XDP beside them. Small packets come by AF_XDP, bulk by the sockets, and nothing is lost when that changes.

import assert from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";
import { it, type TestContext } from "node:test";
import { SocketDirector } from "../../host/cli/client.js";
import { Assembler } from "../../host/io/sys/assembler.js";
import { attachXdp, loadXdp, XdpPlace } from "../../host/io/sys/bpf.js";
import { close, interfaceIndex } from "../../host/io/sys/libc.js";
import { inNamespace } from "../../host/io/sys/netns.js";
import { DIRECTOR_INNER_ADDRESS } from "../../host/lab/addresses.js";
import { lackingXdp, NIC_IN, NIC_OUT } from "../../host/lab/cable.js";
import { SERVICE_URL } from "../../host/lab/network.js";
import type { PortRow } from "../../host/protocol.js";
import { inNamespaces, lacking } from "./inside.js";
import { KERNEL_ADDRESS, NicRig, proveIpv6, type NicOptions } from "./nics.js";
import { comesToRest } from "./rest.js";
import { assertAnswers, until } from "./rig.js";
import { ringProblem } from "./ringprobe.js";
import { proveTraffic } from "./traffic.js";

const LACKS_XDP = lackingXdp();
const LACKS_RING = ringProblem() ?? false;
const LONG_BYTES = 64 << 20;
/** Frames that wait for a director that stands still. */
const WAITING = 5;
const CALM_MS = 1000;
const XDP_PASS = 2;

const start = (context: TestContext, method: "nat" | "dr" | "tun", options: NicOptions = {}): Promise<NicRig> =>
  NicRig.start(context, method, { attach: "nic", ...options });

async function ports(rig: NicRig): Promise<PortRow[]> {
  const reply = await new SocketDirector(rig.socketPath).request({ do: "status" });
  assert.ok(reply.ok);
  return reply.value.ports;
}

/** Whether the shortcut of a NIC is open. */
const isOpen = (rig: NicRig, nic = NIC_OUT): boolean => rig.network.director.show(["-d", "link", "show", "dev", nic]).includes("prog/xdp");

async function changes(context: TestContext): Promise<void> {
  const rig = await start(context, "nat");
  assert.deepEqual([isOpen(rig), isOpen(rig, NIC_IN)], [true, true]);
  // Many small answers go on meanwhile.
  for (let round = 0; round < 2; round++) {
    const load = rig.client.request({ url: SERVICE_URL, count: 2000, concurrency: 8 });
    await duringBulk(rig, () => !isOpen(rig, NIC_IN));
    assert.deepEqual((await load).failures, {});
    assert.ok(await until(() => isOpen(rig, NIC_IN)), "AF_XDP is not taken again");
    await proveTraffic(rig);
  }
}

/** Answers of many megabytes come in by the servers' side, one after the other, until something is seen, however late one looks. */
async function duringBulk(rig: NicRig, isSeen: () => boolean): Promise<void> {
  let isOver = false;
  const bulk = async (): Promise<void> => {
    while (!isOver) {
      const { failures, succeeded } = await rig.client.request({ url: `${SERVICE_URL}/bytes/${LONG_BYTES}` });
      assert.deepEqual([failures, succeeded], [{}, 1]);
    }
  };
  const look = async (): Promise<void> => {
    const isFound = await until(isSeen);
    isOver = true;
    assert.ok(isFound, "the program is still in bulk's way");
  };
  await Promise.all([bulk(), look()]);
}

/** Somebody else hangs a program on the NIC while the director's own is away. */
async function occupied(context: TestContext): Promise<void> {
  const rig = await start(context, "nat");
  const { path } = rig.network.director;
  const reason = async (): Promise<string> => (await ports(rig))[1]?.driverReason ?? "";
  const program = loadXdp(new Assembler().set(0, XDP_PASS).exit().finish());
  let link = -1;
  const isTaken = (): boolean => {
    try {
      link = inNamespace(path, () => attachXdp(program, NIC_IN, interfaceIndex(NIC_IN), XdpPlace.Generic));
      return true;
    } catch {
      return false; // the director's own is there
    }
  };
  try {
    await duringBulk(rig, isTaken);
    assert.ok(await until(async () => (await reason()).includes("just now without AF_XDP: ")), "status does not say it");
    assert.match(rig.lvsd.log, /does without AF_XDP/);
    assert.deepEqual((await rig.client.request({ url: SERVICE_URL, count: 100, concurrency: 4 })).failures, {});
  } finally {
    [link, program].forEach((descriptor) => close(descriptor));
  }
  assert.ok(await until(() => isOpen(rig, NIC_IN)), "AF_XDP is not taken again");
  assert.ok(await until(async () => !(await reason()).includes("just now")));
  assert.match(rig.lvsd.log, /AF_XDP is back/);
  await proveTraffic(rig);
}

async function endings(context: TestContext): Promise<void> {
  const rig = await start(context, "nat");
  assert.equal(isOpen(rig), true);
  await rig.lvsd.end("SIGKILL");
  assert.ok(await until(() => !isOpen(rig)), "the program outlives its director");
}

async function takenAway(context: TestContext): Promise<void> {
  await proveEnd(await start(context, "nat"));
}

/** A socket tells that its device went down before it gives what had come by then, and nothing at all when the device goes for good. */
async function takenAwayLater(context: TestContext, driver: string): Promise<void> {
  const rig = await start(context, "nat", { driver });
  const { director, servers: [server] } = rig.network;
  assert.ok(server);
  const refused = async (): Promise<number> => (await ports(rig))[1]?.refusedFrames ?? 0;
  assertAnswers(server, DIRECTOR_INNER_ADDRESS);
  rig.lvsd.child.kill("SIGSTOP");
  // Nobody answers: these wait in the socket.
  assert.throws(() => server.output("ping", ["-c", String(WAITING), "-i", "0.1", "-W", "1", DIRECTOR_INNER_ADDRESS]));
  director.ip([`link set dev ${NIC_IN} down`]);
  rig.lvsd.child.kill("SIGCONT");
  // They are taken, but what answers them cannot leave.
  assert.ok(await until(async () => await refused() >= WAITING), "what had come by then is lost");
  await proveEnd(rig);
}

async function proveEnd(rig: NicRig): Promise<void> {
  rig.network.director.ip([`link del dev ${NIC_IN}`]);
  assert.ok(await until(() => rig.lvsd.hasEnded), "it goes on without its NIC");
  assert.match(rig.lvsd.log, /eth-in: the device was taken away/);
  assert.doesNotMatch(rig.lvsd.log, /trapped/);
}

async function undisturbed(context: TestContext): Promise<void> {
  const rig = await start(context, "nat");
  const load = rig.client.request({ url: SERVICE_URL, count: 4000, concurrency: 16 });
  assert.match(rig.network.client.output("ping", ["-c", "3", "-i", "0.2", "-W", "10", KERNEL_ADDRESS]), / 0% packet loss/);
  assert.deepEqual((await load).failures, {});
}

inNamespaces("NICs shared with the kernel", import.meta.url, () => {
  const test = (name: string, skip: string | false, work: (context: TestContext) => Promise<void>): void => {
    it(name, { skip }, (context) => work(context as TestContext));
  };

  for (const [driver, method] of [["auto", "nat"], ["auto", "dr"], ["auto", "tun"], ["uring", "dr"], ["uring", "tun"], ["tap", "nat"]] as const) {
    test(`${method}, driver ${driver}: requests by weight, 3 MB both ways`, driver === "uring" && LACKS_RING,
      async (context) => proveTraffic(await start(context, method, { driver })));
  }
  for (const driver of ["auto", "uring"] as const) {
    test(`nat over IPv6, driver ${driver}`, driver === "uring" && LACKS_RING, (context) => proveIpv6(context, { attach: "nic", driver }));
  }

  test("auto has both ways where it can, and says so", LACKS_XDP || LACKS_RING, async (context) => {
    const rig = await start(context, "nat");
    const found = await ports(rig);
    assert.deepEqual(found.map((port) => port.driver), ["uring, afxdp", "uring, afxdp"]);
    assert.match(found[0]?.driverReason ?? "", /^this machine allows it; generic: long segments by the socket$/);
    const named = await start(context, "nat", { driver: "uring" });
    assert.deepEqual((await ports(named)).map((port) => port.driver), ["uring", "uring"]);
    assert.equal(isOpen(named), false);
  });

  test("the program leaves while there is bulk and comes back, and not one request is lost", LACKS_XDP, changes);
  test("a NIC that somebody else's program has taken meanwhile goes by its socket, which is said, until it is free", LACKS_XDP, occupied);
  test("the kernel's own traffic is undisturbed under load", lacking("ping"), undisturbed);
  test("a killed director leaves no program behind", LACKS_XDP, endings);
  test("a NIC that is taken away ends the director with one clear word", false, takenAway);
  for (const driver of ["tap", "uring"] as const) {
    test(`a NIC that went down with frames waiting, and is taken away later, too: driver ${driver}`, lacking("ping") || (driver === "uring" && LACKS_RING),
      (context) => takenAwayLater(context, driver));
  }
  test("it is quiet when nothing happens", false, async (context) => {
    const rig = await start(context, "nat");
    await rig.client.request({ url: SERVICE_URL, count: 400, concurrency: 16 });
    await pause(CALM_MS);
    await comesToRest(rig.lvsd.child.pid ?? 0);
  });
});
