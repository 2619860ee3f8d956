// A trap of the engine, a real one: reported with its stack, the memory kept, the thread started again over
// the same memory, traffic goes on.

import assert from "node:assert/strict";
import type { ChildProcess } from "node:child_process";
import { chmodSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { it, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { DIRECTOR_ADDRESS, VIRTUAL_ADDRESS, serverAddress } from "../../host/lab/addresses.js";
import { MAGIC, CONTROL_BASE } from "../../assembly/abi/layout.js";
import { Network } from "../../host/lab/network.js";
import { ended } from "../../host/lab/process.js";
import { inNamespaces } from "./inside.js";
import { makeFolder, until } from "./rig.js";

const TRAPPER = fileURLToPath(new URL("trapper.js", import.meta.url));
const ECHO = new URL("udpecho.js", import.meta.url);
const CLIENT = fileURLToPath(new URL("udpclient.js", import.meta.url));
const MAC = "02:00:00:00:01:01";
const ECHO_PORT = 7000;
const WAIT_MS = 5000;
/** As many as the supervisor takes within its window before it gives up. */
const TRAPS_MAX = 5;

interface Said { ready?: boolean; spoilt?: number; failure?: string; trap?: { stack: string; image: string } }

/** The trapper in the laboratory's wires, and what it says. */
async function startTrapper(context: TestContext, network: Network, folder: string): Promise<{ child: ChildProcess; said: Said[]; tell(line: string): void }> {
  const words = ["--pdeathsig", "TERM", process.execPath, TRAPPER, "lvs-out", join(folder, "image"), MAC, `${DIRECTOR_ADDRESS}/24`, VIRTUAL_ADDRESS, serverAddress("dr", 1)];
  const child = network.wire.spawn("setpriv", words, ["pipe", "pipe", "inherit"]);
  context.after(() => { child.kill("SIGKILL"); return ended(child); });
  const said: Said[] = [];
  if (child.stdout) createInterface({ input: child.stdout }).on("line", (line) => said.push(JSON.parse(line) as Said));
  assert.ok(await until(() => said.some((one) => one.ready), WAIT_MS), "the pump did not start");
  await network.plug();
  return { child, said, tell: (line) => void child.stdin?.write(`${line}\n`) };
}

const traps = (said: readonly Said[]): NonNullable<Said["trap"]>[] => said.flatMap((one) => one.trap ?? []);

async function build(context: TestContext): Promise<{ network: Network; folder: string }> {
  const network = await Network.build("dr", 1);
  context.after(() => network.stop());
  const [server] = network.servers;
  assert.ok(server);
  await network.start(server, "echo", ECHO.href, [VIRTUAL_ADDRESS, String(ECHO_PORT)]);
  const folder = makeFolder(context);
  chmodSync(folder, 0o755); // what keeps the image private has to be its own mode
  return { network, folder };
}

inNamespaces("a trap of the engine", import.meta.url, () => {
  it("is reported and survived: image kept, thread restarted, other traffic goes on", async (context) => {
    const { network, folder } = await build(context as TestContext);
    const { child, said, tell } = await startTrapper(context as TestContext, network, folder);
    // One socket: a flow whose packets all look at the same place of the table.
    const ask = (from: number, count = 1): string =>
      network.client.output(process.execPath, [CLIENT, "ask", VIRTUAL_ADDRESS, String(ECHO_PORT), "100", String(count), String(from)]).trim();
    assert.equal(ask(40001, 5), "5");
    tell("spoil");
    assert.ok(await until(() => said.some((one) => (one.spoilt ?? 0) >= 1), WAIT_MS));
    assert.deepEqual(traps(said), [], "spoiling alone does not trap");

    assert.equal(ask(40001), "0", "the packet that trapped the engine was answered");
    assert.ok(await until(() => traps(said).length === 1, WAIT_MS), "no trap was reported");
    const [trap] = traps(said);
    assert.match(trap?.stack ?? "", /RuntimeError: memory access out of bounds[^]*wasm/);
    const image = statSync(trap?.image ?? "");
    assert.equal(image.mode & 0o777, 0o600);
    assert.equal(image.size % 65536, 0);
    assert.equal(readFileSync(trap?.image ?? "").readUInt32LE(CONTROL_BASE), MAGIC);

    assert.equal(ask(40002, 20), "20", "another flow after the restart");
    assert.equal(traps(said).length, 1);
    tell("stop");
    assert.ok(await until(() => child.exitCode === 0, WAIT_MS), "it does not stop after a trap");
  });

  it("again and again ends the director, and the last images are there", async (context) => {
    const { network, folder } = await build(context as TestContext);
    const { child, said, tell } = await startTrapper(context as TestContext, network, folder);
    const send = (): string => network.client.output(process.execPath, [CLIENT, "send", VIRTUAL_ADDRESS, String(ECHO_PORT), "40001"]).trim();
    send();
    tell("spoil");
    await until(() => said.some((one) => (one.spoilt ?? 0) >= 1), WAIT_MS);
    for (let count = 1; count <= TRAPS_MAX + 1; count++) {
      send();
      assert.ok(await until(() => traps(said).length === count, WAIT_MS), `trap ${count} was not reported`);
    }
    assert.ok(await until(() => child.exitCode === 1, WAIT_MS), "it goes on for ever");
    assert.match(said.flatMap((one) => one.failure ?? [])[0] ?? "", /trapped 6 times in 10 s; the last image is .*image\.\d/);
    for (let number = 1; number <= TRAPS_MAX; number++) assert.equal(statSync(join(folder, `image.${number}`)).mode & 0o777, 0o600);
    assert.throws(() => statSync(join(folder, "image.6")));
  });
});
