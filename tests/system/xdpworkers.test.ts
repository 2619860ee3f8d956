// Two workers on NICs by AF_XDP (wiring D of docs/OPERATING.md): each has queues of its own on every NIC, the NIC spreads
// frames as it likes, and workers hand over what is another's.

import assert from "node:assert/strict";
import { it, type TestContext } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { SocketDirector } from "../../host/cli/client.js";
import { lackingXdp } from "../../host/lab/cable.js";
import { SERVICE_URL } from "../../host/lab/network.js";
import type { Status, Table } from "../../host/protocol.js";
import { inNamespaces, lacking } from "./inside.js";
import { NicRig, proveIpv6, proveReload, type NicOptions } from "./nics.js";
import { comesToRest } from "./rest.js";
import { runLvsadm } from "./rig.js";
import { TRANSFER } from "./traffic.js";

const REQUESTS = 1206;
const FIGURES_MS = 30_000;
const PAUSE_MS = 100;
const SHARES = { server1: 201, server2: 402, server3: 603 };
const TWO: NicOptions = { queues: 2, more: { workers: 2 } };

async function statusOf(rig: NicRig): Promise<Status> {
  const reply = await new SocketDirector(rig.socketPath).request({ do: "status" });
  assert.ok(reply.ok);
  return reply.value;
}

/** The table, when its figures, which are told every other second, count so many connections. */
async function tableOf(rig: NicRig, connections: number): Promise<Table> {
  for (const untilMs = Date.now() + FIGURES_MS; ; await pause(PAUSE_MS)) {
    const reply = await new SocketDirector(rig.socketPath).request({ do: "table" });
    assert.ok(reply.ok);
    const { total } = reply.value;
    if (Number(total.counters.connections) === connections) return reply.value;
    assert.ok(Date.now() < untilMs, `${total.counters.connections} of ${connections} connections were counted`);
  }
}

const sumOf = (values: readonly (string | number)[]): number => values.reduce<number>((sum, value) => sum + Number(value), 0);

/** Requests by weight and long bodies arrive; each worker has its part of the frames and of the connections, and all are counted. */
async function traffic(rig: NicRig): Promise<Status> {
  const report = await rig.client.request({ url: `${SERVICE_URL}/`, count: REQUESTS, concurrency: 16 });
  assert.deepEqual([report.failures, report.servers], [{}, SHARES]);
  assert.equal((await rig.client.request({ url: `${SERVICE_URL}/bytes/${TRANSFER.bytes}` })).sha256, TRANSFER.sha256, "download");
  assert.equal((await rig.client.request({ url: SERVICE_URL, bodyBytes: TRANSFER.bytes })).sample, `${TRANSFER.sha256}\n`, "upload");
  const table = await tableOf(rig, REQUESTS + 2);
  // By now the last connection's last frames have come, too.
  const status = await statusOf(rig);
  const { workerRows: workers } = status;
  assert.equal(workers.length, 2);
  for (const { received, connections } of workers) {
    assert.ok(Number(received) > REQUESTS && connections > REQUESTS / 4, `each has its part: ${JSON.stringify(workers)}`);
  }
  assert.equal(sumOf(workers.map((one) => one.handedIn)), sumOf(workers.map((one) => one.handedOver)));
  assert.equal(sumOf(workers.map((one) => one.connections)), status.connectionsUsed);
  assert.deepEqual(table.workers.map((one) => Number(one.connections) > REQUESTS / 4), [true, true]);
  assert.equal(sumOf(table.workers.map((one) => one.connections)), REQUESTS + 2);
  return status;
}

async function more(context: TestContext): Promise<void> {
  const rig = await NicRig.start(context, "nat", { ...TWO, queues: 3 });
  const { ports } = await traffic(rig);
  for (const { queues } of ports) {
    assert.deepEqual(queues.map(({ queue }) => queue), [0, 1, 2]);
    assert.equal(sumOf(queues.flatMap((one) => [one.dropped, one.invalid, one.invalidSent])), 0);
  }
  const { stdout } = await runLvsadm(rig.socketPath, "status");
  assert.match(stdout, /the NIC spreads frames over its queues, which workers have in turn; what is another's is handed over/);
  assert.match(stdout, /queue 0: dropped 0, [^\n]*\n +queue 1: dropped 0, [^\n]*\n +queue 2: dropped 0, /);
}

async function mixed(context: TestContext): Promise<void> {
  const rig = await NicRig.start(context, "nat", { ...TWO, in: "tap" });
  assert.equal((await traffic(rig)).ports[0]?.driver, "afxdp");
}

async function reloaded(context: TestContext): Promise<void> {
  const rig = await NicRig.start(context, "nat", TWO);
  await proveReload(rig, TWO);
  await traffic(rig);
}

async function tooFew(context: TestContext): Promise<void> {
  await assert.rejects(NicRig.start(context, "nat", { ...TWO, queues: 1 }),
    /port out: eth-out has 1 queue to serve, and each of 2 workers needs one of its own: the card has no more, take fewer workers/);
}

async function switchedOff(context: TestContext): Promise<void> {
  const prepare: NicOptions["prepare"] = ({ director }) => director.output("ethtool", ["-L", "eth-out", "rx", "1", "tx", "1"]);
  await assert.rejects(NicRig.start(context, "nat", { ...TWO, prepare }), /`ethtool -L eth-out rx 2 tx 2`, or take fewer workers/);
}

async function automatic(context: TestContext): Promise<void> {
  const rig = await NicRig.start(context, "nat", { queues: 1, more: { workers: "auto" } });
  assert.equal((await statusOf(rig)).workers, 1);
}

async function idle(context: TestContext): Promise<void> {
  const rig = await NicRig.start(context, "nat", TWO);
  await rig.client.request({ url: SERVICE_URL, count: 400, concurrency: 16 });
  await comesToRest(rig.lvsd.child.pid ?? 0);
}

inNamespaces("two workers on NICs by AF_XDP", import.meta.url, () => {
  const test = (name: string, work: (context: TestContext) => Promise<unknown>, skip: string | false = false): void => {
    it(name, { skip: lackingXdp() || skip }, (context) => work(context as TestContext).then(() => undefined));
  };

  for (const method of ["nat", "dr", "tun"] as const) {
    test(`${method}: connections begin at either worker, and all answers arrive`, async (context) => traffic(await NicRig.start(context, method, TWO)));
  }
  test("nat over IPv6", (context) => proveIpv6(context, TWO));
  test("more queues than workers: each has its own, and status counts at all", more);
  test("a NIC and a TAP", mixed);
  test("a reload takes a new address over", reloaded, lacking("ping"));
  test("a NIC with a queue for one of them is refused in words", tooFew);
  test("a NIC that could have more queues is refused with the command for that", switchedOff, lacking("ethtool"));
  test("auto is no more than there are queues", automatic);
  test("they are quiet when nothing happens", idle);
});
