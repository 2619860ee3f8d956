// The three worked examples of the paper of 1999: NAT rewriting, TUN encapsulation, direct routing.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { buildTcp, describe, isIntact, macOf } from "../../host/lab/frames.js";
import { CLIENT_MAC, CLIENT_SIDE, DIRECTOR_INNER_MAC, DIRECTOR_MAC, Lab, SERVER_SIDE, type LabPlan } from "../../host/lab/lab.js";

const module = await WebAssembly.compile(readFileSync(new URL("../../engine.wasm", import.meta.url)));
const SYN = 2;
const ACK = 16;

const nat: LabPlan = {
  clients: { prefix: "202.100.1.1/24", address: "202.100.1.2", mac: CLIENT_MAC },
  virtual: { address: "202.103.106.5", port: 80 },
  inner: "172.16.0.1/24",
  servers: [
    { address: "172.16.0.2", port: 80, weight: 1, mac: "02:00:00:00:02:02" },
    { address: "172.16.0.3", port: 8000, weight: 2, mac: "02:00:00:00:02:03" },
  ],
  forward: "masq",
  scheduler: "wrr",
};

const request = (plan: LabPlan, port: number): Uint8Array => buildTcp({
  macTo: DIRECTOR_MAC, macFrom: CLIENT_MAC, source: plan.clients.address, sourcePort: port,
  target: plan.virtual.address, targetPort: plan.virtual.port, flags: SYN,
});

test("NAT: the request reaches 172.16.0.3:8000 and its answer leaves from 202.103.106.5:80", async () => {
  const lab = await Lab.create(module, nat);
  const [out] = lab.send(CLIENT_SIDE, request(nat, 3456), 1000);
  assert.ok(out);
  assert.equal(describe(out.bytes), "202.100.1.2:3456 > 172.16.0.3:8000");
  assert.ok(isIntact(out.bytes));
  const answer = buildTcp({ macTo: DIRECTOR_INNER_MAC, macFrom: "02:00:00:00:02:03", source: "172.16.0.3", sourcePort: 8000,
    target: "202.100.1.2", targetPort: 3456, flags: SYN | ACK });
  const [back] = lab.send(SERVER_SIDE, answer, 1001);
  assert.ok(back);
  assert.equal(describe(back.bytes), "202.103.106.5:80 > 202.100.1.2:3456");
  assert.ok(isIntact(back.bytes));
});

test("NAT: weights 1 and 2 share 300 connections 100 to 200", async () => {
  const lab = await Lab.create(module, nat);
  const counts = new Map<string, number>();
  for (let n = 0; n < 300; n++) {
    const [out] = lab.send(CLIENT_SIDE, request(nat, 10000 + n), 1000);
    assert.ok(out);
    counts.set(macOf(out.bytes), (counts.get(macOf(out.bytes)) ?? 0) + 1);
  }
  assert.deepEqual([counts.get("02:00:00:00:02:02"), counts.get("02:00:00:00:02:03")], [100, 200]);
});

const lan: LabPlan = {
  clients: { prefix: "192.168.1.1/24", address: "192.168.1.5", mac: CLIENT_MAC },
  virtual: { address: "192.168.1.110", port: 80 },
  inner: "192.168.2.1/24",
  servers: [{ address: "192.168.2.2", port: 80, weight: 1, mac: "02:00:00:00:02:02" }],
  forward: "tunnel",
  scheduler: "rr",
};

test("TUN: the packet travels unchanged (one hop less) inside another from director to server", async () => {
  const lab = await Lab.create(module, lan);
  const frame = request(lan, 3456);
  const [out] = lab.send(CLIENT_SIDE, frame, 1000);
  assert.ok(out);
  assert.equal(describe(out.bytes), "192.168.2.1 > 192.168.2.2 ipip [ 192.168.1.5:3456 > 192.168.1.110:80 ]");
  assert.deepEqual(out.bytes.slice(54), frame.slice(34), "the inner segment is untouched");
});

test("DR: only hardware addresses and the hop change", async () => {
  const plan: LabPlan = { ...lan, forward: "route" };
  const lab = await Lab.create(module, plan);
  const frame = request(plan, 3456);
  const [out] = lab.send(CLIENT_SIDE, frame, 1000);
  assert.ok(out);
  assert.equal(macOf(out.bytes), "02:00:00:00:02:02");
  assert.deepEqual(out.bytes.slice(26), frame.slice(26), "addresses and segment are untouched");
  assert.equal(out.bytes[22], (frame[22] ?? 0) - 1);
  assert.ok(isIntact(out.bytes));
});
