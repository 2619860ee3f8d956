// The checksums that benches ask of every frame: right ones pass, and one wrong bit anywhere below them is found.

import assert from "node:assert/strict";
import { test } from "node:test";
import { buildFrame, TCP, UDP, wireAddress, writeEthernet, writeIpv4, type FramePlan } from "../../bench/path/frames.js";
import { Sums } from "../../bench/path/sums.js";
import { GUE_PORT } from "../../bench/path/world.js";

const ETHERNET_BYTES = 14;
const FRAME = 2 + 64;
const [MAC, FROM, TO] = ["02:00:00:00:00:01", wireAddress("10.0.0.1"), wireAddress("10.0.0.2")];

function plan(family: 4 | 6, protocol: typeof TCP | typeof UDP, payloadBytes: number): FramePlan {
  const [source, target] = family === 4 ? [FROM, TO] : [wireAddress("fd00::1"), wireAddress("fd00::2")];
  return { macTo: MAC, macFrom: MAC, family, protocol, source, target, sourcePort: 1024, targetPort: 80, flags: 16, hops: 9, payloadBytes };
}

/** A packet behind an outer IPv4 header, and whatever lies between. */
function within(inner: Uint8Array, protocol: number, between: readonly number[] = []): Uint8Array {
  const packet = inner.subarray(ETHERNET_BYTES);
  const frame = new Uint8Array(ETHERNET_BYTES + 20 + between.length + packet.length);
  writeEthernet(frame, MAC, MAC, 4);
  writeIpv4(frame.subarray(ETHERNET_BYTES), frame.length - ETHERNET_BYTES, protocol, 9, FROM, TO, 1);
  frame.set([...between, ...packet], ETHERNET_BYTES + 20);
  return frame;
}

function wrong(frame: Uint8Array): string | undefined {
  const memory = new WebAssembly.Memory({ initial: 1 });
  new Uint8Array(memory.buffer).set(frame, FRAME);
  return new Sums(memory).wrong(FRAME, frame.length);
}

const GUE = [0xc0, 1, GUE_PORT >> 8, GUE_PORT & 255, 0, 0, 0, 0, 0, 4, 0, 0];
/** By name: a frame, and the first of its bytes from which on every bit is below a checksum. */
const FRAMES: readonly (readonly [string, Uint8Array, number])[] = [
  ...([0, 1, 2, 536, 1459] as const).flatMap((payloadBytes) => ([4, 6] as const).flatMap((family) => ([TCP, UDP] as const).map((protocol) => {
    const frame = buildFrame(plan(family, protocol, payloadBytes));
    return [`family ${family}, protocol ${protocol}, ${payloadBytes} bytes`, frame, family === 4 ? ETHERNET_BYTES : ETHERNET_BYTES + 8] as const;
  }))),
  ["IPv4 in IPv4", within(buildFrame(plan(4, TCP, 7)), 4), ETHERNET_BYTES],
  ["GUE", within(buildFrame(plan(4, TCP, 7)), UDP, GUE), ETHERNET_BYTES + 20 + GUE.length],
];

for (const [name, right, from] of FRAMES) {
  test(`${name}: right, and no bit may be another`, () => {
    assert.equal(wrong(right), undefined);
    for (let bit = from * 8; bit < right.length * 8; bit += right.length > 200 ? 7 : 1) {
      const other = right.slice();
      other[bit >> 3] = (other[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      assert.notEqual(wrong(other), undefined, `bit ${bit & 7} of byte ${bit >> 3}`);
    }
  });
}
