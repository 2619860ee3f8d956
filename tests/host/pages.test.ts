// The connection table is listed page by page: one of millions fits in no answer, and must not hold a director up.

import assert from "node:assert/strict";
import { test } from "node:test";
import { connectionPages, NO_NAMES } from "../../host/cli/context.js";
import { Records } from "../../host/engine/records.js";
import type { ConnectionRow } from "../../host/protocol.js";
import type { Replay } from "../../host/replay/replay.js";
import { createRecordedDirector } from "../oracle/recording.js";
import { buildUdp } from "./exchange.js";

const CLIENTS = 60;
const WIRE = Uint8Array.of(2, 0, 0, 0, 1, 1, 2, 0, 0, 0, 1, 0xfe, 8, 0);

/** A director, of one worker or several, that knows a connection of each client. */
async function busyDirector(workers: number): Promise<Replay> {
  const replay = await createRecordedDirector({ workers });
  const service = {
    protocol: "udp", family: 4, address: "10.0.1.100", port: 53, fwmark: 0, scheduler: "rr", schedulerFlags: 0, persistent: true,
    timeoutSeconds: 300, netmask: "255.255.255.255", persistenceEngine: "", onePacket: false,
  } as const;
  const server = {
    family: 4, address: "10.0.2.11", port: 53, forward: "masq", weight: 1, upperThreshold: 0, lowerThreshold: 0, tunnel: "ipip", tunnelPort: 0, tunnelFlags: 0,
  } as const;
  await replay.director.request({ do: "service-add", service });
  await replay.director.request({ do: "server-add", service, server });
  for (let client = 0; client < CLIENTS; client++) {
    replay.receive("out", Buffer.concat([WIRE, buildUdp(`10.9.${client}.1`, 4000 + client, "10.0.1.100", 53, Buffer.from("who"))]));
  }
  return replay;
}

for (const workers of [1, 3]) {
  test(`pages of any size hold every connection once, in the table's order; ${workers} worker${workers === 1 ? "" : "s"}`, async () => {
    const records = new Records((await busyDirector(workers)).engine.memory);
    const all = records.connections();
    assert.equal(all.length, 2 * CLIENTS, "a connection and a template for each client");
    for (const size of [1, 7, 2 * CLIENTS, 10_000]) {
      const rows: ConnectionRow[] = [];
      for (let from: number | undefined = 0; from !== undefined;) {
        const page = records.connectionPage(from, size);
        assert.ok(page.rows.length <= size);
        rows.push(...page.rows);
        from = page.next;
      }
      assert.deepEqual(rows, all, `by ${size}`);
    }
  });
}

test("who lists asks until there is no further page", async () => {
  const { director, engine } = await busyDirector(1);
  const context = { director, names: NO_NAMES, program: "lvsadm", input: async () => "" };
  const rows: ConnectionRow[] = [];
  for await (const page of connectionPages(context)) rows.push(...page);
  assert.deepEqual(rows, new Records(engine.memory).connections());
});
