// What the kernel's estimator makes of each of its periods, against ours. When a period ended is seen in the recording (play
// periods): the rates, which are listed every half second, are others. Ours then has a period, too.

import assert from "node:assert/strict";
import { test } from "node:test";
import { perform } from "./perform.js";
import { createRecordedDirector, readRecording, type RecordedEvent } from "./recording.js";

const PERIOD_S = 2;

const isListing = (event: RecordedEvent): boolean => event.cmd?.includes("--rate") === true;

test("rates, period by period: as traffic comes, ends, and as counters begin again", async () => {
  const replay = await createRecordedDirector();
  let last = "";
  let periods = 0;
  for (const [index, event] of readRecording("rates").entries()) {
    if (event.ev === "in") await perform(replay, { ev: "in", if: event.if ?? "", hex: event.hex ?? "" });
    if (event.ev !== "cmd") continue;
    // Counters that begin again change the rates at once, too.
    if (isListing(event) && event.stdout !== last && last !== "" && !event.cmd?.includes("-Z")) {
      await perform(replay, { ev: "advance", s: PERIOD_S });
      periods++;
    }
    const { echo } = await perform(replay, { ev: "cmd", cmd: event.cmd ?? "" });
    if (!isListing(event)) continue;
    last = event.stdout ?? "";
    assert.equal(echo.stdout, last, `event ${index}, period ${periods}`);
  }
  assert.ok(periods > 10, `${periods} periods`);
});
