// lblc and lblcr: what they remember, for how long, and that nothing they held is lost.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { ControlError, Operation, Sysctl } from "../../assembly/abi/enums.js";
import {
  CONTROL_BASE, CONTROL_DESTINATIONS_FULL, SERVER_FAMILY, SERVER_REFERENCES, SERVERS_BASE, SERVER_BYTES, SLAB_COUNT,
} from "../../assembly/abi/layout.js";
import { CACHE_MAX } from "../../assembly/abi/limits.js";
import { deleteService, editService, setSysctl } from "../../host/engine/requests.js";
import { CLIENT, Farm } from "../oracle/farm.js";

const module = await WebAssembly.compile(readFileSync(new URL("../../engine.wasm", import.meta.url)));
const MINUTE_MS = 60000;
const HOUR_S = 3600;
const WANTED = 16384;
/** Not 20: nothing that comes from the port of FTP data is scheduled. */
const FIRST_PORT = 1024;

const target = (k: number): string => `198.19.${k >> 8}.${k & 255}`;
const remembered = (farm: Farm): number => farm.slab(SLAB_COUNT + 1)[SLAB_COUNT] ?? 0;
const refused = (farm: Farm): number => farm.word(CONTROL_BASE + CONTROL_DESTINATIONS_FULL);

function wait(farm: Farm, minutes: number): void {
  for (let minute = 0; minute < minutes; minute++) farm.engine.tick((farm.nowMs += MINUTE_MS));
}

/** Opens a connection to each of `count` destinations. */
function visit(farm: Farm, count: number, first = 0): void {
  for (let k = first; k < first + count; k++) farm.open(CLIENT, FIRST_PORT + (k % 60000), target(k));
}

for (const scheduler of ["lblc", "lblcr"]) {
  test(`${scheduler}: a destination stays with its server while that one has room, another goes elsewhere`, async () => {
    const farm = await Farm.create(module, { scheduler, weights: [50, 50], marked: true });
    const first = farm.open(CLIENT, 40000, target(1));
    const second = farm.open(CLIENT, 40001, target(2));
    assert.notEqual(first, second);
    for (let k = 2; k < 40; k++) {
      assert.equal(farm.open(CLIENT, 40000 + 2 * k, target(1)), first);
      assert.equal(farm.open(CLIENT, 40001 + 2 * k, target(2)), second);
    }
    assert.equal(remembered(farm), 2);
  });

  test(`${scheduler}: a drained or removed server loses its destinations; one that comes back may have them again`, async () => {
    const farm = await Farm.create(module, { scheduler, weights: [9, 9], marked: true });
    const first = farm.open(CLIENT, 40000, target(1)) ?? 0;
    farm.set(Operation.ServerEdit, first, 0);
    const other = farm.open(CLIENT, 40001, target(1)) ?? 0;
    assert.equal(other, 3 - first);
    farm.remove(other);
    assert.equal(farm.open(CLIENT, 40002, target(1)), undefined);
    farm.set(Operation.ServerEdit, first, 9);
    assert.equal(farm.open(CLIENT, 40003, target(1)), first);
    assert.equal(remembered(farm), 1);
  });

  test(`${scheduler}: destinations unused for the expiration time are forgotten, within half an hour`, async () => {
    const farm = await Farm.create(module, { scheduler, weights: [1, 1], marked: true });
    setSysctl(farm.engine, scheduler === "lblc" ? Sysctl.LblcExpiration : Sysctl.LblcrExpiration, HOUR_S);
    visit(farm, 10);
    wait(farm, 50);
    farm.open(CLIENT, 50000, target(3));
    assert.equal(remembered(farm), 10);
    wait(farm, 45);
    assert.equal(remembered(farm), 1, "the one used 45 minutes ago");
    wait(farm, 60);
    assert.equal(remembered(farm), 0);
  });

  test(`${scheduler}: when there are too many, the idle ones make room and the used ones stay`, async () => {
    const farm = await Farm.create(module, { scheduler, weights: [1, 1], marked: true, bucketBits: 14 });
    const surplus = 600;
    visit(farm, WANTED + surplus);
    assert.equal(remembered(farm), WANTED + surplus);
    wait(farm, 5);
    assert.equal(remembered(farm), WANTED + surplus, "nothing is idle yet");
    visit(farm, 100);
    wait(farm, 1);
    const left = remembered(farm);
    assert.ok(left <= WANTED && left > WANTED - surplus, `${left} left`);
    const known = left;
    visit(farm, 100);
    assert.equal(remembered(farm), known, "the hundred were still known");
  });

  test(`${scheduler}: a service that goes gives everything back`, async () => {
    const farm = await Farm.create(module, { scheduler, weights: [1, 1, 1], marked: true, bucketBits: 14 });
    visit(farm, 20000);
    assert.equal(refused(farm), 0);
    assert.equal(editService(farm.engine, { ...farm.service, scheduler: "rr" }), 0);
    assert.equal(editService(farm.engine, farm.service), 0);
    assert.equal(remembered(farm), 0);
    visit(farm, 20000, 20000);
    assert.equal(remembered(farm), 20000);
    assert.equal(refused(farm), 0, "20,000 twice do not fit at once");
    assert.equal(deleteService(farm.engine, farm.service), 0);
    assert.equal(deleteService(farm.engine, farm.service), ControlError.NoService);
    wait(farm, 20);
    for (const n of [1, 2, 3]) {
      assert.equal(farm.serverWord(n, SERVER_REFERENCES), 0);
      assert.equal(farm.engine.bytes[SERVERS_BASE + n * SERVER_BYTES + SERVER_FAMILY], 0, `server ${n} is forgotten`);
    }
  });

  test(`${scheduler}: without room a destination is served, only not remembered, and that is counted`, async () => {
    const farm = await Farm.create(module, { scheduler, weights: [1, 1], marked: true, bucketBits: 14 });
    visit(farm, CACHE_MAX - 1);
    assert.equal(refused(farm), 0);
    assert.notEqual(farm.open(CLIENT, 65001, target(50000)), undefined);
    assert.equal(refused(farm), 1);
    assert.equal(remembered(farm), CACHE_MAX - 1);
  });
}

test("lblc: a remembered server's record outlives its removal, so that no other server is taken for it", async () => {
  const farm = await Farm.create(module, { scheduler: "lblc", weights: [1], marked: true });
  farm.open(CLIENT, 40000, target(1));
  farm.remove(1);
  wait(farm, 60);
  assert.equal(farm.serverWord(1, SERVER_REFERENCES), 1, "its connection has ended, the memory of it has not");
  farm.set(Operation.ServerAdd, 2, 1);
  assert.equal(farm.open(CLIENT, 40001, target(1)), 2);
  assert.equal(farm.serverWord(1, SERVER_REFERENCES), 0);
});

test("lblcr: a set that rested for the expiration time loses its most loaded member", async () => {
  const farm = await Farm.create(module, { scheduler: "lblcr", weights: [2, 2], marked: true });
  setSysctl(farm.engine, Sysctl.LblcrExpiration, 40);
  const chosen = Array.from({ length: 4 }, (_, k) => farm.open(CLIENT, 40000 + k, target(1)));
  assert.deepEqual(chosen, [2, 2, 2, 1], "the second joins when the first is overrun");
  assert.deepEqual([1, 2].map((n) => farm.serverWord(n, SERVER_REFERENCES)), [2, 4]);
  farm.nowMs += 41000;
  assert.equal(farm.open(CLIENT, 40010, target(1)), 1);
  assert.deepEqual([1, 2].map((n) => farm.serverWord(n, SERVER_REFERENCES)), [3, 3], "server 2 left the set");
});
