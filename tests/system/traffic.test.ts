// Real requests through a real director by every forwarding method, everything administered with lvsadm.

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { it, type TestContext } from "node:test";
import { VIRTUAL_ADDRESS, VIRTUAL_PORT, serverAddress, serverPort, type Method } from "../../host/lab/addresses.js";
import { labConfig, labRules } from "../../host/lab/director.js";
import type { Namespace } from "../../host/lab/namespace.js";
import { SERVICE_URL } from "../../host/lab/network.js";
import type { Report } from "../../host/lab/load.js";
import { inNamespaces } from "./inside.js";
import { Rig, until } from "./rig.js";
import { WITH, WebServers, digest } from "./webserver.js";

const REQUESTS = 10_000;
const CONCURRENCY = 32;
const TRANSFER_BYTES = 3 << 20;
/** Connections that live through a reload, and the requests on them. */
const KEPT = 4;
const KEPT_REQUESTS = 3600;
const RELOADS_MAX = 5;
/** Room for every connection of a test, TIME_WAIT included. */
const MORE = { "table-bits": 14 };
const SERVICE = `-t ${VIRTUAL_ADDRESS}:${VIRTUAL_PORT}`;
const SWITCH: Record<Method, string> = { nat: "-m", dr: "-g", tun: "-i", local: "-g" };

/** As an operator of DR and TUN sets it: nobody but the client is seen, so that its port coming again means a new connection. */
const REUSE = { sysctl: { conn_reuse_mode: 3 } };

type Fields = Readonly<Record<string, unknown>>;
type Figures = { connections: bigint; inPackets: bigint; outPackets: bigint; inBytes: bigint; outBytes: bigint };

/** The figures of `lvsadm -Ln --stats --exact`: the service's, then its servers'. */
async function stats(rig: Rig): Promise<Figures[]> {
  const text = await rig.lvsadm("-Ln --stats --exact");
  const rows = text.split("\n").slice(3).filter((line) => line !== "");
  return rows.map((line) => {
    const [connections = 0n, inPackets = 0n, outPackets = 0n, inBytes = 0n, outBytes = 0n] = line.trim().split(/\s+/).slice(-5).map(BigInt);
    return { connections, inPackets, outPackets, inBytes, outBytes };
  });
}

/** What a kernel itself has counted: IPv4 packets and their bytes, out and in. */
function kernelCounts(namespace: Namespace): Omit<Figures, "connections"> {
  const text = namespace.output("cat", ["/proc/net/snmp", "/proc/net/netstat"]);
  const find = (group: string, name: string): bigint => {
    const [names = [], values = []] = text.split("\n").filter((line) => line.startsWith(`${group}: `)).map((line) => line.split(" "));
    return BigInt(values[names.indexOf(name)] ?? -1);
  };
  return {
    inPackets: find("Ip", "OutRequests"), outPackets: find("Ip", "InReceives"), inBytes: find("IpExt", "OutOctets"), outBytes: find("IpExt", "InOctets"),
  };
}

function minus<T extends Record<string, bigint>>(a: T, b: T): T {
  return Object.fromEntries(Object.entries(a).map(([name, value]) => [name, value - (b[name] ?? 0n)])) as T;
}

function total(rows: readonly Figures[]): Figures {
  const sum: Figures = { connections: 0n, inPackets: 0n, outPackets: 0n, inBytes: 0n, outBytes: 0n };
  for (const row of rows) for (const name of Object.keys(sum) as (keyof Figures)[]) sum[name] += row[name];
  return sum;
}

function assertAllAnswered(report: Report, count: number): void {
  assert.deepEqual([report.succeeded, report.connections, report.failures], [count, count, {}]);
}

/** In any run of wrr's period each server has its weight exactly: so many whole periods, and a part of one. */
function assertWeights(servers: Record<string, number>, weights: Record<string, number>, count: number): void {
  const period = Object.values(weights).reduce((sum, weight) => sum + weight, 0);
  const whole = Math.floor(count / period);
  for (const [name, weight] of Object.entries(weights)) {
    const got = servers[name] ?? 0;
    assert.ok(got >= whole * weight && got <= (whole + 1) * weight, `${name} with weight ${weight} had ${got} of ${count}`);
  }
  assert.equal(Object.values(servers).reduce((sum, got) => sum + got, 0), count);
}

/** All requests are answered, by weight; and the director's counters say what the client's own kernel says. */
async function manyRequests(rig: Rig, method: Method): Promise<void> {
  const before = kernelCounts(rig.network.client);
  const [zero] = await stats(rig);
  assert.equal(zero?.connections, 0n);
  const report = await rig.client.request({ url: `${SERVICE_URL}/`, count: REQUESTS, concurrency: CONCURRENCY });
  assertAllAnswered(report, REQUESTS);
  assertWeights(report.servers, method === "local" ? { director: 1 } : { server1: 1, server2: 2, server3: 3 }, REQUESTS);

  // Answers of DR and TUN go past the director.
  const seesAnswers = method === "nat" || method === "local";
  let service: Figures | undefined;
  let servers: Figures[] = [];
  let client = before;
  const isEqual = async (): Promise<boolean> => {
    client = minus(kernelCounts(rig.network.client), before);
    [service, ...servers] = await stats(rig);
    return service?.inPackets === client.inPackets && (!seesAnswers || service.outPackets === client.outPackets);
  };
  await until(isEqual);
  assert.deepEqual(total(servers), service);
  const back = seesAnswers ? client : { outPackets: 0n, outBytes: 0n };
  assert.deepEqual(service, { connections: BigInt(REQUESTS), ...client, outPackets: back.outPackets, outBytes: back.outBytes });
}

async function transfers(rig: Rig, web: WebServers): Promise<void> {
  for (let round = 0; round < 3; round++) {
    assert.equal(await web.download(rig), digest(web.content), "download");
    assert.equal(await web.upload(rig), digest(web.content), "upload");
  }
}

/** Requests until told otherwise, and what came of all of them. */
function keepAsking(rig: Rig): () => Promise<{ lost: Record<string, number>; servers: Record<string, number> }> {
  let going = true;
  const lost: Record<string, number> = {};
  const servers: Record<string, number> = {};
  const work = (async () => {
    while (going) {
      const report = await rig.client.request({ url: `${SERVICE_URL}/`, count: 200, concurrency: CONCURRENCY });
      for (const [reason, count] of Object.entries(report.failures)) lost[reason] = (lost[reason] ?? 0) + count;
      for (const [name, count] of Object.entries(report.servers)) servers[name] = (servers[name] ?? 0) + count;
    }
  })();
  return async () => {
    going = false;
    await work;
    return { lost, servers };
  };
}

/** An operator takes a server out and puts it back while clients keep coming. */
async function maintenance(rig: Rig, method: Method): Promise<void> {
  const server = `-r ${serverAddress(method, 2)}:${serverPort(method)}`;
  const request = { url: `${SERVICE_URL}/`, count: 400, concurrency: CONCURRENCY };
  const stop = keepAsking(rig);
  await rig.lvsadm(`-e ${SERVICE} ${server} ${SWITCH[method]} -w 0`);
  const active = async (): Promise<number | undefined> =>
    (await rig.table()).services[0]?.servers.find((one) => one.address === serverAddress(method, 2))?.activeConnections;
  assert.ok(await until(async () => (await active()) === 0), "the server did not become empty");
  const drained = await rig.client.request(request);
  assert.equal(drained.servers["server2"], undefined, "a server of weight 0 had a new connection");
  await rig.lvsadm(`-d ${SERVICE} ${server}`);
  assert.doesNotMatch(await rig.lvsadm("-Ln"), new RegExp(serverAddress(method, 2).replaceAll(".", "\\.")));
  const without = await rig.client.request(request);
  assertAllAnswered(without, request.count);
  assert.deepEqual(Object.keys(without.servers).sort(), ["server1", "server3"]);
  await rig.lvsadm(`-a ${SERVICE} ${server} ${SWITCH[method]} -w 2`);
  await pause(500);
  const { lost, servers } = await stop();
  assert.deepEqual(lost, {});
  assert.ok((servers["server2"] ?? 0) > 0, "the server had nothing to do after it came back");
}

async function otherWeights(rig: Rig, method: Method): Promise<void> {
  const weights = { server1: 5, server2: 1, server3: 2 };
  for (const [index, weight] of Object.values(weights).entries()) {
    await rig.lvsadm(`-e ${SERVICE} -r ${serverAddress(method, index + 1)}:${serverPort(method)} ${SWITCH[method]} -w ${weight}`);
  }
  const report = await rig.client.request({ url: `${SERVICE_URL}/`, count: 803, concurrency: CONCURRENCY });
  assertAllAnswered(report, 803);
  assertWeights(report.servers, weights, 803);
}

/** HUP with a changed file while connections are in use: not one of them breaks, the difference holds. True when they still were. */
async function reloadUnderLoad(rig: Rig, method: Method, more: Fields): Promise<boolean> {
  let log = "";
  let isOver = false;
  rig.director.onLog((text) => (log += text));
  const configure = (rules: readonly string[]): void =>
    writeFileSync(rig.director.configFile, labConfig(rig.network, rig.socketPath, rules, { fields: more }));
  const reload = async (): Promise<void> => {
    log = "";
    rig.director.signal("SIGHUP");
    assert.ok(await until(() => log.includes('"reloaded"')), `after HUP: ${log}`);
  };
  const kept = rig.client.request({ url: `${SERVICE_URL}/`, count: KEPT_REQUESTS, concurrency: KEPT, keepAlive: true }).finally(() => (isOver = true));
  configure([...labRules(method, 3).map((rule) => rule.replace("-w 3", "-w 9")), `-A -u ${VIRTUAL_ADDRESS}:53 -s rr`]);
  await reload();
  const isUnderLoad = !isOver;
  assert.match(log, /"changes":\["server-edit","service-add"\]/);
  const report = await kept;
  assert.deepEqual([report.succeeded, report.connections, report.failures], [KEPT_REQUESTS, KEPT, {}]);
  assert.match(await rig.lvsadm("-Sn"), /-w 9[^\n]*\n-A -u 10\.0\.1\.100:53 -s rr\n$/);
  if (isUnderLoad) return true;
  configure(labRules(method, 3));
  await reload();
  return false;
}

/** A director that was held up may reload when the load is over: then once more. */
async function reloadsUnderLoad(rig: Rig, method: Method, more: Fields): Promise<void> {
  for (let turn = 0; turn < RELOADS_MAX; turn++) if (await reloadUnderLoad(rig, method, more)) return;
  assert.fail("the load was always over before the reload");
}

/** Both workers had work, and nearly every frame came to its own: the kernel knows whose it is. */
async function sharedByWorkers(rig: Rig): Promise<void> {
  let { workerRows, ports } = await rig.status();
  const sum = (field: "received" | "handedOver" | "handedIn" | "handoverFull"): number => workerRows.reduce((all, row) => all + Number(row[field]), 0);
  // The last connections' last frames may be on their way.
  await until(async () => {
    ({ workerRows, ports } = await rig.status());
    return sum("handedIn") === sum("handedOver");
  });
  assert.equal(workerRows.length, 2);
  assert.ok(workerRows.every((row) => Number(row.received) > sum("received") / 4), `work is shared: ${JSON.stringify(workerRows)}`);
  assert.deepEqual([sum("handedIn"), sum("handoverFull")], [sum("handedOver"), 0]);
  // Without the machine's own root no program may be loaded: then the kernel learns from what is sent.
  const isSteered = ports.every((port) => port.steering.startsWith("frames are steered"));
  if (isSteered) assert.ok(sum("handedOver") < sum("received") / 100, `steered, and yet handed over: ${JSON.stringify(workerRows)}`);
  else assert.ok(ports.every((port) => port.steering.includes("handed over: ")), "why frames are not steered is told");
  assert.match(await rig.lvsadm("status"), /2 workers\n.*\n {2}worker 0: \d+ frames, \d+ handed over/);
}

async function trafficBy(context: TestContext, method: Method, workers = 1): Promise<void> {
  const web = new WebServers(context, TRANSFER_BYTES);
  const more = { ...MORE, ...REUSE, ...(workers === 1 ? {} : { workers }) };
  const rig = await Rig.start(context, method, { more, startServers: (network) => web.start(network) });
  await context.test(`${REQUESTS} requests, all answered, by weight; --stats says what the client's kernel says`, () => manyRequests(rig, method));
  await context.test("3 MB down and up arrive as they were sent", () => transfers(rig, web));
  // Before anybody uses lvsadm: HUP brings back what the file says.
  if (method !== "local") {
    await context.test("HUP under load: the difference holds, no connection breaks", () => reloadsUnderLoad(rig, method, more));
    await context.test("a server drained, removed and added under load loses no request", () => maintenance(rig, method));
    await context.test("new weights hold from the next connection on", () => otherWeights(rig, method));
  }
  if (workers > 1) await context.test("both workers had their part of it", () => sharedByWorkers(rig));
  // Without a service the virtual address is an ordinary one of the director: its own server answers, or nobody.
  await context.test(`lvsadm -C leaves nothing, and ${method === "local" ? "the director's own server answers" : "nobody answers"}`, async () => {
    await rig.lvsadm("-C");
    assert.equal((await rig.lvsadm("-Ln")).split("\n").length, 4);
    const report = await rig.client.request({ url: `${SERVICE_URL}/`, ...(method === "local" ? {} : { timeoutMs: 2000 }) });
    assert.deepEqual(report.servers, method === "local" ? { director: 1 } : {});
  });
}

inNamespaces(`traffic with ${WITH}`, import.meta.url, () => {
  for (const method of ["nat", "dr", "tun", "local"] as const) it(method, (context) => trafficBy(context as TestContext, method));
  for (const method of ["nat", "dr"] as const) it(`${method}, two workers`, (context) => trafficBy(context as TestContext, method, 2));
});
