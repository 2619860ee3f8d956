// Connections end when they should, whatever brings their end nearer or puts it off: against a model that knows of
// each only when its last packet came and how long its state lasts.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Batch } from "../../bench/path/batch.js";
import { clientTemplate } from "../../bench/path/established.js";
import { ACK, SYN, TCP } from "../../bench/path/frames.js";
import { OUTSIDE, World } from "../../bench/path/world.js";
import { setTimeouts } from "../../host/engine/requests.js";
import { loadEngine } from "../../host/load.js";

const module = await loadEngine();
const FIN = 1;
const FLOWS = 600;
const SYN_SECONDS = 60, FIN_WAIT_SECONDS = 120;
/** The sweep comes by once in this time. */
const SWEEP_MS = 1000;

const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant("open" as const), first: fc.nat(FLOWS - 1), count: fc.integer({ min: 1, max: 60 }) }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant("speak" as const), first: fc.nat(FLOWS - 1), count: fc.integer({ min: 1, max: 60 }) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("finish" as const), first: fc.nat(FLOWS - 1), count: fc.integer({ min: 1, max: 60 }) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("time" as const), seconds: fc.constantFrom(5, 30, 200, 900, 50_000) }) },
  { weight: 8, arbitrary: fc.record({ do: fc.constant("pass" as const), ms: fc.oneof(fc.nat(300), fc.nat(20_000), fc.nat(400_000)) }) },
);

test("random connections of DR begin, speak, finish and rest; each ends in the second after its time", async () => {
  await fc.assert(fc.asyncProperty(fc.array(step, { minLength: 30, maxLength: 120 }), async (steps) => {
    const world = await World.create(module, { family: 4, protocol: TCP, forward: "route", connections: FLOWS });
    const batch = new Batch(world);
    const templates = new Map([SYN, ACK, ACK | FIN].map((flags) => [flags, clientTemplate(world, flags)]));
    const ends = new Map<number, { atMs: number; finished: boolean }>();
    let established = 2_000_000;
    const alive = (flow: number): boolean => (ends.get(flow)?.atMs ?? -1) > world.nowMs;
    const send = (flow: number, flags: number): void => {
      const template = templates.get(flags) ?? assert.fail();
      batch.write(0, flow, template);
      batch.list(1, template.bytes, OUTSIDE);
      world.engine.receive(1, world.nowMs);
    };
    for (const one of steps) {
      if (one.do === "time") {
        established = one.seconds;
        setTimeouts(world.engine, { tcp: one.seconds, tcpfin: 0, udp: 0 });
      } else if (one.do === "pass") {
        for (let left = one.ms; left > 0; left -= 100) world.engine.tick((world.nowMs += Math.min(left, 100)));
      } else {
        for (let k = 0; k < one.count; k++) {
          const flow = (one.first + k) % FLOWS;
          const known = ends.get(flow);
          // Between its time and the sweep a connection may still be spoken to: left alone here.
          if (known !== undefined && world.nowMs >= known.atMs && world.nowMs <= known.atMs + SWEEP_MS) continue;
          if (one.do === "open" && !alive(flow)) {
            send(flow, SYN);
            ends.set(flow, { atMs: world.nowMs + SYN_SECONDS * 1000, finished: false });
          } else if (one.do === "speak" && alive(flow) && known?.finished === false) {
            send(flow, ACK);
            ends.set(flow, { atMs: world.nowMs + established * 1000, finished: false });
          } else if (one.do === "finish" && alive(flow) && known?.finished === false) {
            // The client speaks first, so that it is established, and then has nothing more to say.
            send(flow, ACK);
            send(flow, ACK | FIN);
            ends.set(flow, { atMs: world.nowMs + FIN_WAIT_SECONDS * 1000, finished: true });
          }
        }
      }
      const at = [...ends.values()].map(({ atMs }) => atMs);
      const least = at.filter((ms) => ms > world.nowMs).length;
      const most = at.filter((ms) => ms + SWEEP_MS > world.nowMs - 100).length;
      assert.ok(world.used >= least && world.used <= most, `${world.used} connections, where ${least} to ${most} must be`);
    }
  }), { numRuns: 30 });
});
