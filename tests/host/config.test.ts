// Configurations: what is right is read, what is wrong is told with file, line and field.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import fc from "fast-check";
import { readConfig } from "../../host/daemon/config.js";
import { ConfigError } from "../../host/daemon/locator.js";
import { planTable } from "../../host/daemon/plan.js";
import { tableOf } from "../../host/daemon/reload.js";
import { loadEngine } from "../../host/load.js";
import { applyPlan } from "./plan-runner.js";

const folder = mkdtempSync(join(tmpdir(), "lvs-config-"));
after(() => rmSync(folder, { recursive: true }));
let files = 0;

function write(text: string): string {
  const file = join(folder, `director${files++}.yaml`);
  writeFileSync(file, text);
  return file;
}

const problems = (text: string): string[] => {
  const file = write(text);
  try {
    readConfig(file);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems.map((one) => one.replace(`${file}:`, ""));
    throw error;
  }
  return [];
};

const GOOD = "ports:\n  - name: out\n    addresses: [10.0.1.1/24]\n";

test("a port is enough; the rest has defaults", () => {
  const config = readConfig(write(GOOD));
  assert.equal(config.tableBits, 12);
  assert.equal(config.ports[0]?.mtu, 1500);
  assert.match(config.ports[0]?.mac ?? "", /^02(:[0-9a-f]{2}){5}$/);
  assert.equal(readConfig(write(GOOD)).ports[0]?.mac, config.ports[0]?.mac, "the same machine and name, the same address");
});

test("every mistake is told at once, with line and field", () => {
  const found = problems("ports:\n  - name: out\n    mac: zz\n    mtu: 10\n  - name: out\n    addresses: [10.0.1.1/33]\nroutes:\n  - { to: nowhere, port: out }\nmistake: 1\n");
  assert.deepEqual(found.map((one) => one.split(": ").slice(0, 2).join(" ")), [
    "3 ports[0].mac", "4 ports[0].mtu", "6 ports[1].addresses[0]", "8 routes[0].to", "9 mistake",
  ]);
});

test("a name of no port, a broken file, no file", () => {
  assert.deepEqual(problems(`${GOOD}neighbors:\n  - { address: 10.0.1.2, mac: "02:00:00:00:00:02", port: in }\n`), ['5: neighbors[0].port: there is no port "in"']);
  assert.match(problems("ports: [\n")[0] ?? "", /^\d+: /);
  assert.throws(() => readConfig(join(folder, "missing.yaml")), /there is no such file/);
});

test("rules: each bad line by its own place, from the list and from a file", async () => {
  const module = await loadEngine();
  const file = write(`${GOOD}rules:\n  - -A -t 10.0.1.100:80 -s rr\n  - -A -t 10.0.1.100:80\n  - -C\n`);
  await assert.rejects(tableOf(module, readConfig(file)), (error: ConfigError) => {
    assert.deepEqual(error.problems, [
      `${file}:6: rules[1]: Service already exists (-A -t 10.0.1.100:80)`,
      `${file}:7: rules[2]: a rule adds a service (-A) or a server (-a) (-C)`,
    ]);
    return true;
  });
  writeFileSync(join(folder, "rules"), "# a comment\n-A -t 10.0.1.100:80 -s rr\n-a -t 10.0.1.100:80 -r 10.0.2.11:80 -m -w x\n");
  await assert.rejects(tableOf(module, readConfig(write(`${GOOD}rules: rules\n`))), /rules:3: illegal weight specified/);
});

test("a port for the director's own kernel is a TAP, never a NIC", () => {
  const file = write("ports:\n  - { name: own, device: eth0, kind: host, attach: nic }\n");
  assert.throws(() => readConfig(file), (error: ConfigError) => {
    assert.deepEqual(error.problems, [`${file}:2: ports[0].attach: a host port is a TAP`]);
    return true;
  });
});

test("no text makes the reader fail in any other way than a ConfigError", () => {
  fc.assert(fc.property(fc.string({ maxLength: 80 }), (noise) => {
    const file = write(`${GOOD}${noise}`);
    try {
      readConfig(file);
    } catch (error) {
      assert.ok(error instanceof ConfigError, String(error));
    }
  }), { numRuns: 300, seed: 1 });
});

interface Wanted { port: number; scheduler: string; servers: { last: number; weight: number }[] }

const service: fc.Arbitrary<Wanted> = fc.record({
  port: fc.integer({ min: 80, max: 83 }), scheduler: fc.constantFrom("rr", "wlc", "mh"),
  servers: fc.uniqueArray(fc.record({ last: fc.integer({ min: 11, max: 16 }), weight: fc.integer({ min: 0, max: 9 }) }), { selector: (one) => one.last, maxLength: 5 }),
});
const tables = fc.uniqueArray(service, { selector: (one) => one.port, maxLength: 4 });

test("a plan from any table to any other arrives, and repeating it changes nothing", async () => {
  const module = await loadEngine();
  const text = (rules: Wanted[]): string => `${GOOD}rules: ${JSON.stringify(rules.flatMap((one) => [
    `-A -t 10.0.1.100:${one.port} -s ${one.scheduler}`,
    ...one.servers.map((server) => `-a -t 10.0.1.100:${one.port} -r 10.0.2.${server.last}:80 -m -w ${server.weight}`),
  ]))}\n`;
  await fc.assert(fc.asyncProperty(tables, tables, async (before, wanted) => {
    const goal = await tableOf(module, readConfig(write(text(wanted))));
    const reached = await applyPlan(module, readConfig(write(text(before))), goal);
    assert.deepEqual(planTable(reached, goal), []);
  }), { numRuns: 40, seed: 7 });
});
