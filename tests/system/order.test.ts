// Frames of one flow stay in their order on a NIC that has both ways (docs/decisions/two-ways-on-one-nic.md), though
// short ones may come by AF_XDP and long ones by the socket; and where a worker gets them from another.

import assert from "node:assert/strict";
import { it, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { serverAddress, VIRTUAL_ADDRESS } from "../../host/lab/addresses.js";
import { lackingXdp } from "../../host/lab/cable.js";
import type { Namespace } from "../../host/lab/namespace.js";
import { SERVICE_URL } from "../../host/lab/network.js";
import { firstLine } from "../../host/lab/process.js";
import { inNamespaces } from "./inside.js";
import { NicRig } from "./nics.js";
import { runLvsadm } from "./rig.js";
import { ringProblem } from "./ringprobe.js";

const NUMBERED = fileURLToPath(new URL("numbered.js", import.meta.url));
const FLOOD_PORT = 7000;
const HTTP_PORT = 80;
const FROM_PORT = 7100;
const FLOWS = 2;
const ROUNDS = 400;
const RUN_MS = 120_000;
/** Under load some are lost, and more between workers that wait for the same processors; none may be late, and with half of them that is proven. */
const ARRIVED_LEAST = 0.5;
/** A director that gets no processor for a second or two loses more: then once more. */
const RUNS_MAX = 3;
/** A director that is held up shall find all of them waiting, and their receivers have room for them at once. */
const HELD_ROUNDS = 4;
const HELD_GROUP = 1;
const REQUESTS = 12;

const run = (namespace: Namespace, ...words: (string | number)[]): Promise<string> =>
  firstLine(namespace.spawn(process.execPath, [NUMBERED, ...words.map(String)], ["ignore", "pipe", "pipe"]), `numbered ${words[0]}`, RUN_MS);

/** What a namespace's kernel has counted of TCP, by name. */
function countersOf(namespace: Namespace): Map<string, number> {
  const lines = namespace.output("cat", ["/proc/self/net/netstat"]).split("\n").filter((line) => line.startsWith("TcpExt:"));
  const [names = [], values = []] = lines.map((line) => line.split(" "));
  return new Map(names.map((name, index) => [name, Number(values[index])]));
}

/** Flows of datagrams, each with a service and a server's port of its own. */
async function openFlows(rig: NicRig): Promise<void> {
  for (let port = FLOOD_PORT; port < FLOOD_PORT + FLOWS; port++) {
    for (const line of [`-A -u ${VIRTUAL_ADDRESS}:${port} -s rr`, `-a -u ${VIRTUAL_ADDRESS}:${port} -r ${serverAddress("nat", 1)}:${port} -m`]) {
      assert.equal((await runLvsadm(rig.socketPath, line)).status, 0, line);
    }
  }
}

/** Sends by all flows, and proves what was received; something may begin before that and end after it. */
async function proveOrder(rig: NicRig, words: readonly number[], begin = (): void => undefined, end = begin): Promise<void> {
  const shares: number[] = [];
  while (shares.length < RUNS_MAX && !shares.some((share) => share > ARRIVED_LEAST)) shares.push(await arrivedInOrder(rig, words, begin, end));
  assert.ok(shares.some((share) => share > ARRIVED_LEAST), `of the datagrams have come: ${shares.join(", ")}`);
}

/** The share of its datagrams that came of the flow that lost most. */
async function arrivedInOrder({ network }: NicRig, words: readonly number[], begin: () => void, end: () => void): Promise<number> {
  const reports = await Promise.all(Array.from({ length: FLOWS }, async (_, flow) => {
    const { child } = await network.start(network.servers[0] as Namespace, `receiver ${flow}`, NUMBERED, ["receive", String(FLOOD_PORT + flow)]);
    return { heard: new Promise<string>((resolve) => child.stdout?.setEncoding("utf8").once("data", resolve)) };
  }));
  begin();
  const sent = await Promise.all(reports.map((_, flow) => run(network.client, "send", VIRTUAL_ADDRESS, FLOOD_PORT + flow, FROM_PORT + flow, ...words)));
  end();
  const shares: number[] = [];
  for (const [flow, { heard }] of reports.entries()) {
    const { count, late } = JSON.parse(await heard) as { count: number; late: number };
    assert.equal(late, 0, `${late} of ${count} datagrams came late`);
    shares.push(count / Number(sent[flow]));
  }
  return Math.min(...shares);
}

/** Makes the neighbours known: what waited for one is let go by the worker that hears the answer, and the flow's own may go on before. */
const meetNeighbors = (rig: NicRig): Promise<unknown> => rig.client.request({ url: SERVICE_URL, count: REQUESTS });

async function datagrams(rig: NicRig): Promise<void> {
  await openFlows(rig);
  await meetNeighbors(rig);
  await proveOrder(rig, [ROUNDS]);
}

/** All of them wait for a director that stands still, some by the one way, some by the other, when it goes on. */
async function heldUp(rig: NicRig): Promise<void> {
  const { child } = rig.lvsd;
  await openFlows(rig);
  // They cannot be asked for later.
  await meetNeighbors(rig);
  await proveOrder(rig, [HELD_ROUNDS, HELD_GROUP], () => child.kill("SIGSTOP"), () => child.kill("SIGCONT"));
}

/** A stream that nobody disturbs: its receiver never has to put anything in order. */
async function stream(rig: NicRig): Promise<void> {
  const { network } = rig;
  const outOfOrder = (): number => network.servers.reduce((sum, server) => sum + (countersOf(server).get("TCPOFOQueue") ?? Number.NaN), 0);
  const before = outOfOrder();
  assert.match(await run(network.client, "write", VIRTUAL_ADDRESS, HTTP_PORT, ROUNDS), / 200 /);
  assert.equal(outOfOrder() - before, 0, "segments came out of order");
}

inNamespaces("order on NICs", import.meta.url, () => {
  for (const [name, work] of [["datagrams of one flow", datagrams], ["segments of one stream", stream]] as const) {
    it(`${name}, two workers by AF_XDP`, { skip: lackingXdp() }, async (context) =>
      work(await NicRig.start(context as TestContext, "nat", { queues: 2, more: { workers: 2 } })));
  }

  for (const beside of ["uring", "tap"] as const) {
    const skip = lackingXdp() || (beside === "uring" && ringProblem()) || false;
    const test = (name: string, work: (rig: NicRig) => Promise<void>): void => {
      it(`${name}, AF_XDP and ${beside}`, { skip }, async (context) => {
        const rig = await NicRig.start(context as TestContext, "nat", { attach: "nic", driver: "auto", isWithoutRing: beside === "tap" });
        assert.ok((await runLvsadm(rig.socketPath, "status")).stdout.includes(`${beside}, afxdp`));
        await work(rig);
      });
    };

    test("datagrams of one flow, short and long ones by turns", datagrams);
    test("datagrams of one flow, that wait for a director", heldUp);
    test("segments of one stream, short and long ones by turns", stream);
  }
});
