// What every driver promises the pump, tried on two real TAPs joined by a bridge: frames come whole and in
// order, go whole and in order, nothing is touched after the end, and the memory can be used again.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { FrameFlag } from "../../assembly/abi/enums.js";
import { SLOTS } from "../../host/io/slots.js";
import { lackingXdp } from "../../host/lab/cable.js";
import { canBuild, followOutside, runInside } from "../../host/lab/capability.js";
import { ARENA_AT, Bench, CHUNK_BYTES, isNumbered, numbered, numberOf, OWN_AT, PORT, TURNS_MAX, upTo, type Tried } from "./contractbench.js";
import { ringProblem } from "./ringprobe.js";

followOutside();
const capability = canBuild();
/** Longer than a machine lends its processors to others. */
const LONG_WAIT_MS = 20_000;
/** Waits until three in a row found nothing: interfaces that come up have something to say. */
const WAITS_MAX = 100;

function promises(tried: Tried): void {
  it("a burst of many more frames than slots comes whole and in order", async (context) => {
    const bench = await Bench.build(context, tried);
    const driver = bench.open(context);
    for (const number of upTo(SLOTS * 8)) bench.end.send(numbered(number));
    assert.deepEqual(bench.take(driver, SLOTS * 8), upTo(SLOTS * 8));
    assert.deepEqual(bench.lists.entered.find(isNumbered), numbered(0));
  });

  it("frames of the engine's own are out once settled, in order, however many", async (context) => {
    const bench = await Bench.build(context, tried);
    const driver = bench.open(context);
    bench.send(driver, 500); // more than a ring has places
    driver.settle();
    bench.lists.bytes.fill(0, OWN_AT, ARENA_AT);
    assert.deepEqual(await bench.arrived(500), upTo(500));
    assert.deepEqual(bench.refused, []);
  });

  it("a frame goes back from the slot it came in, and twice", async (context) => {
    const bench = await Bench.build(context, tried);
    const driver = bench.open(context);
    bench.end.send(numbered(0));
    for (let round = 0; round < SLOTS * 2; round++) {
      const place = bench.fillOne(driver, round);
      const back = { port: PORT, frame: place.frame, bytes: place.bytes, flags: FrameFlag.Vnet };
      bench.lists.sending = [back, back];
      driver.flush(2);
      bench.end.send(numbered(round + 1)); // or the wait would be a long one
      driver.wait();
      assert.deepEqual(await bench.arrived(2), [round, round]);
    }
  });

  it("a backlog is never slept over, even when every slot goes on in a write", async (context) => {
    const bench = await Bench.build(context, tried);
    const driver = bench.open(context);
    const total = SLOTS * 8;
    for (const number of upTo(total)) bench.end.send(numbered(number));
    let slept = 0;
    for (let turn = 0; turn < TURNS_MAX; turn++) {
      const count = driver.fill();
      bench.lists.sending = bench.lists.places.slice(0, count).map((place) => ({ port: PORT, ...place, flags: FrameFlag.Vnet }));
      driver.flush(count);
      if (bench.lists.entered.filter(isNumbered).length === total) break; // nothing is left to wait for
      const startMs = performance.now();
      driver.wait(LONG_WAIT_MS);
      if (performance.now() - startMs > LONG_WAIT_MS - 10) slept++;
    }
    assert.deepEqual(bench.lists.entered.filter(isNumbered).map(numberOf), upTo(total));
    assert.equal(slept, 0, `${slept} waits slept to their end`);
  });

  it("what a device refuses is told with its error", async (context) => {
    const bench = await Bench.build(context, tried);
    const driver = bench.open(context);
    // A TAP takes no frame without an Ethernet header, a NIC none that fits no chunk; EIO and ENETDOWN say that it is down.
    const [bytes, refusal, down] = tried === "afxdp" ? [CHUNK_BYTES, 105, 100] : [1, 22, tried === "both" ? 100 : 5];
    bench.send(driver, 1, bytes);
    driver.settle();
    assert.deepEqual(bench.refused, [refusal]);
    bench.unplug();
    bench.send(driver, 2);
    driver.settle();
    assert.deepEqual(new Set(bench.refused), new Set([refusal, down]));
  });

  it("a wait ends by itself, and at once when the wake descriptor is written", async (context) => {
    const bench = await Bench.build(context, tried);
    const driver = bench.open(context);
    const waitMs = (): number => {
      driver.fill();
      driver.flush(0);
      const startMs = performance.now();
      driver.wait();
      return performance.now() - startMs;
    };
    const quietMs: number[] = [];
    const isQuiet = (): boolean => quietMs.length >= 3 && quietMs.slice(-3).every((ms) => ms > 40 && ms < 500);
    while (!isQuiet() && quietMs.length < WAITS_MAX) quietMs.push(waitMs());
    assert.ok(isQuiet(), `waits of ${quietMs.join(", ")} ms`);
    const wokenMs = upTo(5).map(() => {
      bench.ring();
      const ms = waitMs();
      waitMs(); // the next one is quiet again
      return ms;
    });
    assert.ok(Math.min(...wokenMs) < 25, `woken after ${wokenMs.join(", ")} ms`);
  });

  it("a closed driver touches no slot any more, and another one takes it over", async (context) => {
    const bench = await Bench.build(context, tried);
    for (let life = 0; life < 5; life++) {
      const driver = bench.choose();
      bench.lists.entered = [];
      bench.end.send(numbered(life));
      assert.deepEqual(bench.take(driver, 1), [life]);
      driver.wait(); // a read is under way
      const slots = bench.room;
      slots.fill(0xaa);
      driver.close();
      for (const number of upTo(50)) bench.end.send(numbered(number));
      await new Promise((resolve) => setTimeout(resolve, 20));
      assert.ok(slots.every((byte) => byte === 0xaa), `life ${life}: written after the end`);
      const next = bench.choose();
      bench.lists.entered = [];
      // What nobody took waits in a TAP; a NIC's went to the kernel.
      if (tried === "afxdp") for (const number of upTo(50)) bench.end.send(numbered(number));
      assert.deepEqual(bench.take(next, 50), upTo(50));
      next.close();
    }
  });

  it("fifty drivers one after the other lose nothing", async (context) => {
    const bench = await Bench.build(context, tried);
    for (const life of upTo(50)) {
      const driver = bench.choose();
      bench.lists.entered = [];
      for (const number of upTo(life)) bench.end.send(numbered(number));
      assert.deepEqual(bench.take(driver, life), upTo(life));
      driver.close();
    }
  });
}

if (!capability.ok) {
  it("drivers on TAPs", { skip: capability.why }, () => undefined);
} else if (capability.needsUserNamespace) {
  it("drivers on TAPs, as the root of a user namespace", async () => {
    delete process.env["NODE_TEST_CONTEXT"];
    assert.equal(await runInside([fileURLToPath(import.meta.url)], "empty"), 0);
  });
} else {
  describe("the promises of driver tap", () => promises("tap"));
  describe("the promises of driver afxdp", { skip: lackingXdp() }, () => promises("afxdp"));
  describe("the promises of both ways on one device", { skip: lackingXdp() }, () => promises("both"));
  describe("the promises of driver uring", { skip: ringProblem() ?? false }, () => promises("uring"));
}
