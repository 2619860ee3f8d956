// SIP messages, mutated: the engine must find the Call-ID that a second reading, written as patterns here, finds.

import assert from "node:assert/strict";
import { test } from "node:test";
import { buildUdp, Exchange } from "../host/exchange.js";
import { mutate } from "./mutate.js";
import { Random } from "./random.js";

const ROUNDS = 4000;
/** With its headers a datagram fits a frame. */
const TEXT_MAX = 1400;
const MUTATIONS = { changesMax: 5, runMax: 300, echoMax: 20, characters: "iI:@\r\n\t  Ca-d%\u0000\u00ff\u007f;=<>\"[]{}" };
const MESSAGES = [
  "INVITE sip:bob@example.net SIP/2.0\r\nVia: SIP/2.0/UDP h\r\nCall-ID: a84b4c76e66710@pc33.example.net\r\nCSeq: 1 INVITE\r\n\r\n",
  "SIP/2.0 200 OK\r\ni:f81d4fae-7dec-11d0@host\r\nContent-Length: 0\r\n\r\n",
  "OPTIONS sip:x SIP/2.0\nI : word\nCall-ID: second@one\n\n",
  "BYE sip:x SIP/2.0\r\nCALL-ID:\r\n\t!%*_+`'~()<>:\\\"/[]?{}@-.\r\n\r\n",
  "ACK sip:x SIP/2.0\r\nCall-ID: @bad\r\ni: good@one\r\n\r\n",
];

const SPACE = "(?:[ \\t]|(?:\\r\\n|\\r|\\n)[ \\t])*";
const HEADER = new RegExp(`(?<=[\\r\\n])(?:call-id|i)${SPACE}:${SPACE}`, "gi");
const WORD = /[A-Za-z0-9_.!%*+`'~()<>:\\"/[\]?{}-]+/y;

function wordAt(text: string, at: number): string {
  WORD.lastIndex = at;
  return WORD.exec(text)?.[0] ?? "";
}

/** The Call-ID a message has; undefined when it cannot be used. */
function expected(text: string): string | undefined {
  for (const header of text.matchAll(HEADER)) {
    const at = header.index + header[0].length;
    const first = wordAt(text, at);
    if (first === "") continue;
    const second = text[at + first.length] === "@" ? wordAt(text, at + first.length + 1) : undefined;
    if (second === "") continue;
    const whole = second === undefined ? first : `${first}@${second}`;
    const next = text[at + whole.length];
    return whole.length <= 255 && (next === "\r" || next === "\n") ? whole : undefined;
  }
  return undefined;
}

for (const seed of [1, 2, 3]) {
  test(`SIP: ${ROUNDS} mutated messages, seed ${seed}`, async () => {
    const random = new Random(seed);
    const exchange = await Exchange.begin("ipvsadm -A -u 10.0.1.100:5060 -s rr -p 60 --pe sip -o", "ipvsadm -a -u 10.0.1.100:5060 -r 10.0.2.11:5060 -m");
    const calls = new Set<string>();
    let refused = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const text = mutate(random.pick(MESSAGES), random, MUTATIONS).slice(0, TEXT_MAX);
      const call = expected(text);
      const sent = exchange.fromClient(buildUdp("198.18.0.1", 5060, "10.0.1.100", 5060, Buffer.from(text, "latin1")));
      assert.equal(sent.length, call === undefined ? 0 : 1, JSON.stringify(text));
      if (call === undefined) refused++;
      else calls.add(call);
    }
    // The listing pads the engine's name to 18 columns and puts a space behind it.
    const kept = (await exchange.rows()).map((row) => row.slice(row.indexOf(" sip ") + 20));
    assert.deepEqual(kept.sort(), [...calls].sort());
    assert.ok(refused > ROUNDS / 20 && calls.size > ROUNDS / 20, `${refused} refused, ${calls.size} calls: too few of a kind`);
    exchange.pass(70);
    assert.deepEqual(await exchange.rows(), []);
  });
}
