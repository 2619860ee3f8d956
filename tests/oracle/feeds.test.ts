// What our master tells, fed to a real kernel's backup (recordings/feeds, by `npm run oracle:feeds`): the kernel listed what it was
// told of and went on with it. Ours is told the same and does the same; and what was fed is what our master says today.

import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { test } from "node:test";
import { TAKEOVERS } from "../fuzz/plays/takeovers.js";
import { Random } from "../fuzz/random.js";
import { compareEvents, describeDifference } from "./compare.js";
import { feedOf } from "./feed.js";
import { isKnownDifference } from "./known.js";
import { readRecording } from "./recording.js";

const THRESHOLD = "3 50";
const folder = new URL("../../../tests/oracle/recordings/feeds/", import.meta.url);

interface Feed { file: string; name: string; seed: number; version: 0 | 1 }

const feeds = readdirSync(folder).map((file): Feed => {
  const [, name = "", seed = "", version] = /^(\w+)-(\d+)-v([01])\.jsonl\.gz$/.exec(file) ?? [];
  return { file, name, seed: Number(seed), version: version === "0" ? 0 : 1 };
});

/** What the master's messages look like among a recording's inputs. */
const isMessage = (hex: string): boolean => hex.startsWith("01005e000051");

for (const { file, name, seed, version } of feeds) {
  test(`fed to a kernel: ${name}, version ${version}`, async () => {
    const events = readRecording(`feeds/${file.replace(".jsonl.gz", "")}`);
    const takeover = TAKEOVERS[name]?.(new Random(seed));
    assert.ok(takeover, `there is no takeover "${name}"`);
    const told = await feedOf(takeover.before, { version, threshold: THRESHOLD });
    const messages = told.flatMap((step) => (step.ev === "in" ? [step.hex] : []));
    assert.ok(messages.length > 0, "the master tells something");
    assert.deepEqual(messages, events.flatMap((event) => (event.ev === "in" && isMessage(event.hex ?? "") ? [event.hex] : [])), "as our master says it");
    assert.ok(events.some((event) => event.cmd?.startsWith("ipvsadm -Lnc") && event.stdout?.includes(":")), "the kernel lists it");
    const differences = (await compareEvents(events)).filter((one) => !isKnownDifference(one));
    assert.equal(differences.length, 0, differences.map(describeDifference).join("\n"));
  });
}

test("a kernel was fed every kind of option: IPv6, templates, names and data of SIP, shifts of FTP", () => {
  const all = feeds.flatMap(({ file, version }) => (version === 0 ? [] : readRecording(`feeds/${file.replace(".jsonl.gz", "")}`)))
    .flatMap((event) => (event.ev === "in" && isMessage(event.hex ?? "") ? [Buffer.from(event.hex ?? "", "hex").subarray(42)] : []));
  const seen = new Set<string>();
  for (const message of all) {
    for (let at = 8, left = message[4] ?? 0; left > 0; left--) {
      const bytes = message.readUInt16BE(at + 2) & 0xfff;
      seen.add(message[at] === 1 ? "IPv6" : "IPv4");
      if (message.readUInt32BE(at + 4) & 0x1000) seen.add("template");
      const optionsAt = at + (message[at] === 1 ? 72 : 36);
      for (let option = optionsAt; option < at + bytes; option += 2 + (message[option + 1] ?? 0)) seen.add(`option ${message[option]}`);
      at += (bytes + 3) & ~3;
    }
  }
  assert.deepEqual([...seen].sort(), ["IPv4", "IPv6", "option 1", "option 2", "option 3", "template"]);
});
