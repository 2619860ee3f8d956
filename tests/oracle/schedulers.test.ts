// Every scheduler's choices, connection by connection, as a real kernel made them.
//
// A line of the recording names scheduler, weights of the servers 1..4, who connects and how, then the
// chosen server of each of 100 connections ("-": refused):
//   ips     client k is 198.18.(k/10).(1+7k mod 250), port 40000
//   ports   client 10.0.1.50, port 40000+k
//   dsts    one client, target k is 198.19.(k/10).(1+7k mod 250), by firewall mark and VS-DR
//   syn     only SYNs;  est  whole handshakes;  x5  each server takes at most 10 connections (-x 10 -y 5)

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { CLIENT, Farm, type FarmPlan } from "./farm.js";

const root = new URL("../../../", import.meta.url);
const module = await WebAssembly.compile(readFileSync(new URL("build/engine.wasm", root)));
const LINE = /^(\w+) w(\S+) (ips|ports|dsts) (syn|est|fwmark-DR)(?: -b (\S+))?( x5)?\s+([-\d ]+)$/;
const CONNECTIONS = 100;

interface Recorded { plan: FarmPlan; clients: string; handshakes: boolean; chosen: string }

function parse(line: string): Recorded {
  const found = LINE.exec(line);
  if (!found) throw new Error(`not understood: ${line}`);
  const [, scheduler = "", weights = "", clients = "", how, flags = "", full, chosen = ""] = found;
  const limits = full ? { upper: 10, lower: 5 } : {};
  return {
    plan: {
      scheduler, weights: weights.split(weights.includes(",") ? "," : "").map(Number),
      flags: flags.split(",").filter((flag) => flag !== ""), marked: clients === "dsts", ...limits,
    },
    clients, handshakes: how === "est", chosen,
  };
}

function spread(net: string, k: number): string {
  return `${net}.${Math.floor(k / 10)}.${1 + ((7 * k) % 250)}`;
}

function connect(farm: Farm, recorded: Recorded, k: number): number | undefined {
  if (recorded.clients === "dsts") return farm.open(CLIENT, 40000, spread("198.19", k));
  const source = recorded.clients === "ips" ? spread("198.18", k) : CLIENT;
  const port = recorded.clients === "ips" ? 40000 : 40000 + k;
  return recorded.handshakes ? farm.establish(source, port) : farm.open(source, port);
}

const lines = readFileSync(new URL("tests/oracle/recordings/scheduler-sequences.txt", root), "utf8").trim().split("\n");

test("the recording has all schedulers but twos, which that kernel lacks", () => {
  assert.equal(lines.length, 129);
  assert.equal(new Set(lines.map((line) => line.split(" ")[0])).size, 13);
});

for (const line of lines) {
  const recorded = parse(line);
  test(`choices: ${line.slice(0, line.length - recorded.chosen.length).trim()}`, async () => {
    const farm = await Farm.create(module, recorded.plan);
    const chosen = Array.from({ length: CONNECTIONS }, (_, k) => connect(farm, recorded, k) ?? "-");
    assert.equal(chosen.join(" "), recorded.chosen.trim());
  });
}
