// Real requests through a director: shares by weight, and long bodies whole.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import type { Client } from "../../host/lab/client.js";
import { SERVICE_URL } from "../../host/lab/network.js";
import { patternBytes } from "../../host/lab/pattern.js";

const TRANSFER_BYTES = 3 << 20;
/** What a body of so many bytes is known by. */
export const TRANSFER = { bytes: TRANSFER_BYTES, sha256: createHash("sha256").update(patternBytes(0, TRANSFER_BYTES)).digest("hex") };

/** Requests by weight, a long answer and a long question: all arrive. */
export async function proveTraffic(
  { client }: { client: Client }, url = SERVICE_URL, weights: Record<string, number> = { server1: 67, server2: 134, server3: 201 },
): Promise<void> {
  const report = await client.request({ url: `${url}/`, count: 402, concurrency: 16 });
  assert.deepEqual([report.failures, report.servers], [{}, weights]);
  assert.equal((await client.request({ url: `${url}/bytes/${TRANSFER_BYTES}` })).sha256, TRANSFER.sha256, "download");
  assert.equal((await client.request({ url, bodyBytes: TRANSFER_BYTES })).sample, `${TRANSFER.sha256}\n`, "upload");
}
