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
/** So long nothing has to come back. */
const SILENCE_MS = 1000;
/** As many as the supervisor takes within its window before it gives up. */
const TRAPS_MAX = 5;
/** A tenth of a second apart; each that finds the engine running traps it. */
const SENT_MAX = 300;

interface Said {
  ready?: boolean; spoilt?: number; cursor?: number; owners?: number[][]; code?: number; failure?: string;
  trap?: { stack: string; image: string; worker: number };
}
interface Trapper { child: ChildProcess; said: Said[]; tell(line: string): Promise<Said>; hasClosed(): boolean }

/** The trapper in the laboratory's wires, and what it says. */
async function startTrapper(context: TestContext, network: Network, folder: string, workers = 1): Promise<Trapper> {
  const words = [
    "--pdeathsig", "TERM", process.execPath, TRAPPER, "lvs-out", join(folder, "image"),
    MAC, `${DIRECTOR_ADDRESS}/24`, VIRTUAL_ADDRESS, serverAddress("dr", 1), String(workers),
  ];
  const child = network.wire.spawn("setpriv", words, ["pipe", "pipe", "inherit"]);
  context.after(() => { child.kill("SIGKILL"); return ended(child); });
  const said: Said[] = [];
  let isClosed = false;
  child.once("close", () => (isClosed = true));
  if (child.stdout) createInterface({ input: child.stdout }).on("line", (line) => said.push(JSON.parse(line) as Said));
  assert.ok(await until(() => said.some((one) => one.ready)), "the pump did not start");
  await network.plug();
  const tell = async (line: string): Promise<Said> => {
    const before = said.filter((one) => !one.trap).length;
    child.stdin?.write(`${line}\n`);
    const answered = (): Said | undefined => said.filter((one) => !one.trap)[before];
    assert.ok(await until(() => answered() !== undefined || child.exitCode !== null), `"${line}" was not answered`);
    return answered() ?? {};
  };
  return { child, said, tell, hasClosed: () => isClosed };
}

const traps = (said: readonly Said[]): NonNullable<Said["trap"]>[] => said.flatMap((one) => one.trap ?? []);

/** A flow of datagrams, whose packets all look at the same place of the table. */
interface Asker {
  /** Answers how many came back. */
  (from: number, count?: number): string;
  /** One that must not come back. */
  inVain(from: number): string;
}

function asker(network: Network): Asker {
  const ask = (...words: (string | number)[]): string =>
    network.client.output(process.execPath, [CLIENT, "ask", VIRTUAL_ADDRESS, String(ECHO_PORT), "100", ...words.map(String)]).trim();
  return Object.assign((from: number, count = 1) => ask(count, from), { inVain: (from: number) => ask(1, from, SILENCE_MS) });
}

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
    const ask = asker(network);
    assert.equal(ask(40001, 5), "5");
    assert.ok(((await tell("spoil 0")).spoilt ?? 0) >= 1);
    assert.deepEqual(traps(said), [], "spoiling alone does not trap");

    assert.equal(ask.inVain(40001), "0", "the packet that trapped the engine was answered");
    assert.ok(await until(() => traps(said).length === 1), "no trap was reported");
    const [trap] = traps(said);
    assert.match(trap?.stack ?? "", /RuntimeError: memory access out of bounds[^]*wasm/);
    const image = statSync(trap?.image ?? "");
    assert.equal(image.mode & 0o777, 0o600);
    assert.equal(image.size % 65536, 0);
    assert.equal(readFileSync(trap?.image ?? "").readUInt32LE(CONTROL_BASE), MAGIC);

    assert.equal(ask(40002, 20), "20", "another flow after the restart");
    assert.equal(traps(said).length, 1);
    await tell("stop");
    assert.ok(await until(() => child.exitCode === 0), "it does not stop after a trap");
  });

  it("of one of two workers: the other goes on, and the one comes back", async (context) => {
    const { network, folder } = await build(context as TestContext);
    const { child, said, tell } = await startTrapper(context as TestContext, network, folder, 2);
    const ask = asker(network);
    const flows = [40001, 40002, 40003, 40004, 40005, 40006];
    for (const port of flows) assert.equal(ask(port), "1");
    const [first = [], second = []] = (await tell("owners")).owners ?? [];
    assert.deepEqual([...first, ...second].sort(), flows);
    assert.ok(first.length > 0 && second.length > 0, `each has some of the flows: ${first.join()}; ${second.join()}`);
    await tell("spoil 1");

    assert.equal(ask.inVain(second[0] ?? 0), "0", "the packet that trapped the engine was answered");
    assert.ok(await until(() => traps(said).length === 1), "no trap was reported");
    for (const port of first) assert.equal(ask(port), "1", "a flow of the other worker");
    for (let port = 41001; port <= 41004; port++) assert.equal(ask(port), "1", "a new flow, of either");
    const [trap] = traps(said);
    assert.equal(traps(said).length, 1);
    assert.equal(trap?.worker, 1);
    assert.equal(readFileSync(trap.image).readUInt32LE(CONTROL_BASE), MAGIC);
    assert.ok(((await tell("request")).code ?? -1) >= 0, "a request is still taken");
    await tell("stop");
    assert.ok(await until(() => child.exitCode === 0), "it does not stop after a trap");
  });

  it("of a worker that holds the lock: the lock is free again, for all", async (context) => {
    const { network, folder } = await build(context as TestContext);
    const { child, said, tell } = await startTrapper(context as TestContext, network, folder, 2);
    const ask = asker(network);
    const known = [40001, 40002, 40003, 40004];
    for (const port of known) assert.equal(ask(port), "1");
    const trapped = new Set<number | undefined>();
    let fresh = 41001;
    for (let turn = 1; trapped.size < 2 && turn < TRAPS_MAX; turn++) {
      await tell("break");
      assert.equal(ask.inVain(fresh++), "0");
      assert.ok(await until(() => traps(said).length === turn), "no trap was reported");
      await tell("heal");
      trapped.add(traps(said).at(-1)?.worker);
      for (const port of known) assert.equal(ask(port), "1", "a known flow");
      for (let count = 0; count < 4; count++) assert.equal(ask(fresh++), "1", "a new flow, which needs the lock");
    }
    assert.deepEqual([...trapped].sort(), [0, 1], "each has trapped");
    assert.ok(((await tell("request")).code ?? -1) >= 0, "a request is still taken");
    await tell("stop");
    assert.ok(await until(() => child.exitCode === 0), "it does not stop after a trap");
  });

  it("again and again ends the director, and the last images are there", async (context) => {
    const { network, folder } = await build(context as TestContext);
    const { child, said, tell, hasClosed } = await startTrapper(context as TestContext, network, folder);
    const words = [CLIENT, "send", VIRTUAL_ADDRESS, String(ECHO_PORT), "40001"];
    network.client.output(process.execPath, words);
    await tell("spoil 0");
    // One process sends all of them: starting one for each may take longer than the window on a busy machine.
    const sender = network.client.spawn(process.execPath, [...words, String(SENT_MAX)], ["ignore", "ignore", "inherit"]);
    (context as TestContext).after(() => { sender.kill("SIGKILL"); return ended(sender); });
    assert.ok(await until(hasClosed), "it goes on for ever");
    assert.equal(child.exitCode, 1);
    assert.equal(traps(said).length, TRAPS_MAX + 1);
    assert.match(said.flatMap((one) => one.failure ?? [])[0] ?? "", /trapped 6 times in 10 s; the last image is .*image\.\d/);
    for (let number = 1; number <= TRAPS_MAX; number++) assert.equal(statSync(join(folder, `image.${number}`)).mode & 0o777, 0o600);
    assert.throws(() => statSync(join(folder, "image.6")));
  });
});
