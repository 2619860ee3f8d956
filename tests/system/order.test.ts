// Frames of one flow stay in their order on a NIC that has both ways (docs/decisions/two-ways-on-one-nic.md), though
// short ones may come by AF_XDP and long ones by the socket.

import assert from "node:assert/strict";
import { it, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { serverAddress, VIRTUAL_ADDRESS } from "../../host/lab/addresses.js";
import type { Namespace } from "../../host/lab/namespace.js";
import { firstLine } from "../../host/lab/process.js";
import { inNamespaces } from "./inside.js";
import { lackingXdp, NicRig } from "./nics.js";
import { runLvsadm } from "./rig.js";
import { ringProblem } from "./ringprobe.js";

const NUMBERED = fileURLToPath(new URL("numbered.js", import.meta.url));
const FLOOD_PORT = 7000;
const HTTP_PORT = 80;
const FROM_PORT = 7100;
const FLOWS = 2;
const ROUNDS = 400;
const RUN_MS = 60_000;
/** A kernel under load may lose some of them; late ones it makes none. */
const ARRIVED_LEAST = 0.9;

const run = (namespace: Namespace, ...words: (string | number)[]): Promise<string> =>
  firstLine(namespace.spawn(process.execPath, [NUMBERED, ...words.map(String)], ["ignore", "pipe", "pipe"]), `numbered ${words[0]}`, RUN_MS);

/** What a namespace's kernel has counted of TCP, by name. */
function countersOf(namespace: Namespace): Map<string, number> {
  const lines = namespace.output("cat", ["/proc/self/net/netstat"]).split("\n").filter((line) => line.startsWith("TcpExt:"));
  const [names = [], values = []] = lines.map((line) => line.split(" "));
  return new Map(names.map((name, index) => [name, Number(values[index])]));
}

/** Flows of datagrams, each with a service and a server's port of its own. */
async function datagrams(rig: NicRig): Promise<void> {
  const { network } = rig;
  const server = network.servers[0] as Namespace;
  const flows = await Promise.all(Array.from({ length: FLOWS }, async (_, flow) => {
    const port = FLOOD_PORT + flow;
    for (const line of [`-A -u ${VIRTUAL_ADDRESS}:${port} -s rr`, `-a -u ${VIRTUAL_ADDRESS}:${port} -r ${serverAddress("nat", 1)}:${port} -m`]) {
      assert.equal((await runLvsadm(rig.socketPath, line)).status, 0, line);
    }
    const receiver = await network.start(server, `receiver ${flow}`, NUMBERED, ["receive", String(port)]);
    const heard = new Promise<{ count: number; late: number }>((resolve) =>
      receiver.child.stdout?.setEncoding("utf8").once("data", (line: string) => resolve(JSON.parse(line) as { count: number; late: number })));
    const sent = Number(await run(network.client, "send", VIRTUAL_ADDRESS, port, FROM_PORT + flow, ROUNDS));
    return { sent, ...(await heard) };
  }));
  for (const { sent, count, late } of flows) {
    assert.equal(late, 0, `${late} of ${count} datagrams came late`);
    assert.ok(count > sent * ARRIVED_LEAST, `${count} of ${sent} datagrams have come`);
  }
}

/** A stream that nobody disturbs: its receiver never has to put anything in order. */
async function stream(rig: NicRig): Promise<void> {
  const { network } = rig;
  const outOfOrder = (): number => network.servers.reduce((sum, server) => sum + (countersOf(server).get("TCPOFOQueue") ?? Number.NaN), 0);
  const before = outOfOrder();
  assert.match(await run(network.client, "write", VIRTUAL_ADDRESS, HTTP_PORT, ROUNDS), / 200 /);
  assert.equal(outOfOrder() - before, 0, "segments came out of order");
}

inNamespaces("order on NICs with both ways", import.meta.url, () => {
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
    test("segments of one stream, short and long ones by turns", stream);
  }
});
