// Every frame and every listing of a real kernel's IPVS, input by input, against the release Wasm.

import assert from "node:assert/strict";
import { test } from "node:test";
import { compareEvents, describeDifference, type Difference } from "./compare.js";
import { Random } from "../../bench/lib/random.js";
import type { ReplayOptions } from "../../host/replay/replay.js";
import { readRecording, recordingsIn } from "./recording.js";

/**
 * Where the engine does what is right for the user and this kernel does not, by recording and event.
 * An ICMPv6 error of a NAT real server: the kernel drops it, because it checks the checksum without
 * the pseudo-header when the network card did not; the client needs to hear of it. A connection whose ends the kernel
 * tracks already, since its server said something before: tracking drops it.
 */
const WANTED: Record<string, number[]> = { ipv6_nat: [25], tracked_stray: [5, 8, 20, 23] };

function isWanted(name: string, { index, kernel, engine }: Difference): boolean {
  return WANTED[name]?.includes(index) === true && kernel.length === 0 && engine.length === 1;
}

/** Everything in the folder but rates, which are compared period by period (rates.test.ts). */
const RECORDINGS = [...recordingsIn(""), ...recordingsIn("plays/")].filter((name) => name !== "rates");
const asked = process.env["LVS_RECORDINGS"]?.split(",");

/** Two workers of one memory; a frame reaches either, whoever it belongs to. */
function twoWorkers(seed: number): ReplayOptions {
  const random = new Random(seed);
  return { workers: 2, chooseWorker: () => random.below(2) };
}

/** Each worker fills sync messages of its own: what they say is compared in syncworkers.test.ts. */
const MESSAGES_APART = new Set(["sync_master_v1", "sync_master_full", "sync_master_settings"]);

for (const name of asked ?? RECORDINGS) {
  for (const seed of MESSAGES_APART.has(name) ? [] : [1, 2]) {
    test(`recording ${name}: the same from two workers, frames at random (seed ${seed})`, async () => {
      const differences = (await compareEvents(readRecording(name), twoWorkers(seed))).filter((one) => !isWanted(name, one));
      assert.equal(differences.length, 0, `${differences.length} inputs differ:\n${differences.slice(0, 12).map(describeDifference).join("\n")}`);
    });
  }
  test(`recording ${name}: every frame and text as the kernel's`, async () => {
    const differences = await compareEvents(readRecording(name));
    const unwanted = differences.filter((one) => !isWanted(name, one));
    assert.equal(differences.length - unwanted.length, WANTED[name]?.length ?? 0, "the packet goes on, or the client is told, where the kernel is silent");
    assert.equal(unwanted.length, 0, `${unwanted.length} inputs differ:\n${unwanted.slice(0, 12).map(describeDifference).join("\n")}`);
  });
}
