// A sync message that comes in pieces is put together by one worker and read by all: what the kernel's recording shows of
// messages that come whole must come of these too.

import assert from "node:assert/strict";
import { test } from "node:test";
import { buildPieces } from "../host/exchange.js";
import { compareEvents, describeDifference } from "../oracle/compare.js";
import { readRecording, type RecordedEvent } from "../oracle/recording.js";
import { crowd } from "./alike.js";

const GROUP_MAC = "01005e000051";
const ETHERNET_BYTES = 14;
const PIECE_BYTES = 48;

/** The recording, each sync message of it in pieces, the last first. */
function inPieces(events: readonly RecordedEvent[]): RecordedEvent[] {
  let id = 1;
  return events.flatMap((event) => {
    if (event.ev !== "in" || event.hex?.startsWith(GROUP_MAC) !== true) return [event];
    const frame = Buffer.from(event.hex, "hex");
    return buildPieces(frame.subarray(ETHERNET_BYTES), id++, PIECE_BYTES).reverse()
      .map((piece) => ({ ...event, hex: Buffer.concat([frame.subarray(0, ETHERNET_BYTES), piece]).toString("hex") }));
  });
}

for (const workers of [1, 2, 4]) {
  for (const name of ["sync_backup_v1", "sync_backup_entries"]) {
    test(`recording ${name} with its messages in pieces, ${workers} worker${workers > 1 ? "s" : ""}`, async () => {
      const events = readRecording(name);
      const cut = inPieces(events);
      assert.ok(cut.length > events.length + 4, "messages came in pieces");
      for (const seed of [1, 2, 3]) {
        const differences = await compareEvents(cut, crowd(workers, seed));
        assert.equal(differences.length, 0, differences.slice(0, 3).map(describeDifference).join("\n"));
      }
    });
  }
}
