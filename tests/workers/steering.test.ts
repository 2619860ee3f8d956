// The BPF program and the engine name the same worker: the program run by this kernel, frame by frame.

import assert from "node:assert/strict";
import { test } from "node:test";
import { buildFrame, TCP, UDP, wireAddress, type FramePlan } from "../../bench/path/frames.js";
import { Random } from "../../bench/lib/random.js";
import { SLOT_HEADROOM } from "../../assembly/abi/layout.js";
import { Engine } from "../../host/engine/engine.js";
import { addLocal, addRoute, addService, setPort } from "../../host/engine/requests.js";
import { loadEngine } from "../../host/load.js";
import { loadProgram, PROGRAM_SCHED_CLS, PROGRAM_SOCKET_FILTER, tryProgram } from "../../host/io/sys/bpf.js";
import { close } from "../../host/io/sys/libc.js";
import { steeringProgram } from "../../host/io/queues.js";

const MAC = "02:00:00:00:01:01";
const WORKERS = 5;
const SEED = 0x9abcdef1;
const FRAMES = 3000;
const OWN = ["10.0.1.1", "10.0.1.100", "203.0.113.80", "fd00:1::100", "fd00:1::101"];

/** Loading needs the machine's root; everything else here does not. */
function loaded(isBehindHeader: boolean): { program: number } | { reason: string } {
  try {
    return { program: loadProgram(PROGRAM_SCHED_CLS, steeringProgram({ addresses: OWN, seed: SEED, workers: WORKERS, isBehindHeader })) };
  } catch (error) {
    return { reason: (error as Error).message };
  }
}

const kernel = loaded(false);
const atSockets = loaded(true);

function randomAddress(random: Random, family: 4 | 6): Uint8Array {
  const own = OWN.filter((one) => one.includes(":") === (family === 6));
  if (random.below(2) === 0) return wireAddress(own[random.below(own.length)] as string);
  const bytes = wireAddress(family === 4 ? "100.64.0.1" : "2001:db8::1");
  for (let at = 2; at < bytes.length; at++) bytes[at] = random.below(255);
  return bytes;
}

for (const addresses of [[], ["10.0.1.1"], ["fd00::1"]]) {
  const said = addresses.length === 0 ? "no address" : addresses.join();
  test(`a kernel takes the program of a director with ${said}`, { skip: "reason" in kernel ? kernel.reason : false }, () => {
    close(loadProgram(PROGRAM_SOCKET_FILTER, steeringProgram({ addresses, seed: SEED, workers: 2 })));
  });
}

test("the steering program chooses the worker that the engine would hand the frame to", { skip: "reason" in kernel ? kernel.reason : false }, async () => {
  const { program } = kernel as { program: number };
  const { program: forSockets } = atSockets as { program: number };
  const module = await loadEngine();
  const engine = await Engine.create({ module, bucketBits: 8, workers: WORKERS, arenaBytes: 8192, seed: SEED });
  assert.ok(setPort(engine, 1, MAC, 1500) >= 0);
  for (const address of OWN) assert.ok(addLocal(engine, 1, address) >= 0);
  assert.ok(addRoute(engine, 1, "0.0.0.0/0", "10.0.1.254") >= 0);
  // Without a service of a family nothing of it is anybody's connection.
  for (const address of ["10.0.1.100", "fd00:1::100"]) {
    const family = address.includes(":") ? 6 : 4;
    assert.ok(addService(engine, {
      protocol: "tcp", family, address, port: 80, fwmark: 0, scheduler: "rr", schedulerFlags: 0, persistent: false, timeoutSeconds: 0,
      netmask: family === 4 ? "255.255.255.255" : "128", persistenceEngine: "", onePacket: false,
    }) >= 0);
  }
  const others = await Promise.all(Array.from({ length: WORKERS - 1 }, (_, index) => Engine.attach(module, engine.memory, index + 1)));
  const random = new Random(3);
  const counts = new Array<number>(WORKERS).fill(0);
  try {
    for (let count = 0; count < FRAMES; count++) {
      const family = random.below(3) === 0 ? 6 : 4;
      const plan: FramePlan = {
        macTo: MAC, macFrom: "02:00:00:00:01:fe", family, protocol: random.below(2) === 0 ? TCP : UDP, flags: 0x10, hops: 64,
        source: family === 4 ? wireAddress(`100.64.${random.below(255)}.${1 + random.below(250)}`) : randomAddress(random, 6),
        sourcePort: 1 + random.below(65535),
        target: randomAddress(random, family), targetPort: 1 + random.below(65535),
      };
      if (OWN.some((one) => Buffer.from(wireAddress(one)).equals(plan.source))) continue;
      const bytes = buildFrame(plan);
      engine.bytes.set(bytes, engine.arenaBase + SLOT_HEADROOM);
      engine.enter(0, engine.arenaBase + SLOT_HEADROOM, bytes.length, 1);
      engine.receive(1, 1000 + count);
      const owner = engine.handedTo === 0 ? 0 : Math.log2(engine.handedTo);
      for (const other of others) other.receive(0, 1000 + count);
      const said = `frame ${count}: ${Buffer.from(bytes).toString("hex")}`;
      assert.equal(tryProgram(program, bytes), owner, said);
      assert.equal(tryProgram(forSockets, bytes), owner, `at a packet socket, ${said}`);
      counts[owner] = (counts[owner] ?? 0) + 1;
    }
  } finally {
    close(program);
    close(forSockets);
  }
  assert.ok(Math.min(...counts) > FRAMES / WORKERS / 3, `every worker is chosen: ${counts.join(", ")}`);
});
