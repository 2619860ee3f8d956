// Workers in threads of their own over one memory, all at once: whatever they did, the tables must agree with
// each other at the end, every frame must be accounted for, and nobody may hold the lock.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import { ConnectionFlag } from "../../assembly/abi/enums.js";
import {
  BUCKET_BYTES, CONNECTION_BYTES, CONNECTION_SERVER, CONTROL_BASE, CONTROL_BUCKET_BITS, CONTROL_COMMONS, SHARD_BYTES,
  CONTROL_LOCK, CONTROL_TABLE_BASE, SERVERS_BASE, SERVER_ACTIVE, SERVER_BYTES, SERVER_INACTIVE, SERVER_PERSISTENT, SERVER_REFERENCES, STATE_FRESH,
  STATE_HANDED_IN, STATE_HANDED_OVER, STATE_USED, WORKERS_BASE, WORKER_BYTES, WORKER_STATE,
} from "../../assembly/abi/layout.js";
import { ConnectionRecord } from "../../host/engine/connection.js";
import { Engine } from "../../host/engine/engine.js";
import { Records } from "../../host/engine/records.js";
import { loadEngine } from "../../host/load.js";
import type { MemberReport, MemberStart } from "./member.js";
import { createSite, SERVERS, TCP_PORT } from "./site.js";

const module = await loadEngine();
const BATCHES = 400;
const SERVICES = 3;
/** Longer than any timeout of these services. */
const LATER_SECONDS = 3600;

function runMember(start: MemberStart): Promise<MemberReport> {
  const worker = new Worker(new URL("./member.js", import.meta.url), { workerData: start });
  return new Promise((resolve, reject) => {
    worker.once("message", resolve);
    worker.once("error", reject);
  });
}

/** What is in memory, read word by word. */
class Look {
  constructor(private readonly engine: Engine) {}

  word(address: number): number {
    return this.engine.view.getUint32(address, true);
  }

  state(shard: number): number {
    return shard === this.engine.workers ? CONTROL_BASE + CONTROL_COMMONS : WORKERS_BASE + shard * WORKER_BYTES + WORKER_STATE;
  }

  sum(offset: number): bigint {
    let sum = 0n;
    for (let worker = 0; worker < this.engine.workers; worker++) sum += this.engine.view.getBigUint64(this.state(worker) + offset, true);
    return sum;
  }

  /** Every connection and template of every shard. */
  *connections(): Generator<{ server: number; flags: number; children: number }> {
    const buckets = 2 ** this.word(CONTROL_BASE + CONTROL_BUCKET_BITS);
    const shardBytes = SHARD_BYTES * buckets;
    for (let shard = 0; shard <= this.engine.workers; shard++) {
      const records = this.word(CONTROL_BASE + CONTROL_TABLE_BASE) + shard * shardBytes + BUCKET_BYTES * buckets;
      for (let index = 1; index < this.word(this.state(shard) + STATE_FRESH); index++) {
        const at = records + index * CONNECTION_BYTES;
        const record = new ConnectionRecord(this.engine.view, at);
        if (record.has(ConnectionFlag.Hashed)) yield { server: this.word(at + CONNECTION_SERVER) & 0xffff, flags: record.flags, children: record.children };
      }
    }
  }

  get used(): number {
    let used = 0;
    for (let shard = 0; shard <= this.engine.workers; shard++) used += this.word(this.state(shard) + STATE_USED);
    return used;
  }
}

/** Each server's own counts against the connections that name it. */
function checkServers(look: Look): void {
  const counted = new Map<number, { active: number; inactive: number; persistent: number }>();
  let listed = 0;
  let children = 0;
  let perTemplate = 0;
  for (const { server, flags, children: count } of look.connections()) {
    const row = counted.get(server) ?? { active: 0, inactive: 0, persistent: 0 };
    row[flags & ConnectionFlag.Template ? "persistent" : flags & ConnectionFlag.Inactive ? "inactive" : "active"]++;
    counted.set(server, row);
    listed++;
    children += count;
    if (flags & ConnectionFlag.Template) perTemplate += count;
  }
  for (let server = 1; server <= SERVICES * SERVERS; server++) {
    const at = SERVERS_BASE + server * SERVER_BYTES;
    const told = { active: look.word(at + SERVER_ACTIVE), inactive: look.word(at + SERVER_INACTIVE), persistent: look.word(at + SERVER_PERSISTENT) };
    const row = counted.get(server) ?? { active: 0, inactive: 0, persistent: 0 };
    assert.deepEqual(told, row, `server ${server}`);
    assert.equal(look.word(at + SERVER_REFERENCES), row.active + row.inactive + row.persistent, `references of server ${server}`);
  }
  assert.equal(look.used, listed, "records in use are in the table");
  assert.equal(children, perTemplate, "only templates have children here");
}

for (const workers of [2, 4]) {
  for (const seed of [1, 2, 3]) {
    test(`${workers} threads over one memory, seed ${seed}: everything accounted for`, async () => {
      const first = await createSite(module, workers);
      const { memory } = first;
      const done = new SharedArrayBuffer(8);
      const starts = Array.from({ length: workers }, (_, worker) => ({ module, memory, worker, seed, batches: BATCHES, done }));
      const reports = await Promise.all(starts.map(runMember));
      const look = new Look(first);
      const records = new Records(memory);

      const arrived = reports.reduce((sum, one) => sum + one.arrived, 0);
      const sent = reports.reduce((sum, one) => sum + one.sent, 0);
      const drops = records.drops();
      const dropped = Object.values(drops).reduce((sum, count) => sum + Number(count), 0);
      assert.equal(sent + dropped, arrived, `${arrived} frames came, ${sent} were sent, dropped: ${JSON.stringify(drops)}`);
      assert.equal(look.word(CONTROL_BASE + CONTROL_LOCK), 0, "nobody holds the lock");
      assert.ok(look.sum(STATE_HANDED_OVER) > BigInt(arrived) / 10n, "frames were handed over");
      assert.equal(look.sum(STATE_HANDED_IN), look.sum(STATE_HANDED_OVER), "and all of them taken");
      checkServers(look);

      const engines = await Promise.all(starts.map(({ worker }) => Engine.attach(module, memory, worker)));
      for (let second = 100; second < LATER_SECONDS; second++) for (const engine of engines) engine.tick(second * 1000);
      assert.equal(look.used, 0, "every connection and template ends");
      checkServers(look);
      // A listing's counters are those of the last estimate.
      const even = records.table().services.find((one) => one.port === TCP_PORT)?.servers.map((one) => Number(one.counters.connections)) ?? [];
      assert.ok(Math.max(...even) - Math.min(...even) <= 1 && Math.min(...even) > 0, `round robin over all workers: ${even.join(", ")}`);
    });
  }
}
