// The director in the laboratory over each driver: the same traffic, all of it whole; stops, restarts,
// reloads under load; quiet when nothing happens.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { SocketDirector } from "../../host/cli/client.js";
import type { DriverChoice } from "../../host/io/driver.js";
import { canBuild, followOutside, runInside } from "../../host/lab/capability.js";
import { Client } from "../../host/lab/client.js";
import { LabDirector, labRules } from "../../host/lab/director.js";
import { Namespace } from "../../host/lab/namespace.js";
import { Network, SERVICE_URL } from "../../host/lab/network.js";
import { patternBytes } from "../../host/lab/pattern.js";
import { firstLine } from "../../host/lab/process.js";
import type { PortRow, Status } from "../../host/protocol.js";
import { comesToRest } from "./rest.js";
import { PATIENT_MS, until } from "./rig.js";
import { ringProblem } from "./ringprobe.js";

followOutside();
const capability = canBuild();
const REQUESTS = 3000;
const BULK_BYTES = 3_000_000;
const HANGUPS = 50;

const LVSD = fileURLToPath(new URL("../../host/daemon/main.js", import.meta.url));
const WITHOUT_RING = fileURLToPath(new URL("withoutring.js", import.meta.url));

const digest = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");

function suite(driver: Exclude<DriverChoice, "auto">): void {
  const folder = mkdtempSync(join(tmpdir(), "lvs-drivers-"));
  const socketPath = join(folder, "lvsd.sock");
  let network: Network;
  let client: Client;
  let director: LabDirector;
  let log = "";

  const start = async (): Promise<void> => {
    director = await LabDirector.start(network, socketPath, labRules("nat", 3), { fields: { driver } });
    director.onLog((text) => (log += text));
  };
  const status = async (): Promise<Status> => {
    const reply = await new SocketDirector(socketPath).request({ do: "status" });
    assert.ok(reply.ok);
    return reply.value;
  };
  const port = async (name: string): Promise<PortRow> => {
    const found = (await status()).ports.find((one) => one.name === name);
    assert.ok(found);
    return found;
  };

  before(async () => {
    network = await Network.build("nat");
    await network.startServers();
    client = await Client.start(network);
    await start();
  });
  after(async () => {
    await director?.stop();
    await network?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  it("says which driver runs, and why", async () => {
    const { ports } = await status();
    assert.deepEqual(ports.map((one) => [one.driver, one.driverReason]), [
      [driver, "the configuration says so"], [driver, "the configuration says so"]]);
  });

  it("answers every one of many requests", async () => {
    const report = await client.request({ url: SERVICE_URL, count: REQUESTS, concurrency: 32 });
    assert.deepEqual([report.succeeded, report.failures], [REQUESTS, {}]);
    assert.deepEqual(Object.keys(report.servers).sort(), ["server1", "server2", "server3"]);
  });

  it("carries many bytes in both directions, unchanged", async () => {
    const [down, up] = await Promise.all([
      client.request({ url: `${SERVICE_URL}/bytes/${BULK_BYTES}`, count: 8, concurrency: 8 }),
      client.request({ url: SERVICE_URL, bodyBytes: BULK_BYTES, count: 8, concurrency: 8 }),
    ]);
    const wanted = digest(patternBytes(0, BULK_BYTES));
    assert.deepEqual([down.succeeded, down.sha256, down.failures], [8, wanted, {}]);
    assert.deepEqual([up.succeeded, up.sample, up.failures], [8, `${wanted}\n`, {}]);
  });

  it("comes to rest: less than one percent of a core when nothing happens", async () => {
    await comesToRest(director.pid);
  });

  it("loses no request while it reads its configuration fifty times", async () => {
    const load = client.request({ url: SERVICE_URL, count: REQUESTS, concurrency: 16 });
    for (let count = 0; count < HANGUPS; count++) {
      director.signal("SIGHUP");
      await pause(20);
    }
    const report = await load;
    assert.deepEqual([report.succeeded, report.failures], [REQUESTS, {}]);
    await until(() => log.includes("reloaded: nothing has changed"));
    assert.match(log, /reloaded: nothing has changed/);
    assert.doesNotMatch(log, /not reloaded|trapped/);
  });

  it("counts what a device refuses, and goes on when its interface is up again", async () => {
    const before = await port("in");
    network.wire.ip(["link set dev lvs-in down"]);
    // Nobody answers: the connection's beginning is what the director cannot send.
    const isRefused = async (): Promise<boolean> => {
      const report = await client.request({ url: SERVICE_URL, count: 4, concurrency: 4, timeoutMs: 500 });
      assert.equal(report.succeeded, 0);
      return (await port("in")).refusedFrames > before.refusedFrames;
    };
    assert.ok(await until(isRefused), "no frame was counted as refused");
    assert.equal((await port("in")).refusedError, "EIO");
    await comesToRest(director.pid);
    network.wire.ip(["link set dev lvs-in up"]);
    const again = await client.request({ url: SERVICE_URL, count: 100, concurrency: 4 });
    assert.deepEqual([again.succeeded, again.failures], [100, {}]);
  });

  it("stops under load and starts again", async () => {
    for (let round = 0; round < 3; round++) {
      const load = client.request({ url: SERVICE_URL, count: 40, concurrency: 20, timeoutMs: 700 });
      await pause(50);
      await director.stop();
      await load; // some of it is lost: nobody was there
      await start();
    }
    const report = await client.request({ url: SERVICE_URL, count: 300, concurrency: 16 });
    assert.deepEqual([report.succeeded, report.failures], [300, {}]);
  });

  it("ends with one clear word when a device is taken away", async () => {
    log = "";
    network.wire.ip(["link del dev lvs-in"]);
    await until(() => log.includes("cannot go on"));
    assert.match(log, /lvs-in: the device was taken away/);
    assert.doesNotMatch(log, /trapped/);
  });
}

/** lvsd alone, in a namespace without wires; what it wrote until it was ready or ended, and its status then. */
async function runAlone(driver: DriverChoice, withoutRing: boolean): Promise<{ exitCode: number | null; complaint: string; ports: PortRow[] }> {
  const folder = mkdtempSync(join(tmpdir(), "lvs-drivers-"));
  const socketPath = join(folder, "lvsd.sock");
  const configFile = join(folder, "director.yaml");
  writeFileSync(configFile, `control-socket: ${socketPath}\ndriver: ${driver}\nports: [{ name: a, device: lvs-a }, { name: b, device: lvs-b }]\n`);
  const namespace = await Namespace.create("lvs-alone");
  const words = [...(withoutRing ? [WITHOUT_RING] : []), LVSD, "--config", configFile];
  const child = namespace.spawn(process.execPath, words, ["ignore", "pipe", "pipe"]);
  let complaint = "";
  child.stderr?.on("data", (part: Buffer) => (complaint += part.toString()));
  const exit = new Promise<number | null>((resolve) => child.once("close", (code) => resolve(code)));
  try {
    const started = await firstLine(child, "lvsd", PATIENT_MS).then(() => true, () => false);
    const reply = started ? await new SocketDirector(socketPath).request({ do: "status" }) : undefined;
    child.kill("SIGTERM");
    return { exitCode: await exit, complaint, ports: reply?.ok ? reply.value.ports : [] };
  } finally {
    await namespace.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

function choices(): void {
  it("auto takes io_uring where the machine allows it", { skip: ringProblem() ?? false }, async () => {
    const { exitCode, ports } = await runAlone("auto", false);
    assert.deepEqual(ports.map((port) => [port.driver, port.driverReason]), [
      ["uring", "this machine allows it"], ["uring", "this machine allows it"]]);
    assert.equal(exitCode, 0);
  });

  it("auto takes read and write where io_uring is forbidden, and says so", async () => {
    const { exitCode, ports } = await runAlone("auto", true);
    assert.deepEqual(ports.map((port) => port.driver), ["tap", "tap"]);
    assert.match(ports[0]?.driverReason ?? "", /^uring is not to be had: make an io_uring: .*EPERM.*kernel\.io_uring_disabled/);
    assert.equal(exitCode, 0);
  });

  it("uring by name where it is forbidden is an error that says what to do", async () => {
    const { exitCode, complaint, ports } = await runAlone("uring", true);
    assert.deepEqual([exitCode, ports], [1, []]);
    assert.match(complaint, /^lvsd: driver uring: make an io_uring: .*EPERM.*with "driver: auto" the director does without\n$/);
  });
}

if (!capability.ok) {
  it("drivers in a laboratory", { skip: capability.why }, () => undefined);
} else if (capability.needsUserNamespace) {
  it("drivers in a laboratory, as the root of a user namespace", async () => {
    delete process.env["NODE_TEST_CONTEXT"];
    assert.equal(await runInside([fileURLToPath(import.meta.url)], "empty"), 0);
  });
} else {
  describe("driver tap", () => suite("tap"));
  describe("driver uring", { skip: ringProblem() ?? false }, () => suite("uring"));
  describe("the choice of a driver", choices);
}
