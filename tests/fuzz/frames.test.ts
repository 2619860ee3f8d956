// Frames nobody should send: the recordings' inputs, mutated by a seeded generator. Nothing may trap, and
// nothing may come out longer than its port allows.

import assert from "node:assert/strict";
import { test } from "node:test";
import { SLOT_HEADROOM } from "../../assembly/abi/layout.js";
import { readScenario } from "../../host/replay/scenario.js";
import { createRecordedDirector, IN, OUT, PORTS, readRecording } from "../oracle/recording.js";
import { sumWords } from "./packets.js";
import { Random } from "./random.js";

const NAMES = ["nat_tcp", "dr", "tun_ipip", "udp_icmp", "ftp", "sysctls", "persistence", "defense"];
/** A port's size stays, so that "oversized" means something; the rest asks for what only a kernel has. */
const LEFT_OUT = /mtu|^cat |rmmod/;
const ROUNDS = 20000;
const SLOT_BYTES = 2112;
const WIRE_BYTES = 1514;

function mutate(frame: Buffer, random: Random): Buffer {
  const copy = Buffer.from(frame);
  for (let count = random.below(4); count > 0; count--) {
    // Headers matter most: three of four changes fall into the first 60 bytes.
    copy[random.below(random.chance(75) ? Math.min(60, copy.length) : copy.length)] = random.below(256);
  }
  if (copy.readUInt16BE(12) === 0x0800 && copy.length >= 34 && random.chance(75)) repair(copy);
  return random.chance(80) ? copy : copy.subarray(0, 14 + random.below(copy.length - 14));
}

/** Makes the IPv4 header's checksum right again, so that the change is looked at further in. */
function repair(frame: Buffer): void {
  const end = Math.min(frame.length & ~1, 14 + ((frame[14] ?? 0) & 15) * 4);
  frame.writeUInt16BE(0, 24);
  frame.writeUInt16BE(~sumWords(frame.subarray(14, end)) & 0xffff, 24);
}

for (const seed of [1, 2, 3]) {
  test(`${ROUNDS} mutated frames, seed ${seed}: no trap, nothing oversized`, async () => {
    const random = new Random(seed);
    const replay = await createRecordedDirector({ arenaBytes: 64 * SLOT_BYTES });
    const { engine } = replay;
    const events = NAMES.flatMap(readRecording);
    for (const event of events.filter((one) => one.ev === "cmd" && !LEFT_OUT.test(one.cmd ?? ""))) {
      // Several recordings add the same service: those commands are refused, and that is fine here.
      for (const input of readScenario(JSON.stringify({ cmd: event.cmd }), PORTS)) await replay.play(input);
    }
    const inputs = events.filter((event) => event.ev === "in");
    let sent = 0;
    for (let round = 0, nowMs = 1000; round < ROUNDS; nowMs += random.below(50)) {
      const count = 1 + random.below(64);
      for (let slot = 0; slot < count; slot++, round++) {
        const event = random.pick(inputs);
        const frame = mutate(Buffer.from(event.hex ?? "", "hex"), random);
        const at = engine.arenaBase + slot * SLOT_BYTES + SLOT_HEADROOM;
        engine.bytes.set(frame, at);
        engine.enter(slot, at, frame.length, event.if === "out" ? OUT : IN);
      }
      for (const total of [engine.receive(count, nowMs), engine.tick(nowMs)]) {
        sent += total;
        for (let i = 0; i < total; i++) assert.ok(engine.sent(i).bytes <= WIRE_BYTES, `oversized: ${engine.sent(i).bytes}`);
      }
    }
    assert.ok(sent > ROUNDS / 4, `only ${sent} frames came out: the mutations no longer reach the engine`);
    assert.ok(Object.keys(engine.drops()).length > 10, "too few drop reasons were reached");
  });
}
