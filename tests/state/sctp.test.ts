// SCTP's states: the whole table, and associations along the roads that the recording does not show.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { Sysctl } from "../../assembly/abi/enums.js";
import { SCTP_TABLE } from "../../assembly/abi/layout.js";
import { Engine } from "../../host/engine/engine.js";
import { setSysctl } from "../../host/engine/requests.js";
import {
  ABORT, COOKIE_ACK, COOKIE_ECHO, DATA, ERROR, HEARTBEAT, INIT, INIT_ACK, module, packet, Road, SHUTDOWN, SHUTDOWN_ACK,
  SHUTDOWN_COMPLETE, UNKNOWN,
} from "./road.js";

test("all 420 next states are the kernel's", async () => {
  const engine = await Engine.create({ module });
  const cells = Array.from({ length: 30 }, (_, row) => [...engine.bytes.slice(SCTP_TABLE + row * 16, SCTP_TABLE + row * 16 + 14)]).flat();
  // Three directions by ten events by fourteen states, a byte each, in the order of the kernel's enumerations.
  const kernels = "bf692b9e0a0d97408f691edad7ce73c16f542394dc5f27bea4e41d05b9ee0c50";
  assert.equal(createHash("sha256").update(Uint8Array.from(cells)).digest("hex"), kernels);
});

test("a second INIT lives longer than the first; an INIT answered by ABORT is rejected, and may be tried again", async () => {
  const road = await Road.begin();
  assert.equal(road.client(INIT), "INIT1 4");
  assert.equal(road.client(INIT), "INIT 61");
  const other = await Road.begin();
  other.client(INIT);
  assert.equal(other.reply(ABORT), "REJECTED 4");
  assert.equal(other.client(INIT), "INIT 61");
});

test("only an established association counts as active", async () => {
  const road = await Road.begin();
  road.client(INIT);
  assert.deepEqual(road.counts(), [0, 1]);
  road.reply(INIT_ACK);
  road.client(COOKIE_ECHO);
  assert.deepEqual(road.counts(), [0, 1]);
  assert.equal(road.reply(COOKIE_ACK), "ESTABLISHED 900");
  assert.deepEqual(road.counts(), [1, 0]);
  for (const type of [DATA, HEARTBEAT, UNKNOWN, ERROR, INIT]) assert.equal(road.client(type), "ESTABLISHED 900");
  assert.equal(road.client(ABORT), "CLOSED 61");
  assert.deepEqual(road.counts(), [0, 1]);
});

test("an ABORT behind a cookie ends the association, behind anything else it is not looked for", async () => {
  const road = await Road.begin();
  road.client(INIT);
  road.reply(INIT_ACK);
  assert.equal(road.client({ type: COOKIE_ECHO, bytes: 9 }, ABORT), "CLOSED 61");
  const acknowledged = await Road.begin();
  acknowledged.client(INIT);
  acknowledged.reply(INIT_ACK);
  acknowledged.client(COOKIE_ECHO);
  assert.equal(acknowledged.reply({ type: COOKIE_ACK, bytes: 4 }, ABORT), "CLOSED 61");
  const other = await Road.begin();
  other.establish();
  assert.equal(other.client(HEARTBEAT, ABORT), "ESTABLISHED 900");
});

test("a cookie whose length is a lie is a cookie", async () => {
  for (const bytes of [0, 3, 60000]) {
    const road = await Road.begin();
    road.client(INIT);
    road.reply(INIT_ACK);
    const lying = Uint8Array.from(packet(true, [{ type: COOKIE_ECHO, bytes: 4 }, { type: ABORT, bytes: 4 }], ""));
    lying.set([bytes >> 8, bytes & 255], 48);
    assert.equal(road.raw(lying), "C-REPLIED 61", `${bytes} bytes`);
  }
});

test("a packet without a whole chunk leaves the association where it is", async () => {
  const road = await Road.begin();
  road.establish();
  const short = Buffer.from(packet(true, [], ""));
  assert.equal(road.raw(short), "ESTABLISHED 900");
});

test("the server closes first; a new INIT after that is given a server anew", async () => {
  const road = await Road.begin();
  road.establish();
  const first = road.server;
  assert.equal(road.reply(SHUTDOWN), "S-SENT 61");
  assert.equal(road.client(SHUTDOWN_ACK), "CLOSED 61");
  assert.equal(road.client(INIT), "INIT1 4");
  assert.notEqual(road.server, first);
});

test("the server begins: its INIT takes a half-open association over", async () => {
  const road = await Road.begin();
  road.client(INIT);
  assert.equal(road.reply(INIT), "C-WAIT 61");
  assert.equal(road.client(INIT_ACK), "COOKIE 61");
  assert.equal(road.reply(COOKIE_ECHO), "C-ECHOED 61");
  assert.equal(road.client(COOKIE_ACK), "ESTABLISHED 900");
});

test("VS-DR sees the client alone, and follows it to the end", async () => {
  const road = await Road.begin("route");
  assert.equal(road.client(INIT), "INIT1 4");
  assert.equal(road.client(COOKIE_ECHO), "ESTABLISHED 900");
  assert.equal(road.client(DATA), "ESTABLISHED 900");
  assert.equal(road.client(SHUTDOWN), "S-RECEIVED 61");
  assert.equal(road.client(SHUTDOWN_COMPLETE), "CLOSED 61");
});

test("only INIT opens an association; with sloppy_sctp everything does but ABORT", async () => {
  const road = await Road.begin();
  for (const type of [DATA, COOKIE_ECHO, SHUTDOWN, ABORT]) assert.equal(road.client(type), "none");
  setSysctl(road.engine, Sysctl.SloppySctp, 1);
  assert.equal(road.client(ABORT), "none");
  assert.equal(road.client(DATA), "ESTABLISHED 900");
});
