// A trap while the ring reads: the thread starts again over the same memory, with a new ring, and goes on.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { PortFlag } from "../../assembly/abi/enums.js";
import { BUCKET_BYTES, CONTROL_BASE, CONTROL_BUCKET_BITS, CONTROL_TABLE_BASE, SHARD_BYTES } from "../../assembly/abi/layout.js";
import { Engine } from "../../host/engine/engine.js";
import { addLocal, addService, setPort } from "../../host/engine/requests.js";
import type { DriverName } from "../../host/io/choose.js";
import type { Device } from "../../host/io/driver.js";
import { partOf } from "../../host/io/nic.js";
import { close } from "../../host/io/sys/libc.js";
import { openPacketSocket } from "../../host/io/sys/packetsocket.js";
import { openTap } from "../../host/io/sys/tun.js";
import { arenaBytesFor } from "../../host/io/umem.js";
import { lackingXdp } from "../../host/lab/cable.js";
import { canBuild, followOutside, runInside } from "../../host/lab/capability.js";
import { buildTcp } from "../../host/lab/frames.js";
import { Namespace } from "../../host/lab/namespace.js";
import { loadEngine } from "../../host/load.js";
import type { ServiceSpec } from "../../host/protocol.js";
import { Pump } from "../../host/pump/pump.js";
import { takeNic, takeShortcut } from "./contractbench.js";
import { until } from "./rig.js";
import { ringProblem } from "./ringprobe.js";
import { TapEnd } from "./tapend.js";

followOutside();
const capability = canBuild();
const PORT = 1;
const DIRECTOR_MAC = "02:00:00:00:01:01";
const DIRECTOR = "10.0.1.1";
const TEST_MAC = "02:00:00:00:00:09";
const TEST = "10.0.1.60";
const TRAPS = 3;
const SERVICE: ServiceSpec = {
  protocol: "udp", family: 4, address: DIRECTOR, port: 7000, fwmark: 0, scheduler: "rr", schedulerFlags: 0,
  persistent: false, timeoutSeconds: 0, netmask: "255.255.255.255", persistenceEngine: "", onePacket: false,
};
const ANSWER_MS = 500;
const ASKS_MAX = 40;
const CLIENTS = 8;
/** The word of a bucket that a miss reads as a connection's index; always zero. */
const MISS_AT = 48;
const WILD = 0x01000000;

/** Makes every miss of a worker's connection table read far behind the memory's end, or heals it. */
function setMisses(engine: Engine, worker: number, index: number): void {
  const buckets = 2 ** engine.view.getUint32(CONTROL_BASE + CONTROL_BUCKET_BITS, true);
  const table = engine.view.getUint32(CONTROL_BASE + CONTROL_TABLE_BASE, true) + worker * buckets * SHARD_BYTES;
  for (let bucket = 0; bucket < buckets; bucket++) engine.view.setUint32(table + bucket * BUCKET_BYTES + MISS_AT, index, true);
}

/** A device on a bridge: a TAP, or a NIC by AF_XDP, alone or beside a packet socket. */
function openDevice(namespace: Namespace, driver: DriverName, queues: number): { device: Device; wired: string; release(): void } {
  const device = { index: PORT, name: "driven" };
  const namespacePath = namespace.path;
  if (driver === "tap" || driver === "uring") {
    const descriptor = openTap("driven", { vnetHeader: true, offloads: true, namespacePath });
    return { device: { ...device, descriptor }, wired: "driven", release: () => close(descriptor) };
  }
  const both = `numtxqueues ${queues} numrxqueues ${queues}`;
  namespace.ip([`link add name driven ${both} type veth peer name far ${both}`, "link set dev driven up"]);
  const mac = DIRECTOR_MAC.replaceAll(":", "");
  const taken = driver === "afxdp" ? takeNic(namespacePath, DIRECTOR, queues) : takeShortcut(namespacePath, mac);
  const descriptor = driver === "afxdp" ? -1 : openPacketSocket("driven", { mac: Buffer.from(mac, "hex"), namespacePath });
  const release = (): void => {
    taken.release();
    if (descriptor >= 0) close(descriptor);
  };
  return { device: { ...device, descriptor, nic: taken.place }, wired: "far", release };
}

async function survives(context: TestContext, driver: DriverName, workers = 1): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "lvs-trap-"));
  const namespace = await Namespace.create("lvs-trap");
  const { device, wired, release } = openDevice(namespace, driver, workers);
  const end = new TapEnd({ name: "other", namespacePath: namespace.path }, TEST_MAC);
  namespace.ip(["link add name joint type bridge stp_state 0 mcast_snooping 0", "link set dev joint up",
    `link set dev ${wired} master joint up`, "link set dev other master joint up"]);
  const module = await loadEngine();
  const arenaBytes = arenaBytesFor(1, 2048);
  const engine = await Engine.create({ module, bucketBits: 8, workers, arenaBytes: workers * arenaBytes });
  setPort(engine, PORT, DIRECTOR_MAC, 1500, driver === "afxdp" ? PortFlag.Up : PortFlag.Up | PortFlag.Vnet | PortFlag.Segments);
  addLocal(engine, PORT, `${DIRECTOR}/24`);
  // Without a service nothing is anybody's, and no frame would reach another worker.
  addService(engine, SERVICE);
  const traps: { stack: string; worker: number }[] = [];
  const failures: string[] = [];
  const { nic } = device;
  const ports = Array.from({ length: workers }, (_, worker) => (nic ? { ...device, nic: partOf(nic, worker, workers) } : device));
  const pump = new Pump({
    module, memory: engine.memory, driver: driver === "tap" || driver === "uring" ? driver : "auto", imagePath: join(folder, "image"), ports: ports.slice(0, 1),
    arenaBytes, queues: ports.slice(1).map((port) => [port]),
    onTrap: (report) => {
      traps.push(report);
      setMisses(engine, report.worker, 0);
    },
    onFailure: (reason) => failures.push(reason),
  });
  context.after(async () => {
    await pump.stop();
    end.close();
    release();
    await namespace.close();
    rmSync(folder, { recursive: true, force: true });
  });
  await pump.start();
  // What comes while nobody serves a NIC is the kernel's; a TAP keeps it.
  const ask = async (): Promise<string> => {
    for (let count = 0; count < ASKS_MAX; count++) {
      const mac = await end.ask(DIRECTOR, TEST, ANSWER_MS);
      if (mac !== "") return mac;
    }
    return "";
  };
  const syn = (sourcePort: number): Buffer =>
    Buffer.from(buildTcp({ macTo: DIRECTOR_MAC, macFrom: TEST_MAC, source: TEST, sourcePort, target: DIRECTOR, targetPort: 80, flags: 2 }));
  for (let life = 1; life <= TRAPS; life++) {
    assert.equal(await ask(), DIRECTOR_MAC);
    const worker = life % workers;
    setMisses(engine, worker, WILD);
    // Some of these clients' connections are that worker's, whoever gets their frames.
    for (let client = 0; client < CLIENTS; client++) end.send(syn(4000 + client));
    await until(() => traps.length === life);
    assert.equal(traps.length, life);
    assert.equal(traps[life - 1]?.worker, worker);
    assert.match(traps[life - 1]?.stack ?? "", /memory access out of bounds/);
  }
  assert.equal(await ask(), DIRECTOR_MAC);
  assert.deepEqual([failures, pump.drivers[0]?.name], [[], driver]);
  if (workers > 1) assert.deepEqual(pump.drivers[0]?.sockets.map(({ queue }) => queue), Array.from(ports, (_, queue) => queue));
}

if (!capability.ok) {
  it("a trap", { skip: capability.why }, () => undefined);
} else if (capability.needsUserNamespace) {
  it("a trap, as the root of a user namespace", async () => {
    delete process.env["NODE_TEST_CONTEXT"];
    assert.equal(await runInside([fileURLToPath(import.meta.url)], "empty"), 0);
  });
} else {
  describe("the director answers again after each trap", () => {
    it("over driver tap", (context) => survives(context, "tap"));
    it("over AF_XDP", { skip: lackingXdp() }, (context) => survives(context, "afxdp"));
    it("over AF_XDP, two workers", { skip: lackingXdp() }, (context) => survives(context, "afxdp", 2));
    it("over AF_XDP beside a socket", { skip: lackingXdp() || (ringProblem() ?? false) }, (context) => survives(context, "uring, afxdp"));
    it("over driver uring", { skip: ringProblem() ?? false }, (context) => survives(context, "uring"));
  });
}
