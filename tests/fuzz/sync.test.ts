// Sync messages, mutated: nothing traps, nothing is sent, what is refused is counted, the tables stay true to each
// other, and a good message is still understood.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { ConnectionRow, ServiceRow } from "../../host/protocol.js";
import { Exchange, buildUdp } from "../host/exchange.js";
import { readRecording } from "../oracle/recording.js";
import { Random } from "./random.js";

const MESSAGE_AT = 42;
const GROUP = "224.0.0.81";
const PEER = "10.0.1.2";
const SYNC_PORT = 8848;
const MESSAGES = 4000;
const SEEDS = [1, 2];
const GROUP_MAC = [1, 0, 0x5e, 0, 0, 0x51, 2, 0, 0, 0, 1, 2, 8, 0];
const COMMANDS = [
  "ipvsadm -A -t 10.0.1.100:80 -s rr", "ipvsadm -a -t 10.0.1.100:80 -r 10.0.2.11:8080 -m", "ipvsadm -a -t 10.0.1.100:80 -r 10.0.2.12:8080 -m",
  "ipvsadm -A -t 10.0.1.100:21 -s rr", "ipvsadm -a -t 10.0.1.100:21 -r 10.0.2.12:21 -m",
  "ipvsadm -A -u 10.0.1.100:53 -s rr -p 90", "ipvsadm -a -u 10.0.1.100:53 -r 10.0.2.11:53 -m",
  "ipvsadm -A -u 10.0.1.100:5060 -s rr -p 60 --pe sip", "ipvsadm -a -u 10.0.1.100:5060 -r 10.0.2.13:5060 -m",
  "ipvsadm --start-daemon backup --mcast-interface out --syncid 7 --sync-maxlen 60000",
];

/** Messages that a kernel has sent, and messages that a kernel was tried with. */
function goodMessages(): Buffer[] {
  return ["sync_backup_v1", "sync_backup_entries", "sync_master_settings"].flatMap((name) => readRecording(name))
    .filter((one) => one.hex?.startsWith("01005e000051") === true).map((one) => Buffer.from(one.hex ?? "", "hex").subarray(MESSAGE_AT));
}

/** Some bytes changed, pieces cut out or doubled; mostly with a size that is right again. */
function mutate(message: Buffer, random: Random): Buffer {
  let bytes = Buffer.from(message);
  for (let count = 1 + random.below(6); count > 0 && bytes.length > 0; count--) {
    const at = random.below(bytes.length);
    const kind = random.below(6);
    if (kind < 4) bytes[at] = kind < 2 ? random.below(256) : (bytes[at] ?? 0) ^ (1 << random.below(8));
    else if (kind === 4) bytes = bytes.subarray(0, at);
    else bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(Math.max(0, at - 36))]);
  }
  if (bytes.length >= 4 && random.below(8) !== 0) bytes.writeUInt16BE(bytes.length, 2);
  if (bytes.length >= 2 && random.below(8) !== 0) bytes[1] = 7;
  return bytes;
}

function tell(exchange: Exchange, message: Uint8Array): number {
  return exchange.replay.receive("out", Buffer.concat([Buffer.from(GROUP_MAC), buildUdp(PEER, 50000, GROUP, SYNC_PORT, message)])).length;
}

async function rowsOf(exchange: Exchange): Promise<ConnectionRow[]> {
  const reply = await exchange.replay.director.request({ do: "connections" });
  assert.ok(reply.ok);
  return reply.value.rows;
}

async function servicesOf(exchange: Exchange): Promise<ServiceRow[]> {
  const reply = await exchange.replay.director.request({ do: "table" });
  assert.ok(reply.ok);
  return reply.value.services;
}

for (const seed of SEEDS) {
  test(`${MESSAGES} mutated sync messages (seed ${seed})`, async () => {
    const random = new Random(seed);
    const exchange = await Exchange.begin(...COMMANDS);
    const good = goodMessages();
    assert.ok(good.length > 30, "messages to begin with");
    for (let count = 0; count < MESSAGES; count++) {
      assert.equal(tell(exchange, mutate(good[random.below(good.length)] as Buffer, random)), 0, "a backup answers nothing");
      if (count % 500 === 0) exchange.pass(random.below(200));
    }
    const { drops } = exchange;
    assert.ok((drops["SyncBad"] ?? 0n) > 0n && (drops["SyncRefused"] ?? 0n) > 0n && (drops["SyncForeign"] ?? 0n) > 0n, JSON.stringify(Object.keys(drops)));

    const rows = await rowsOf(exchange);
    const counted = (await servicesOf(exchange)).flatMap((service) => service.servers)
      .reduce((sum, server) => sum + server.activeConnections + server.inactiveConnections + server.persistentConnections, 0);
    assert.ok(rows.length > 20 && counted > 0 && counted <= rows.length, `${counted} counted of ${rows.length} connections`);

    const fresh = Buffer.from(good[0] as Buffer).subarray(0, 44);
    fresh.writeUInt16BE(44, 2);
    fresh[4] = 1;
    fresh.writeUInt16BE(61234, 8 + 10);
    tell(exchange, fresh);
    assert.ok((await rowsOf(exchange)).some((row) => row.clientPort === 61234 && row.state === "ESTABLISHED"), "a good message is understood");

    // However long a message says that a connection lives: a month later nothing is left of any of them.
    for (const service of await servicesOf(exchange)) await exchange.replay.director.request({ do: "service-delete", service });
    exchange.pass(86400 * 31 + 3600);
    assert.deepEqual((await rowsOf(exchange)).length, 0);
  });
}
