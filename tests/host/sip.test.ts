// --pe sip: which messages belong to one call, where the call is kept, and what becomes of other datagrams.

import assert from "node:assert/strict";
import { test } from "node:test";
import { EXTRAS_WORKER } from "../../assembly/abi/layout.js";
import { buildIcmp, buildUdp, Exchange } from "./exchange.js";

const SERVERS = [1, 2, 3].map((n) => `ipvsadm -a -u 10.0.1.100:5060 -r 10.0.2.${10 + n}:5060 -m`);
const service = (options: string): string[] => [`ipvsadm -A -u 10.0.1.100:5060 -s rr -p 60 --pe sip ${options}`, ...SERVERS];

function message(callId: string, header = "Call-ID: "): Buffer {
  return Buffer.from(`INVITE sip:bob@example.net SIP/2.0\r\nVia: SIP/2.0/UDP 198.18.0.1\r\n${header}${callId}\r\nCSeq: 1 INVITE\r\n\r\n`, "latin1");
}

/** The server a client's datagram went to; undefined when it went nowhere. */
function say(exchange: Exchange, client: string, text: Uint8Array, port = 5060): number | undefined {
  const sent = exchange.fromClient(buildUdp(client, port, "10.0.1.100", 5060, text));
  assert.ok(sent.length <= 1 && sent.every((one) => one.port === "in"), "to one server or to nobody");
  return sent[0]?.server;
}

test("a proxy's calls are spread over the servers, and each stays where it is", async () => {
  const exchange = await Exchange.begin(...service("-o"));
  const calls = Array.from({ length: 9 }, (_, k) => `call-${k}@proxy`);
  const first = calls.map((call) => say(exchange, "198.18.0.1", message(call)));
  assert.deepEqual(first, [3, 2, 1, 3, 2, 1, 3, 2, 1]);
  for (let round = 0; round < 3; round++) {
    const again = [...calls].reverse().map((call, k) => say(exchange, "198.18.0.1", message(call), 6000 + k));
    assert.deepEqual(again, [...first].reverse(), "in any order, from any port");
  }
});

test("as in the kernel a call belongs to its client's net, as wide as -M says", async () => {
  const narrow = await Exchange.begin(...service("-o"));
  assert.deepEqual(["198.18.0.1", "198.18.0.2"].map((client) => say(narrow, client, message("one@call"))), [3, 2]);
  const wide = await Exchange.begin(...service("-o -M 255.255.0.0"));
  assert.deepEqual(["198.18.0.1", "198.18.9.2"].map((client) => say(wide, client, message("one@call"))), [3, 3]);
});

test("--persistent-conn shows the engine and the Call-ID, however long", async () => {
  const exchange = await Exchange.begin(...service("-o"));
  const calls = ["a", "b".repeat(55), "c".repeat(56), "d".repeat(115), "e".repeat(116), `${"f".repeat(200)}@${"g".repeat(54)}`];
  for (const call of calls) assert.ok(say(exchange, "198.18.0.1", message(call)), call);
  const rows = await exchange.rows();
  assert.deepEqual(rows.map((row) => row.split(" ").at(-1)).sort(), [...calls].sort());
  for (const row of rows) assert.match(row, /^UDP (?:01:00|00:59)  NONE {8}198\.18\.0\.1:0 {7}10\.0\.1\.100:5060 {4}10\.0\.2\.1[123]:5060 {3}sip +\S+$/);
  const plain = await exchange.run("ipvsadm -Lnc");
  assert.ok(!plain.includes("sip"), "not without being asked");
  assert.equal(say(exchange, "198.18.0.1", message("h".repeat(256))), undefined, "longer than the kernel keeps");
});

test("long calls with a common beginning are told apart", async () => {
  const exchange = await Exchange.begin(...service("-o"));
  const long = "x".repeat(200);
  assert.deepEqual(["1", "2", "3", "1", "2", "3"].map((end) => say(exchange, "198.18.0.1", message(long + end))), [3, 2, 1, 3, 2, 1]);
});

test("Call-ID in any case, short, with spaces, folded", async () => {
  const exchange = await Exchange.begin(...service("-o"));
  for (const header of ["Call-ID: ", "CALL-id:", "i: ", "I:", "call-ID \t: \t", "i\r\n :\r\n\t"]) {
    assert.equal(say(exchange, "198.18.0.1", message("same@call", header)), 3, JSON.stringify(header));
  }
  assert.equal(exchange.drops["HelperBad"], undefined);
});

test("a datagram without a usable Call-ID is dropped in silence and counted", async () => {
  const exchange = await Exchange.begin(...service("-o"));
  const texts = ["", "x", "Call-ID: first-line\r\n\r\n", "OPTIONS\r\nCall-ID:\r\n\r\n", "OPTIONS\r\nCall-ID: cut", "OPTIONS\r\nCall-ID: a@\r\n",
    "OPTIONS\r\nCall-ID: a b\r\n", "OPTIONS\r\nCall-IDs: a\r\n", "OPTIONS\r\nin: a\r\n", "OPTIONS\r\nCall-ID: a@b@c\r\n"];
  for (const text of texts) assert.equal(say(exchange, "198.18.0.1", Buffer.from(text)), undefined, JSON.stringify(text));
  assert.equal(exchange.drops["HelperBad"], BigInt(texts.length));
  assert.deepEqual(await exchange.rows(), []);
});

test("without -o a client's datagrams follow its connection, and its calls' templates outlive it", async () => {
  const exchange = await Exchange.begin(...service(""), "ipvsadm --set 0 0 10");
  assert.equal(say(exchange, "198.18.0.1", message("one@call")), 3);
  exchange.pass(50);
  assert.equal((await exchange.rows()).length, 1, "the connection has ended, the template has not");
  assert.equal(say(exchange, "198.18.0.1", message("one@call"), 7000), 3);
  exchange.pass(62);
  assert.deepEqual(await exchange.rows(), []);
});

test("an ICMP error has no Call-ID to read: it opens nothing", async () => {
  const exchange = await Exchange.begin(...service("-o"), "sysctl -w net.ipv4.vs.schedule_icmp=1");
  const about = buildUdp("10.0.1.100", 5060, "198.18.0.1", 5060, message("one@call"));
  assert.deepEqual(exchange.fromClient(buildIcmp("198.18.0.9", "10.0.1.100", 3, 3, about)), []);
  assert.deepEqual(await exchange.rows(), []);
  assert.equal(exchange.drops["HelperBad"], 1n);
});

test("room for calls: as many as there are extras, then refused and counted; all of it comes back", async () => {
  const exchange = await Exchange.begin(...service("-o"));
  const room = EXTRAS_WORKER - 1;
  for (let k = 0; k < 3; k++) assert.ok(say(exchange, "198.18.0.1", message(`${k}`.repeat(255))), "these lie in five extras each");
  exchange.pass(62);
  assert.deepEqual(await exchange.rows(), []);
  for (let k = 0; k < room - 4; k++) assert.ok(say(exchange, "198.18.0.1", message(`call-${k}`)), `call ${k}`);
  assert.equal(say(exchange, "198.18.0.1", message("z".repeat(255))), undefined, "it would need five and there are four");
  for (let k = 0; k < 4; k++) assert.ok(say(exchange, "198.18.0.1", message(`late-${k}`)));
  assert.equal(say(exchange, "198.18.0.1", message("late-4")), undefined);
  assert.equal(exchange.drops["ExtraFull"], 2n);
  assert.equal(say(exchange, "198.18.0.1", message("call-0")), say(exchange, "198.18.0.1", message("call-0")), "known calls go on");
});

/** Where a server's datagram to the client comes from, as the client sees it. */
function hear(exchange: Exchange, n: number, client: string, text: Uint8Array): string | undefined {
  const [sent] = exchange.fromServer(n, buildUdp(`10.0.2.${10 + n}`, 5060, client, 5060, text));
  if (!sent) return undefined;
  assert.equal(sent.port, "out");
  const frame = Buffer.from(sent.bytes);
  return `${frame.subarray(26, 30).join(".")}:${frame.readUInt16BE(34)}`;
}

test("an answer leaves with the virtual address, with -o as without", async () => {
  for (const options of ["-o", ""]) {
    const exchange = await Exchange.begin(...service(options));
    assert.equal(say(exchange, "198.18.0.1", message("one@call")), 3);
    assert.equal(hear(exchange, 3, "198.18.0.1", message("one@call")), "10.0.1.100:5060");
    assert.equal((await exchange.rows()).length, options === "-o" ? 1 : 2);
    assert.match((await exchange.rows()).join("\n"), /ASSURED +198\.18\.0\.1:0 /, "the client is real");
    exchange.pass(400);
    assert.deepEqual(await exchange.rows(), []);
  }
});

test("a server that calls a client is the one that hears the client's part of the call", async () => {
  const exchange = await Exchange.begin(...service("-o"));
  for (const n of [1, 2, 3, 1]) {
    const call = message(`from-${n}@server`);
    assert.equal(hear(exchange, n, "198.18.0.7", call), "10.0.1.100:5060");
    assert.equal(say(exchange, "198.18.0.7", call), n);
  }
  // Sums are made every two seconds.
  exchange.pass(2);
  const totals = await exchange.run("ipvsadm -Ln --stats");
  assert.match(totals, /-> 10\.0\.2\.11:5060 +4 +2 +2 /, "counted as any connection");
});

test("what a server says outside of any call is routed as it is, and so is what other services' servers say", async () => {
  const exchange = await Exchange.begin(...service("-o"), "ipvsadm -A -u 10.0.1.100:53 -s rr -o", "ipvsadm -a -u 10.0.1.100:53 -r 10.0.2.14:5060 -m");
  assert.equal(hear(exchange, 1, "198.18.0.7", Buffer.from("\r\n\r\n")), "10.0.2.11:5060");
  assert.equal(hear(exchange, 4, "198.18.0.7", message("one@call")), "10.0.2.14:5060");
  assert.deepEqual(await exchange.rows(), []);
});
