// FTP's texts, mutated: the helper must agree with a second reading of them, written as patterns here, and
// must never lose count of the bytes it adds or takes away.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Dialog, FOUR, SIX } from "../host/ftp-dialog.js";
import { mutate } from "./mutate.js";
import { Random } from "./random.js";

const DIALOGS = 15;
const ROUNDS = 120;
const MUTATIONS = { changesMax: 4, runMax: 6, echoMax: 5, characters: "0123456789,.|()[]: \r\nPORTpasvEPRT227229\u00ff\u0000-+%" };
const REPLIES = ["227 Entering Passive Mode (10,0,2,11,195,80).\r\n", "227 =10,0,2,11,4,1\r\n", "227 (255,255,255,255,255,255)\r\n"];
const PORTS = ["PORT 10,0,1,50,160,1\r\n", "PORT   10,0,1,50,4,210\r\n"];
const EXTENDED = ["EPRT |1|10.0.1.50|40961|\r\n", "EPRT !1!10.0.1.50!5282!\r\n"];
const SIXES = ["EPRT |2|fd00:1::50|40962|\r\n", "EPRT |2|::1|1|\r\n", "EPRT |2|1:2:3:4:5:6:10.0.0.1|6446|\r\n",
  "229 Entering Extended Passive Mode (|||50001|)\r\n", "EPSV\r\n", "EPSV 2\r\n"];

/** What a number of any length says where there is room for `below` values; one that is left out is 0. */
const modulo = (digits: string | undefined, below: bigint): number => Number(BigInt(digits ? digits : "0") % below);

/** What a client hears of a server's answer to PASV. */
function heard(text: string): string {
  const match = /^(227 [^0-9(]*(?:\(+|(?=\d)))(\d*),(\d*),(\d*),(\d*),(\d*),(\d*)(?=[^0-9])/.exec(text);
  if (!match) return text;
  return `${match[1]}10,0,1,100,${modulo(match[6], 256n)},${modulo(match[7], 256n)}${text.slice(match[0].length)}`;
}

/** An answer to EPSV with its port as a client may hear it. */
function plainPort(text: string): string {
  return text.replace(/^(229 [^(]*\(+([!-/:-~])\2\2)(\d+)(?=\2)/, (all, before: string, _bar, digits: string) => {
    const port = modulo(digits, 65536n);
    return port === 0 ? all : `${before}${port}`;
  });
}

/** The port at which a client's command makes its data connection expected; undefined when it does not. */
function announced(text: string): number | undefined {
  const plain = /^port(?:[^0-9 ]* +|[^0-9 ]*(?=\d))(\d*),(\d*),(\d*),(\d*),(\d*),(\d*)(?=[^0-9])/i.exec(text);
  if (plain) return modulo(plain[5], 256n) * 256 + modulo(plain[6], 256n);
  const extended = /^eprt[^ ]* +([!-/:-~])1\1(\d+)\.(\d+)\.(\d+)\.(\d+)\1(\d+)\1/i.exec(text);
  if (!extended || extended.slice(2, 6).some((number) => Number(number) > 255)) return undefined;
  const port = modulo(extended[6], 65536n);
  return port === 0 ? undefined : port;
}

for (const seed of [1, 2, 3]) {
  test(`FTP: ${DIALOGS * ROUNDS} mutated texts, seed ${seed}: read as the patterns read them`, async () => {
    const random = new Random(seed);
    const met = { rewritten: 0, passed: 0, announced: 0, ignored: 0 };
    for (let n = 0; n < DIALOGS; n++) {
      const dialog = await Dialog.open(FOUR);
      dialog.login();
      let [toServer, toClient, delivered] = [1001, 5001, 5001];
      for (let round = 0; round < ROUNDS; round++) {
        const command = mutate(random.pick(random.chance(50) ? PORTS : EXTENDED), random, MUTATIONS);
        const before = dialog.entries().length;
        const port = /pasv\r\n|epsv[ \r]/i.test(command) ? undefined : announced(command);
        assert.equal(dialog.client({ seq: toServer, ack: delivered, text: command }).text, command);
        toServer += command.length;
        const waits = dialog.entries().some((entry) => entry.clientPort === port && entry.virtualPort === 20);
        assert.ok(port === undefined ? dialog.entries().length === before : waits, JSON.stringify(command));
        met[port === undefined ? "ignored" : "announced"]++;

        dialog.client({ seq: toServer, ack: delivered, text: "PASV\r\n" });
        toServer += 6;
        const reply = mutate(random.pick(REPLIES), random, MUTATIONS);
        const seen = dialog.server({ seq: toClient, ack: toServer, text: reply });
        assert.equal(seen.text, heard(reply), JSON.stringify(reply));
        assert.equal(seen.seq, delivered, "no byte is lost or counted twice");
        met[seen.text === reply ? "passed" : "rewritten"]++;
        toClient += reply.length;
        delivered += seen.text.length;
        assert.equal(dialog.client({ seq: toServer, ack: delivered }).ack, toClient);
      }
    }
    assert.ok(Object.values(met).every((count) => count > DIALOGS * ROUNDS / 10), `too few of a kind: ${JSON.stringify(met)}`);
  });

  test(`FTP over IPv6: ${DIALOGS * ROUNDS} mutated texts, seed ${seed}: nothing changes but how a port is written, everything ends`, async () => {
    const random = new Random(seed + 100);
    const dialog = await Dialog.open(SIX);
    dialog.login();
    let [toServer, toClient, delivered, most] = [1001, 5001, 5001, 0];
    for (let round = 0; round < DIALOGS * ROUNDS; round++) {
      const text = mutate(random.pick(SIXES), random, MUTATIONS);
      assert.equal(dialog.client({ seq: toServer, ack: delivered, text }).text, text);
      toServer += text.length;
      const reply = mutate(random.pick(SIXES), random, MUTATIONS);
      const seen = dialog.server({ seq: toClient, ack: toServer, text: reply });
      assert.equal(plainPort(seen.text), plainPort(reply));
      toClient += reply.length;
      delivered += seen.text.length;
      most = Math.max(most, dialog.used);
      if (dialog.used > 500) dialog.pass(125);
    }
    assert.ok(most > 20, `only ${most} entries: the mutations no longer reach the helper`);
    dialog.pass(1500);
    assert.equal(dialog.used, 0);
    assert.equal(dialog.awaited, 0);
  });
}
