// Two workers tell other directors the same as one kernel, though each in messages of its own.

import assert from "node:assert/strict";
import { test } from "node:test";
import { readScenario } from "../../host/replay/scenario.js";
import { Random } from "../fuzz/random.js";
import { createRecordedDirector, PORTS, readRecording, type RecordedEvent } from "./recording.js";

const MESSAGE_AT = 42;
const HEADER_BYTES = 8;
const GROUP = "e0000051";

/** The entries of a sync message of version 1, without their padding; none for any other frame. */
function entriesOf(hex: string): string[] {
  if (hex.slice(60, 68) !== GROUP) return [];
  const message = Buffer.from(hex, "hex").subarray(MESSAGE_AT);
  const entries: string[] = [];
  for (let at = HEADER_BYTES; entries.length < (message[4] ?? 0);) {
    const bytes = message.readUInt16BE(at + 2) & 0xfff;
    entries.push(message.subarray(at, at + bytes).toString("hex"));
    at += (bytes + 3) & ~3;
  }
  return entries;
}

const said = (events: readonly RecordedEvent[]): string[] =>
  events.filter((one) => one.ev === "out").flatMap((one) => entriesOf(one.hex ?? "")).sort();

for (const name of ["sync_master_v1", "sync_master_kinds"]) {
  test(`recording ${name}: two workers tell of the same connections`, async () => {
    const events = readRecording(name);
    const random = new Random(1);
    const replay = await createRecordedDirector({ workers: 2, chooseWorker: () => random.below(2) });
    const ours: RecordedEvent[] = [];
    for (const input of readScenario(events.map((one) => JSON.stringify(one)).join("\n"), PORTS)) ours.push(...await replay.play(input) as RecordedEvent[]);
    assert.ok(said(events).length > 10, "the kernel has told of something");
    assert.deepEqual(said(ours), said(events));
  });
}
