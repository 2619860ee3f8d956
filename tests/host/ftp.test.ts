// What the kernel's recording of FTP does not show: both families, repeats, SACK, growth, the tables' end.

import assert from "node:assert/strict";
import { test } from "node:test";
import { TcpState } from "../../assembly/abi/enums.js";
import { setHelperPorts, setPort } from "../../host/engine/requests.js";
import { Dialog, SIX } from "./ftp-dialog.js";
import { ACK, RST, SYN } from "./segments.js";
import { IN, OUT } from "../oracle/recording.js";

const PASSIVE = "227 Entering Passive Mode (10,0,2,11,195,80).\r\n";
const REWRITTEN = "227 Entering Passive Mode (10,0,1,100,195,80).\r\n";
const GROWTH = REWRITTEN.length - PASSIVE.length;

/** A dialog in which the server has answered PASV. */
async function passive(): Promise<Dialog> {
  const dialog = await Dialog.open();
  dialog.login();
  dialog.client({ seq: 1001, ack: 5001, text: "PASV\r\n" });
  assert.equal(dialog.server({ seq: 5001, ack: 1007, text: PASSIVE }).text, REWRITTEN);
  return dialog;
}

test("FTP: passive, the entry waits 120 s in LISTEN and becomes the client's", async () => {
  const dialog = await passive();
  assert.deepEqual(dialog.entries().at(-1), { clientPort: 0, virtualPort: 50000, state: TcpState.Listen, children: 0, awaited: true });
  assert.equal(dialog.entries()[0]?.children, 1);
  const heard = dialog.client({ seq: 1, ack: 0, flags: SYN, port: 40100, farPort: 50000 });
  assert.equal(`${heard.target}:${heard.targetPort}`, "10.0.2.11:50000");
  assert.deepEqual(dialog.entries().at(-1), { clientPort: 40100, virtualPort: 50000, state: TcpState.SynRecv, children: 0, awaited: false });
  assert.equal(dialog.awaited, 0);
  const answer = dialog.server({ seq: 1, ack: 2, flags: SYN | ACK, port: 50000, farPort: 40100 });
  assert.equal(`${answer.source}:${answer.sourcePort}`, "10.0.1.100:50000");
});

test("FTP: the reply sent again is rewritten the same and shifts only once", async () => {
  const dialog = await passive();
  const again = dialog.server({ seq: 5001, ack: 1007, text: PASSIVE });
  assert.equal(again.text, REWRITTEN);
  assert.equal(again.seq, 5001);
  const next = dialog.server({ seq: 5001 + PASSIVE.length, ack: 1007, text: "226 done\r\n" });
  assert.equal(next.seq, 5001 + REWRITTEN.length);
  assert.equal(dialog.entries().length, 2, "one entry waits, not two");
});

test("FTP: acknowledgments and SACK blocks come back to the server's numbers", async () => {
  const dialog = await passive();
  const block = Buffer.alloc(8);
  block.writeUInt32BE(5100, 0);
  block.writeUInt32BE(5200, 4);
  const heard = dialog.client({ seq: 1007, ack: 5001 + REWRITTEN.length, flags: ACK, options: [1, 1, 5, 10, ...block] });
  assert.equal(heard.ack, 5001 + PASSIVE.length);
  assert.equal(heard.options.readUInt32BE(4), 5100 - GROWTH);
  assert.equal(heard.options.readUInt32BE(8), 5200 - GROWTH);
});

test("FTP: a second passive reply adds its shift, a shorter address takes away", async () => {
  const dialog = await passive();
  const seq = 5001 + PASSIVE.length;
  const long = "227 Passive (255,255,255,255,195,081)\r\n";
  assert.equal(dialog.server({ seq, ack: 1007, text: long }).text, long, "one reply is read for each command");
  dialog.client({ seq: 1007, ack: seq + GROWTH, text: "PASV\r\n" });
  const heard = dialog.server({ seq, ack: 1013, text: long });
  assert.equal(heard.text, "227 Passive (10,0,1,100,195,81)\r\n");
  assert.equal(heard.seq, seq + GROWTH);
  const after = dialog.server({ seq: seq + long.length, ack: 1013, text: "226 done\r\n" });
  assert.equal(after.seq, heard.seq + heard.text.length);
});

test("FTP: texts nobody asked for, or that are not what they should be, pass as they are", async () => {
  const dialog = await Dialog.open();
  dialog.login();
  assert.equal(dialog.server({ seq: 5001, ack: 1001, text: PASSIVE }).text, PASSIVE, "no PASV before");
  dialog.client({ seq: 1001, ack: 5001, text: "PASV\r\n" });
  for (const text of ["227 (10,0,2,11,195)\r\n", "227 (10,0,2,11,195,80", "227\r\n",
    "229 (|||50000|)\r\n", "226 (10,0,2,11,195,80)\r\n", " 227 (10,0,2,11,195,80)\r\n"]) {
    assert.equal(dialog.server({ seq: 5001, ack: 1007, text }).text, text);
  }
  for (const text of ["PORT 10,0,1,50,160\r\n", "EPRT |2|10.0.1.50|40961|\r\n", "EPRT |1|10.0.1.50|65536|\r\n",
    "EPRT |1|10.0.1.50|40961\r\n", "EPRT |3|10.0.1.50|1|\r\n", "PORT\r\n"]) {
    assert.equal(dialog.client({ seq: 1007, ack: 5001, text }).text, text);
  }
  assert.equal(dialog.entries().length, 1, "nothing waits");
});

test("FTP: numbers are bytes, however large they are written", async () => {
  const dialog = await Dialog.open();
  dialog.login();
  dialog.client({ seq: 1001, ack: 5001, text: "PASV\r\n" });
  assert.equal(dialog.server({ seq: 5001, ack: 1007, text: "227 (10,0,2,267,451,336)\r\n" }).text, "227 (10,0,1,100,195,80)\r\n");
  dialog.client({ seq: 1007, ack: 5026, text: "PORT 10,0,1,306,416,257\r\n" });
  assert.deepEqual(dialog.entries().at(-1), { clientPort: 40961, virtualPort: 20, state: TcpState.Listen, children: 0, awaited: false });
});

test("FTP: lower case, and several commands in one packet", async () => {
  const dialog = await Dialog.open();
  dialog.login();
  dialog.client({ seq: 1001, ack: 5001, text: "TYPE I\r\npasv\r\n" });
  assert.equal(dialog.server({ seq: 5001, ack: 1015, text: "227 ok 10,0,2,11,195,80\r\n" }).text, "227 ok 10,0,1,100,195,80\r\n");
  dialog.client({ seq: 1015, ack: 5026, text: "port 10,0,1,50,160,1\r\n" });
  assert.deepEqual(dialog.entries().at(-1), { clientPort: 40961, virtualPort: 20, state: TcpState.Listen, children: 0, awaited: false });
});

test("FTP: a reply that fills its frame leaves as two segments", async () => {
  const dialog = await Dialog.open();
  dialog.login();
  dialog.client({ seq: 1001, ack: 5001, text: "PASV\r\n" });
  const text = `227 (10,0,2,11,195,80) ${"x".repeat(1460 - 25)}\r\n`;
  assert.equal(text.length, 1460);
  const seen = dialog.send(IN, dialog.serverFrame({ seq: 5001, ack: 1007, text }));
  assert.equal(seen.length, 2);
  assert.ok(seen.every((segment) => segment.intact && segment.ipBytes <= 1500));
  assert.deepEqual(seen.map((segment) => segment.seq), [5001, 5001 + 1460]);
  assert.equal(seen.map((segment) => segment.text).join(""), text.replace("10,0,2,11", "10,0,1,100"));
  assert.equal(dialog.server({ seq: 5001 + 1460, ack: 1007, text: "226\r\n" }).seq, 5001 + 1461);
});

test("FTP: a reply that would outgrow its slot is dropped and counted, a shrinking one is not", async () => {
  const dialog = await Dialog.open();
  setPort(dialog.engine, OUT, "02:00:00:00:01:01", 9000);
  setPort(dialog.engine, IN, "02:00:00:00:02:01", 9000);
  dialog.login();
  dialog.client({ seq: 1001, ack: 5001, text: "PASV\r\n" });
  const slotText = 2112 - 66 - 54;
  const reply = (numbers: string, bytes: number): string => `227 ${numbers},195,80)`.padEnd(bytes, "x");
  assert.equal(dialog.server({ seq: 5001, ack: 1007, text: reply("10,0,2,11", slotText - 1) }).text.length, slotText);
  dialog.client({ seq: 1007, ack: 5001 + slotText, text: "PASV\r\n" });
  assert.equal(dialog.send(IN, dialog.serverFrame({ seq: 8000, ack: 1007, text: reply("10,0,2,11", slotText) })).length, 0);
  assert.equal(dialog.engine.drops()["HelperBad"], 1n);
  assert.equal(dialog.server({ seq: 8000, ack: 1007, text: reply("110,110,110,110", 3000) }).text.length, 2995);
});

test("FTP: a wrong checksum cannot be mended by rewriting", async () => {
  const dialog = await Dialog.open();
  dialog.login();
  dialog.client({ seq: 1001, ack: 5001, text: "PASV\r\n" });
  const frame = dialog.serverFrame({ seq: 5001, ack: 1007, text: PASSIVE });
  frame[50] = (frame[50] ?? 0) ^ 1;
  assert.equal(dialog.send(IN, frame).length, 0);
  assert.equal(dialog.engine.drops()["TransportChecksum"], 1n);
});

test("FTP over IPv6: EPSV and EPRT", async () => {
  const dialog = await Dialog.open(SIX);
  dialog.login();
  dialog.client({ seq: 1001, ack: 5001, text: "EPSV\r\n" });
  const reply = "229 Entering Extended Passive Mode (|||50001|)\r\n";
  assert.equal(dialog.server({ seq: 5001, ack: 1007, text: reply }).text, reply);
  const heard = dialog.client({ seq: 1, ack: 0, flags: SYN, port: 40100, farPort: 50001 });
  assert.equal(heard.target, SIX.server);
  dialog.client({ seq: 1007, ack: 5049, text: "EPRT |2|fd00:1::50|40962|\r\n" });
  const active = dialog.server({ seq: 1, ack: 0, flags: SYN, port: 20, farPort: 40962 });
  assert.equal(`${active.source} ${active.sourcePort}`, `${SIX.virtual} 20`);
});

test("FTP: a mapped address is no IPv6 client's", async () => {
  const dialog = await Dialog.open(SIX);
  dialog.login();
  dialog.client({ seq: 1001, ack: 5001, text: "EPRT |2|::ffff:10.0.1.50|40962|\r\n" });
  assert.equal(dialog.entries().length, 1);
});

test("FTP: PORT with another host's name has what waits there wait anew, and leaves what has begun alone", async () => {
  const dialog = await Dialog.open();
  dialog.login();
  const named = "PORT 198,18,0,9,160,1\r\n";
  dialog.client({ seq: 1001, ack: 5001, text: named });
  assert.equal(dialog.entries().length, 2, "another host may be named");
  dialog.pass(60);
  dialog.client({ seq: 1023, ack: 5001, text: named });
  dialog.pass(62);
  assert.equal(dialog.entries().length, 2, "its time was begun anew");
  dialog.server({ seq: 2, ack: 1, flags: ACK, target: "198.18.0.9", port: 20, farPort: 40961 });
  assert.equal(dialog.entries()[1]?.state, TcpState.Established);
  const begun = dialog.entries();
  dialog.client({ seq: 1045, ack: 5001, text: named });
  assert.deepEqual(dialog.entries(), begun);
});

test("FTP: other ports by request, and no help outside NAT", async () => {
  const dialog = await Dialog.open(undefined, "masq", 2121);
  setHelperPorts(dialog.engine, [21, 2121]);
  dialog.login(2121);
  dialog.client({ seq: 1001, ack: 5001, text: "PASV\r\n", farPort: 2121 });
  assert.equal(dialog.server({ seq: 5001, ack: 1007, text: PASSIVE, port: 2121 }).text, REWRITTEN);
  assert.throws(() => setHelperPorts(dialog.engine, [1, 2, 3, 4, 5, 6, 7, 8, 9]), RangeError);
  const direct = await Dialog.open(undefined, "route");
  direct.client({ seq: 1000, ack: 0, flags: SYN });
  direct.client({ seq: 1001, ack: 5001, flags: ACK });
  direct.client({ seq: 1001, ack: 5001, text: "PORT 10,0,1,50,160,1\r\n" });
  assert.equal(direct.entries().length, 1);
});

test("FTP: a command connection outlives none of its data connections, and everything ends", async () => {
  const dialog = await passive();
  dialog.client({ seq: 1007, ack: 5048, flags: RST });
  dialog.pass(15);
  assert.equal(dialog.entries().length, 2, "it stays while its data connection is awaited");
  // The client begins anew on the same port: a new command connection, the old one out of the way.
  dialog.client({ seq: 9000, ack: 0, flags: SYN });
  assert.equal(dialog.entries().length, 3);
  dialog.server({ seq: 7000, ack: 9001, flags: SYN | ACK });
  assert.equal(dialog.client({ seq: 9001, ack: 7001, flags: ACK }).ack, 7001, "without the old one's shift");
  dialog.pass(1200);
  assert.equal(dialog.used, 0);
  assert.equal(dialog.awaited, 0);
});
