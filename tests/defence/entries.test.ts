// drop_entry: which connections a crowded table loses, and which it keeps whatever happens.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { Sysctl } from "../../assembly/abi/enums.js";
import { SERVER_ACTIVE, SERVER_INACTIVE } from "../../assembly/abi/layout.js";
import { Records } from "../../host/engine/records.js";
import { setSysctl } from "../../host/engine/requests.js";
import { buildTcp } from "../../host/lab/frames.js";
import { Exchange } from "../host/exchange.js";
import { Farm } from "../oracle/farm.js";

const module = await WebAssembly.compile(readFileSync(new URL("../../engine.wasm", import.meta.url)));
const ALWAYS = 3;
const SYN = 0x02;
const ACK = 0x10;
const SYN_ACK = 0x12;
const VIRTUAL = "10.0.1.100";
/** After so long every bucket has been looked at many times: 1/32 of them each second. */
const THOROUGH_SECONDS = 600;

function pass(farm: Farm, seconds: number): void {
  for (let left = seconds * 10; left > 0; left--) farm.engine.tick(farm.nowMs += 100);
}

const clients = (farm: Farm): string[] => new Records(farm.engine.memory).connections()
  .filter((row) => row.clientPort !== 0).map((row) => row.clientAddress).sort();

/** An established connection whose client has sent `packets` packets in all. */
function establish(farm: Farm, source: string, packets: number): void {
  const server = farm.open(source) ?? 0;
  farm.fromServer(server, source, 40000, SYN_ACK);
  for (let sent = 1; sent < packets; sent++) farm.fromClient(source, 40000, VIRTUAL, ACK);
}

test("without drop_entry nothing goes before its time", async () => {
  const farm = await Farm.create(module, { scheduler: "rr", weights: [1] });
  for (let k = 1; k <= 100; k++) farm.open(`198.18.0.${k}`);
  pass(farm, 50);
  assert.equal(clients(farm).length, 100);
});

test("half-open connections go by a thirty-second each second, on the smallest table too", async () => {
  const farm = await Farm.create(module, { scheduler: "rr", weights: [1], bucketBits: 8 });
  setSysctl(farm.engine, Sysctl.DropEntry, ALWAYS);
  for (let k = 0; k < 500; k++) farm.open(`198.18.${k >> 7}.${1 + (k & 127)}`);
  farm.engine.tick(farm.nowMs);
  pass(farm, 20);
  const left = clients(farm).length;
  const expected = 500 * (31 / 32) ** 20;
  assert.ok(Math.abs(left - expected) < 60, `${left} left, about ${Math.round(expected)} expected`);
});

test("an established connection goes only after a minute of rest, and not when its client has said much", async () => {
  const farm = await Farm.create(module, { scheduler: "rr", weights: [1] });
  setSysctl(farm.engine, Sysctl.DropEntry, ALWAYS);
  establish(farm, "198.18.0.2", 2);
  for (let packets = 9; packets < 30; packets++) establish(farm, `198.18.1.${packets}`, packets);
  const all = clients(farm);
  for (let round = 0; round < 5; round++) {
    pass(farm, 11);
    for (const source of all) farm.fromClient(source, 40000, VIRTUAL, ACK);
  }
  assert.deepEqual(clients(farm), all, "all of them spoke within the minute");
  pass(farm, THOROUGH_SECONDS);
  assert.deepEqual(clients(farm), all.filter((source) => source !== "198.18.0.2"));
});

test("of the idle whose client sent n packets, each n-th that is looked at goes", async () => {
  const farm = await Farm.create(module, { scheduler: "rr", weights: [1] });
  const count = 60;
  for (const packets of [2, 8]) for (let k = 1; k <= count; k++) establish(farm, `198.18.${packets}.${k}`, packets);
  pass(farm, 60);
  setSysctl(farm.engine, Sysctl.DropEntry, ALWAYS);
  pass(farm, 32);
  const gone = (packets: number): number => count - clients(farm).filter((source) => source.startsWith(`198.18.${packets}.`)).length;
  // In 32 seconds each is looked at once on average: about half, and about an eighth.
  assert.ok(gone(2) > 15 && gone(2) < 35, `${gone(2)} of 60 with two packets are gone`);
  assert.ok(gone(8) > 1 && gone(8) < 15, `${gone(8)} of 60 with eight packets are gone`);
  assert.ok(farm.serverWord(1, SERVER_ACTIVE) + farm.serverWord(1, SERVER_INACTIVE) === clients(farm).length, "the server's counts followed");
});

test("a half-open connection takes its template along, unless others need it or the client is real", async () => {
  const exchange = await Exchange.begin("ipvsadm -A -t 10.0.1.100:80 -s rr -p 3600", "ipvsadm -a -t 10.0.1.100:80 -r 10.0.2.11:80 -m");
  const send = (source: string, sourcePort: number, flags: number): void => {
    exchange.fromClient(buildTcp({
      macTo: "02:00:00:00:01:01", macFrom: "02:00:00:00:01:fe", source, sourcePort, target: VIRTUAL, targetPort: 80, flags,
    }).subarray(14));
  };
  for (const source of ["198.18.0.1", "198.18.0.2"]) for (const port of [40000, 40001]) send(source, port, SYN);
  send("198.18.0.2", 40000, ACK);
  assert.equal((await exchange.rows()).length, 6, "four connections, two templates");
  await exchange.run("sysctl -w net.ipv4.vs.drop_entry=3");
  for (let minute = 0; minute < 10; minute++) {
    exchange.pass(50);
    send("198.18.0.2", 40000, ACK); // it is not idle
    send("198.18.0.1", 40000, ACK); // of no connection any more: no SYN
  }
  const left = (await exchange.rows()).map((row) => row.split(/ +/).slice(2, 4).join(" "));
  assert.deepEqual(left.sort(), ["ASSURED 198.18.0.2:0", "ESTABLISHED 198.18.0.2:40000"]);
});
