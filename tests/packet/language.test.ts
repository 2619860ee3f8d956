// The language of the cases itself: what it refuses, and that what it builds it reads back.

import assert from "node:assert/strict";
import { test } from "node:test";
import { buildIp } from "./build.js";
import { differences } from "./compare.js";
import { readCases } from "./language.js";
import { readIp } from "./read.js";
import { formatPacket, parsePacket } from "./text.js";

const frames = (line: string): string => `## A case\n\`\`\`frames\n${line}\n\`\`\`\n`;

const REFUSED: [string, string, RegExp][] = [
  ["a port that is none", "> left 10.0.0.1 > 10.0.0.2 udp", /case\.md:3: "left" is no port/],
  ["a word nobody knows", "> out 10.0.0.1:1 > 10.0.0.2:2 tcp SIN fast", /case\.md:3: the word "fast" is not known/],
  ["a packet that is nothing", "> out 10.0.0.1:1 > 10.0.0.2:2 ttl 3", /case\.md:3: what is it/],
  ["a bracket left open", "> out 10.0.0.1 > 10.0.0.2 ipip [ 10.0.0.3 > 10.0.0.4 udp", /case\.md:3: a bracket is not closed/],
  ["no number where one belongs", "> out 10.0.0.1 > 10.0.0.2 udp ttl many", /case\.md:3: ttl needs a number/],
  ["an expectation of nothing", "< out 10.0.0.1 > 10.0.0.2 udp", /case\.md:3: nothing has happened yet/],
  ["a step that is none", "out 10.0.0.1 > 10.0.0.2 udp", /case\.md:3: a step begins with/],
  ["clients without servers", ">> out 10.0.0.1:1+ > 10.0.0.2:2 tcp SYN", /case\.md:3: after "=>"/],
  ["a command that cannot be replayed", "$ rm -rf /", /case\.md:3: only ipvsadm/],
  ["a time that is none", "+ a while", /case\.md:3: "a while" is no time/],
  ["no step at all", "# nothing", /case\.md:1: a case without a block of frames/],
];

for (const [what, line, message] of REFUSED) {
  test(`refuses ${what}`, () => assert.throws(() => readCases(frames(line), "case.md"), message));
}

test("refuses a block that is not closed", () => {
  assert.throws(() => readCases("## A case\n```frames\n+ 1s\n", "case.md"), /case\.md:4: the block frames is not closed/);
});

const PACKETS = [
  "10.0.0.1:1 > 10.0.0.2:2 tcp ACK SYN ttl 3 tos 8 id 9 df seq 5 ack 6 window 7 mss 1400",
  "[fd00::1]:1 > [fd00::2]:2 udp ttl 3 bytes 2001",
  "10.0.0.1:1 > 10.0.0.2:2 sctp INIT tag 4",
  "fd00::1 > fd00::2 ipip [ 10.0.0.1:1 > 10.0.0.2:2 udp bytes 3 ]",
  "10.0.0.1:7 > 10.0.0.2:6080 gue checksum zero [ [fd00::1]:1 > [fd00::2]:2 tcp FIN ]",
  "10.0.0.1 > 10.0.0.2 icmp frag-needed mtu 1400 [ 10.0.0.2:1 > 10.0.0.1:2 tcp SYN ]",
  "[fd00::1]:1 > [fd00::2]:2 hop-by-hop destination-options udp bytes 16 frag 0+16 mf id 4",
  "10.0.0.1:1 > 10.0.0.2:2 tcp SYN checksum wrong",
];

for (const text of PACKETS) {
  test(`builds and reads back ${text}`, () => {
    const packet = parsePacket(text);
    assert.deepEqual(differences(parsePacket(formatPacket(packet)), readIp(buildIp(packet))), text.includes("frag ") ? ["bytes"] : []);
  });
}

const DIFFERENT: [string, string, string][] = [
  ["10.0.0.1:1 > 10.0.0.2:2 tcp SYN", "10.0.0.1:1 > 10.0.0.2:2 tcp SYN ACK", "flags"],
  ["10.0.0.1:1 > 10.0.0.2:2 tcp", "10.0.0.1:1 > 10.0.0.2:2 tcp SYN", "flags"],
  ["10.0.0.1:1 > 10.0.0.2:2 tcp SYN", "10.0.0.1:1 > 10.0.0.2:2 tcp SYN checksum wrong", "checksum"],
  ["10.0.0.1:1 > 10.0.0.2:2 udp bytes 8", "10.0.0.1:1 > 10.0.0.2:2 udp bytes 9", "bytes"],
  ["10.0.0.1:1 > 10.0.0.2:2 udp no df", "10.0.0.1:1 > 10.0.0.2:2 udp df", "df"],
  ["10.0.0.1:1 > 10.0.0.2:2 udp frag 0+8", "10.0.0.1:1 > 10.0.0.2:2 udp bytes 8 frag 0+8 mf", "mf"],
  ["10.0.0.1 > 10.0.0.2 ipip [ 10.0.0.1:1 > 10.0.0.2:2 udp ttl 1 ]", "10.0.0.1 > 10.0.0.2 ipip [ 10.0.0.1:1 > 10.0.0.2:2 udp ttl 2 ]", "[ ttl ]"],
  ["10.0.0.1 > 10.0.0.2 ipip [ 10.0.0.1:1 > 10.0.0.2:2 udp ]", "10.0.0.1 > 10.0.0.2 ipip [ 10.0.0.1:1 > 10.0.0.2:2 udp checksum wrong ]", "[ checksum ]"],
];

for (const [expected, got, word] of DIFFERENT) {
  test(`tells ${got} from ${expected}`, () => {
    assert.deepEqual(differences(parsePacket(expected), readIp(buildIp(parsePacket(got)))), [word]);
  });
}

test("a byte changed in flight is seen: the IPv4 header's own checksum", () => {
  const text = "10.0.0.1:1 > 10.0.0.2:2 tcp SYN";
  const bytes = Uint8Array.from(buildIp(parsePacket(text)));
  bytes[5] = (bytes[5] ?? 0) ^ 1;
  assert.deepEqual(differences(parsePacket(text), readIp(bytes)), ["header"]);
});
