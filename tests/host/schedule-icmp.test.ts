// schedule_icmp: an ICMP error about a service's packet opens the connection that the packet belonged to.

import assert from "node:assert/strict";
import { test } from "node:test";
import { buildIcmp, buildIp, buildUdp, Exchange } from "./exchange.js";

const CLIENT = "198.18.0.1";
const VIRTUAL = "10.0.1.100";
const ROUTER = "198.18.9.9";
const TCP = 6;
const ON = "sysctl -w net.ipv4.vs.schedule_icmp=1";
const WEB = ["ipvsadm -A -t 10.0.1.100:80 -s rr", "ipvsadm -a -t 10.0.1.100:80 -r 10.0.2.11:8080 -m", "ipvsadm -a -t 10.0.1.100:80 -r 10.0.2.12:8080 -m"];

/** An error about a segment that the service sent to its client. */
function aboutSegment(clientPort: number): Buffer {
  const tcp = Buffer.from([0, 80, clientPort >> 8, clientPort & 255, 0, 0, 0, 1]);
  return buildIcmp(ROUTER, VIRTUAL, 3, 4, buildIp(VIRTUAL, CLIENT, TCP, tcp));
}

async function used(exchange: Exchange): Promise<number> {
  const reply = await exchange.replay.director.request({ do: "status" });
  assert.ok(reply.ok);
  return reply.value.connectionsUsed;
}

test("off, such an error is consumed; on, it opens a connection that lives three seconds", async () => {
  const exchange = await Exchange.begin(...WEB);
  assert.deepEqual(exchange.fromClient(aboutSegment(45000)), []);
  assert.equal(await used(exchange), 0);
  await exchange.run(ON);
  const [sent] = exchange.fromClient(aboutSegment(45000));
  assert.equal(sent?.server, 2);
  assert.equal(Buffer.from(sent?.bytes ?? []).subarray(30, 34).join("."), "10.0.2.12", "the error is sent to the server");
  assert.equal(Buffer.from(sent?.bytes ?? []).subarray(54, 58).join("."), "10.0.2.12", "and speaks of what the server sent");
  assert.deepEqual(await exchange.rows(), ["TCP 00:03  NONE        198.18.0.1:45000   10.0.1.100:80      10.0.2.12:8080"]);
  assert.equal(exchange.fromClient(aboutSegment(45000))[0]?.server, 2, "the next one belongs to it");
  assert.equal(exchange.fromClient(aboutSegment(45001))[0]?.server, 1);
  exchange.pass(5);
  assert.equal(await used(exchange), 0);
});

test("a service without servers: the error is dropped and counted, and not answered by another", async () => {
  const exchange = await Exchange.begin("ipvsadm -A -t 10.0.1.100:80 -s rr", ON);
  assert.deepEqual(exchange.fromClient(aboutSegment(45000)), []);
  assert.equal(exchange.drops["NoServer"], 1n);
});

test("for a one-packet service the error is sent on and no connection stays", async () => {
  const exchange = await Exchange.begin("ipvsadm -A -u 10.0.1.100:53 -s rr -o", "ipvsadm -a -u 10.0.1.100:53 -r 10.0.2.11:53 -m", ON);
  const about = buildUdp(VIRTUAL, 53, CLIENT, 45000, Buffer.from("x"));
  for (let k = 0; k < 50; k++) assert.equal(exchange.fromClient(buildIcmp(ROUTER, VIRTUAL, 3, 3, about))[0]?.server, 1);
  assert.equal(await used(exchange), 0);
});

test("a persistent service's client is led to the server its template names", async () => {
  const exchange = await Exchange.begin(...WEB, "ipvsadm -E -t 10.0.1.100:80 -s rr -p 60", ON);
  for (let k = 0; k < 5; k++) assert.equal(exchange.fromClient(aboutSegment(45000 + k))[0]?.server, 2);
  assert.equal((await exchange.rows()).length, 6);
});
