// Pings of every size: one too long for the wire comes in pieces and is answered in pieces.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { createRecordedDirector } from "../oracle/recording.js";
import { sum } from "../../host/lab/sum.js";

const HEADER_BYTES = 34;
const MTU_DATA_BYTES = 1480;

/** An echo request of the client to the virtual address as Ethernet frames, cut at the MTU. */
function request(data: Uint8Array): Buffer[] {
  const icmp = Buffer.concat([Buffer.from([8, 0, 0, 0, 0x12, 0x34, 0, 1]), data]);
  icmp.writeUInt16BE(~sum(icmp) & 0xffff, 2);
  const frames: Buffer[] = [];
  for (let offset = 0; offset < icmp.length; offset += MTU_DATA_BYTES) {
    const piece = icmp.subarray(offset, offset + MTU_DATA_BYTES);
    const header = Buffer.from("0200000001010200000001c108004500000000070000400100000a0001320a000164", "hex");
    header.writeUInt16BE(20 + piece.length, 16);
    header.writeUInt16BE((offset + piece.length < icmp.length ? 0x2000 : 0) | (offset / 8), 20);
    header.writeUInt16BE(~sum(header.subarray(14)) & 0xffff, 24);
    frames.push(Buffer.concat([header, piece]));
  }
  return frames;
}

/** The message that reply frames carry, their headers checked. */
function reassemble(frames: readonly Uint8Array[]): Buffer {
  const parts = frames.map((bytes) => {
    const frame = Buffer.from(bytes);
    assert.equal(sum(frame.subarray(14, HEADER_BYTES)), 0xffff, "header checksum");
    assert.equal(frame.subarray(26, HEADER_BYTES).toString("hex"), "0a0001640a000132");
    assert.ok(frame.length <= 1514);
    return { offset: (frame.readUInt16BE(20) & 0x1fff) * 8, data: frame.subarray(HEADER_BYTES) };
  });
  return Buffer.concat(parts.sort((a, b) => a.offset - b.offset).map((part) => part.data));
}

test("the reply carries the request's data back, whatever its length", async () => {
  const director = await createRecordedDirector();
  let clockMs = 0;
  fc.assert(fc.property(fc.oneof(fc.integer({ min: 0, max: 3000 }), fc.integer({ min: 3000, max: 60000 })), fc.nat(255), (length, first) => {
    const data = Uint8Array.from({ length }, (_, index) => (index * 7 + first) & 255);
    director.advanceTo(clockMs += 100);
    const replies = request(data).flatMap((frame) => director.receive("out", frame));
    const message = reassemble(replies.map((one) => one.bytes));
    assert.equal(sum(message), 0xffff, "ICMP checksum");
    assert.equal(message.subarray(0, 8).toString("hex").replace(/^(....)..../, "$1"), "0000" + "12340001");
    assert.ok(message.subarray(8).equals(data));
  }), { numRuns: 200, seed: 3 });
});
