// Schedulers with tables share a store of slabs: what happens when it is empty, and that all come back.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { ControlError, Operation } from "../../assembly/abi/enums.js";
import { SERVICES_BASE, SERVICE_BYTES, SERVICE_SCHEDULER, SERVICE_SLAB } from "../../assembly/abi/layout.js";
import { SLABS_MAX } from "../../assembly/abi/limits.js";
import { Engine } from "../../host/engine/engine.js";
import { addService, deleteService, editService, flush, setServer } from "../../host/engine/requests.js";
import type { ServiceSpec } from "../../host/protocol.js";

const module = await WebAssembly.compile(readFileSync(new URL("../../engine.wasm", import.meta.url)));
const SLABS = SLABS_MAX - 1;

function service(port: number, scheduler: string): ServiceSpec {
  return {
    protocol: "tcp", family: 4, address: "10.0.1.100", port, fwmark: 0, scheduler, schedulerFlags: 0, persistent: false,
    timeoutSeconds: 0, netmask: "255.255.255.255", persistenceEngine: "", onePacket: false,
  };
}

function serviceWord(engine: Engine, index: number, offset: number): number {
  return engine.view.getUint32(SERVICES_BASE + index * SERVICE_BYTES + offset, true);
}

async function fullEngine(): Promise<Engine> {
  const engine = await Engine.create({ module });
  const schedulers = ["sh", "dh", "mh", "lblc", "lblcr"];
  for (let port = 1; port <= SLABS; port++) {
    assert.ok(addService(engine, service(port, schedulers[port % 5] ?? "")) > 0, `service ${port}`);
  }
  return engine;
}

test("one service more than there are slabs is refused as full, and leaves nothing behind", async () => {
  const engine = await fullEngine();
  assert.equal(addService(engine, service(5000, "mh")), ControlError.Full);
  assert.equal(deleteService(engine, service(5000, "mh")), ControlError.NoService);
  assert.ok(addService(engine, service(5000, "wlc")) > 0, "a scheduler without a table has room");
});

test("a service that asks for a table in vain keeps its scheduler and its flags", async () => {
  const engine = await fullEngine();
  const index = addService(engine, service(5000, "wrr"));
  assert.equal(editService(engine, { ...service(5000, "sh"), schedulerFlags: 8 }), ControlError.Full);
  assert.equal(serviceWord(engine, index, SERVICE_SCHEDULER), 1);
  assert.equal(serviceWord(engine, index, SERVICE_SLAB), 0);
  assert.equal(editService(engine, service(7, "rr")), 0, "another service gives its table back");
  assert.equal(editService(engine, service(5000, "sh")), 0);
  assert.notEqual(serviceWord(engine, index, SERVICE_SLAB), 0);
});

test("slabs come back when services go, one by one or all at once", async () => {
  const engine = await fullEngine();
  for (let round = 0; round < 3; round++) {
    assert.equal(deleteService(engine, service(3, "dh")), 0);
    assert.ok(addService(engine, service(3, "lblcr")) > 0);
    assert.equal(addService(engine, service(5000, "sh")), ControlError.Full);
  }
  flush(engine);
  for (let port = 1; port <= SLABS; port++) assert.ok(addService(engine, service(port, "mh")) > 0);
  assert.equal(addService(engine, service(5000, "mh")), ControlError.Full);
});

test("no two services share a slab", async () => {
  const engine = await fullEngine();
  const slabs = Array.from({ length: SLABS }, (_, index) => serviceWord(engine, index + 1, SERVICE_SLAB));
  assert.equal(new Set(slabs).size, SLABS);
  assert.ok(!slabs.includes(0));
});

test("from one table to another a service keeps its slab, and to a scheduler without a table it does not", async () => {
  const engine = await Engine.create({ module });
  const index = addService(engine, service(80, "lblcr"));
  const server = {
    family: 4 as const, address: "10.0.2.11", port: 80, forward: "masq" as const, weight: 1, upperThreshold: 0,
    lowerThreshold: 0, tunnel: "ipip" as const, tunnelPort: 0, tunnelFlags: 0,
  };
  setServer(engine, Operation.ServerAdd, service(80, "lblcr"), server);
  const slab = serviceWord(engine, index, SERVICE_SLAB);
  for (const scheduler of ["mh", "sh", "lblc", "dh", "lblcr"]) {
    assert.equal(editService(engine, service(80, scheduler)), 0);
    assert.equal(serviceWord(engine, index, SERVICE_SLAB), slab, scheduler);
  }
  editService(engine, service(80, "nq"));
  assert.equal(serviceWord(engine, index, SERVICE_SLAB), 0);
});
