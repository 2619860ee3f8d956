// Configurations: what is right is read, what is wrong is told with file, line and field.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import fc from "fast-check";
import { NO_NAMES } from "../../host/cli/context.js";
import { readConfig } from "../../host/config/config.js";
import { ConfigError } from "../../host/config/locator.js";
import { planTable } from "../../host/daemon/plan.js";
import { wantedOf } from "../../host/daemon/reload.js";
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
  const found = problems("ports:\n  - name: out\n    mac: zz\n    mtu: 10\n  - name: out\n    addresses: [10.0.1.1/33]\n"
    + "routes:\n  - { to: nowhere, port: out }\nmistake: 1\n");
  assert.deepEqual(found.map((one) => one.split(": ").slice(0, 2).join(" ")), [
    "3 ports[0].mac", "4 ports[0].mtu", "6 ports[1].addresses[0]", "8 routes[0].to", "9 mistake",
  ]);
});

const TWO = "ports:\n  - { name: out, addresses: [10.0.1.1/24] }\n  - { name: in, addresses: [10.0.2.1/24] }\n";

const WRONG: [string, string, string[]][] = [
  ["ports are missing, or no list", "table-bits: 9\n", ["1: ports: is missing"]],
  ["a choice that there is not", `${TWO}driver: fast\n`, ["4: driver: is none of auto, tap, uring"]],
  ["rules that are neither lines nor a file", `${TWO}rules: 7\n`, ["4: rules: is neither a list of lines nor the name of a file of them"]],
  ["one mark of several", `${TWO}marks:\n  - { mark: 1 }\n  - { mark: 0, ports: 90-80 }\n  - 5\n`,
    [
      "6: marks[1].mark: is below 1",
      "6: marks[1].ports: is neither a port nor a range as 80-443",
      "7: marks[2]: is neither a group of fields nor a line of iptables",
    ]],
  ["a mark of two families", `${TWO}marks: [{ mark: 1, source: 10.0.0.0/8, destination: "fd00::/64" }]\n`,
    ["4: marks[0]: has a source and a destination of different families"]],
  ["a gateway of another family", `${TWO}routes: [{ to: 10.9.0.0/16, via: "fd00::1", port: in }]\n`,
    ["4: routes[0]: leads to one family by a gateway of the other"]],
  ["a route that is there", `${TWO}routes:\n  - { to: default, via: 10.0.1.2, port: out }\n  - { to: 0.0.0.0/0, via: 10.0.2.2, port: in }\n`,
    ["6: routes[1].to: there already is a route to 0.0.0.0/0"]],
  ["an address of two ports", "ports:\n  - { name: out, addresses: [10.0.1.1/24] }\n  - { name: in, addresses: [10.0.1.1/32] }\n",
    ['3: ports[1].addresses[0]: port "out" has 10.0.1.1/32 already']],
  ["a device of two ports", "ports:\n  - { name: out, device: tap0 }\n  - { name: in, device: tap0 }\n", ['3: ports[1].device: port "out" has this device']],
  ["addresses that no host has", "ports:\n  - { name: out, addresses: [224.0.0.1/24, 127.0.0.1/8, \"::/0\"] }\n",
    [0, 1, 2].map((at) => `2: ports[0].addresses[${at}]: is an address that no host has on a network`)],
  ["a hardware address of many", `${TWO}neighbors: [{ address: 10.0.1.2, mac: "ff:ff:ff:ff:ff:ff", port: out }]\n`,
    ["4: neighbors[0].mac: is the hardware address of no single interface"]],
];

for (const [what, text, expected] of WRONG) test(`told by line, field and in words: ${what}`, () => assert.deepEqual(problems(text), expected));

test("a name of no port, a broken file, no file", () => {
  assert.deepEqual(
    problems(`${GOOD}neighbors:\n  - { address: 10.0.1.2, mac: "02:00:00:00:00:02", port: in }\n`),
    ['5: neighbors[0].port: there is no port "in"'],
  );
  assert.match(problems("ports: [\n")[0] ?? "", /^\d+: /);
  assert.throws(() => readConfig(join(folder, "missing.yaml")), /there is no such file/);
});

test("rules: each bad line by its own place, from the list and from a file", async () => {
  const module = await loadEngine();
  const file = write(`${GOOD}rules:\n  - -A -t 10.0.1.100:80 -s rr\n  - -A -t 10.0.1.100:80\n  - -C\n`);
  await assert.rejects(wantedOf(module, readConfig(file)), (error: ConfigError) => {
    assert.deepEqual(error.problems, [
      `${file}:6: rules[1]: Service already exists (-A -t 10.0.1.100:80)`,
      `${file}:7: rules[2]: a rule adds a service (-A) or a server (-a) (-C)`,
    ]);
    return true;
  });
  writeFileSync(join(folder, "rules"), "# a comment\n-A -t 10.0.1.100:80 -s rr\n-a -t 10.0.1.100:80 -r 10.0.2.11:80 -m -w x\n");
  await assert.rejects(wantedOf(module, readConfig(write(`${GOOD}rules: rules\n`))), /rules:3: illegal weight specified/);
});

test("rules may say ports by name, as `ipvsadm -S` writes them where names are known", async () => {
  const config = readConfig(write(`${GOOD}rules: ["-A -t 10.0.1.100:http", "-a -t 10.0.1.100:http -r 10.0.2.11:webcache -m"]\n`));
  const names = { ...NO_NAMES, portOf: async (service: string) => ({ http: 80, webcache: 8080 })[service] };
  const { table } = await wantedOf(await loadEngine(), config, names);
  assert.deepEqual(table.services.map(({ port, servers }) => [port, servers[0]?.port]), [[80, 8080]]);
  await assert.rejects(wantedOf(await loadEngine(), config), /rules\[0\]: illegal virtual server address/);
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

const server = fc.record({ last: fc.integer({ min: 11, max: 16 }), weight: fc.integer({ min: 0, max: 9 }) });
const service: fc.Arbitrary<Wanted> = fc.record({
  port: fc.integer({ min: 80, max: 83 }), scheduler: fc.constantFrom("rr", "wlc", "mh"),
  servers: fc.uniqueArray(server, { selector: (one) => one.last, maxLength: 5 }),
});
const tables = fc.uniqueArray(service, { selector: (one) => one.port, maxLength: 4 });

test("a plan from any table to any other arrives, and repeating it changes nothing", async () => {
  const module = await loadEngine();
  const text = (rules: Wanted[]): string => `${GOOD}rules: ${JSON.stringify(rules.flatMap((one) => [
    `-A -t 10.0.1.100:${one.port} -s ${one.scheduler}`,
    ...one.servers.map((server) => `-a -t 10.0.1.100:${one.port} -r 10.0.2.${server.last}:80 -m -w ${server.weight}`),
  ]))}\n`;
  await fc.assert(fc.asyncProperty(tables, tables, async (before, wanted) => {
    const { table: goal } = await wantedOf(module, readConfig(write(text(wanted))));
    const reached = await applyPlan(module, readConfig(write(text(before))), goal);
    assert.deepEqual(planTable(reached, goal), []);
  }), { numRuns: 40, seed: 7 });
});
