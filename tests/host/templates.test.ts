// Templates of persistent services: how long they live, and by what.

import assert from "node:assert/strict";
import { test } from "node:test";
import { SLOT_HEADROOM } from "../../assembly/abi/layout.js";
import { buildTcp } from "../../host/lab/frames.js";
import { OUT } from "../oracle/recording.js";
import { buildUdp, Exchange } from "./exchange.js";

const CLIENT = "198.18.0.1";
const SYN = 2;
const RST = 4;
const ETHERNET_BYTES = 14;
const FARM = ["ipvsadm -A -t 10.0.1.100:80 -s rr -p 2", ...[1, 2, 3].map((n) => `ipvsadm -a -t 10.0.1.100:80 -r 10.0.2.${10 + n}:80 -m`)];

function frame(sourcePort: number, flags: number): Uint8Array {
  return buildTcp({ macTo: "02:00:00:00:01:01", macFrom: "02:00:00:00:01:fe", source: CLIENT, sourcePort, target: "10.0.1.100", targetPort: 80, flags });
}

function send(exchange: Exchange, sourcePort: number, flags = SYN): number | undefined {
  return exchange.fromClient(frame(sourcePort, flags).subarray(ETHERNET_BYTES))[0]?.server;
}

/** The template's timer, in seconds; undefined when there is none. */
async function left(exchange: Exchange): Promise<number | undefined> {
  const row = (await exchange.rows()).find((one) => one.includes(`${CLIENT}:0 `));
  const [, minutes, seconds] = /(\d+):(\d+)/.exec(row ?? "") ?? [];
  return minutes === undefined ? undefined : Number(minutes) * 60 + Number(seconds);
}

test("a template whose time is over lives on by minutes while a connection needs it, from that very moment", async () => {
  const exchange = await Exchange.begin(...FARM);
  assert.equal(send(exchange, 40000), 3);
  assert.equal(await left(exchange), 2);
  exchange.pass(1.9);
  assert.equal(await left(exchange), 0);
  exchange.pass(0.2);
  assert.equal(await left(exchange), 59, "its two seconds were over 0.1 s ago");
  for (let second = 3; second < 59; second++) {
    exchange.pass(1);
    assert.equal(await left(exchange), 61 - second, "whenever the sweep has come by");
  }
});

test("a template that lives by minutes keeps doing so for the next connection, and ends a minute after it", async () => {
  const exchange = await Exchange.begin(...FARM);
  send(exchange, 40000);
  exchange.pass(30);
  assert.equal(send(exchange, 40001), 3);
  assert.equal(await left(exchange), 60, "not the service's 2 seconds again");
  send(exchange, 40000, RST);
  send(exchange, 40001, RST);
  exchange.pass(58);
  assert.equal(await left(exchange), 2);
  exchange.pass(4);
  assert.equal(await left(exchange), undefined);
  assert.equal(send(exchange, 40002), 2, "the client is given a server anew");
});

test("a template that is over and that nothing needs is not used, though no sweep has come by", async () => {
  const exchange = await Exchange.begin("ipvsadm -A -u 10.0.1.100:53 -s rr -p 2 -o",
    ...[1, 2, 3].map((n) => `ipvsadm -a -u 10.0.1.100:53 -r 10.0.2.${10 + n}:53 -m`));
  const { engine } = exchange.replay;
  const bytes = Buffer.concat([Buffer.from([2, 0, 0, 0, 1, 1, 2, 0, 0, 0, 1, 0xfe, 8, 0]), buildUdp(CLIENT, 5000, "10.0.1.100", 53, Buffer.from("?"))]);
  const arrive = (nowMs: number): number => {
    const at = engine.arenaBase + SLOT_HEADROOM;
    engine.bytes.set(bytes, at);
    engine.enter(0, at, bytes.length, OUT);
    assert.equal(engine.receive(1, nowMs), 1);
    return (engine.bytes[engine.sent(0).frame + 5] ?? 0) - 10;
  };
  assert.deepEqual([1000, 1500, 3499, 5498, 7498, 9498].map(arrive), [3, 3, 3, 3, 2, 1]);
});
