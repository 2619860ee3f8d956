// Datagrams that come in pieces, or leave in pieces: none may end up in another.

import assert from "node:assert/strict";
import { test } from "node:test";
import { REASSEMBLIES_BASE, SLOT_HEADROOM } from "../../assembly/abi/layout.js";
import { OUT } from "../oracle/recording.js";
import { ethernet, fragment, type IpPacket } from "../fuzz/packets.js";
import { buildIp, buildPieces, buildUdp, Exchange } from "./exchange.js";

const UDP = 17;
const FRAGMENT_HEADER_AT = 54;
const WHOLE = 0;

test("IPv4 packets that do not fit into an IPv6 tunnel leave in pieces, each packet's with another identification", async () => {
  const exchange = await Exchange.begin(
    "ipvsadm -A -u 10.0.1.100:53 -s rr; ipvsadm -a -u 10.0.1.100:53 -r [fd00:2::11]:53 -i; ipvsadm -a -u 10.0.1.100:53 -r [fd00:2::12]:53 -i");
  const names: number[] = [];
  for (let port = 4000; port < 4010; port++) {
    const datagram = Buffer.alloc(1480, port & 255);
    datagram.writeUInt16BE(port, 0);
    datagram.writeUInt16BE(53, 2);
    datagram.writeUInt16BE(datagram.length, 4);
    datagram.writeUInt16BE(0, 6);
    const sent = exchange.fromClient(buildIp("10.0.1.50", "10.0.1.100", UDP, datagram, { id: 7, word: WHOLE }));
    assert.equal(sent.length, 2, "two pieces");
    const [one = -1, other = -2] = sent.map(({ bytes }) => Buffer.from(bytes).readUInt32BE(FRAGMENT_HEADER_AT + 4));
    assert.equal(one, other, "pieces of one packet");
    names.push(one);
  }
  assert.equal(new Set(names).size, names.length, `all different: ${names.join()}`);
});

test("datagrams whose pieces come in one batch each leave as they were, from where they were put together", async () => {
  const exchange = await Exchange.begin("ipvsadm -A -u 10.0.1.100:53 -s rr; ipvsadm -a -u 10.0.1.100:53 -r [fd00:2::11]:53 -i");
  const { engine } = exchange.replay;
  const texts = Array.from({ length: 8 }, (_, index) => Buffer.alloc(300, 0x41 + index));
  const frames = texts.flatMap((text, index) => buildPieces(buildUdp("10.0.1.50", 4000 + index, "10.0.1.100", 53, text), 100 + index, 160))
    .map((packet) => Buffer.concat([Buffer.from("0200000001010200000001c10800", "hex"), packet]));
  frames.forEach((frame, index) => {
    const at = engine.arenaBase + index * 512 + SLOT_HEADROOM;
    engine.bytes.set(frame, at);
    engine.enter(index, at, frame.length, OUT);
  });
  const count = engine.receive(frames.length, 1000);
  const sent = Array.from({ length: count }, (_, index) => engine.sent(index)).map(({ frame, bytes }) => Buffer.from(engine.bytes.slice(frame, frame + bytes)));
  assert.deepEqual(sent.map((bytes) => bytes.subarray(-300).toString()), texts.map(String));
});

test("senders of pieces that stay alone are told in the order in which they began, wherever the pieces waited", async () => {
  const exchange = await Exchange.begin("ipvsadm -A -u 10.0.1.100:53 -s rr; ipvsadm -a -u 10.0.1.100:53 -r 10.0.2.11:53 -m");
  const { engine } = exchange.replay;
  const pieces = (port: number): Buffer[] => buildPieces(buildUdp("10.0.1.50", port, "10.0.1.100", 53, Buffer.alloc(300)), port, 160)
    .map((packet) => Buffer.concat([Buffer.from("0200000001010200000001c10800", "hex"), packet]));
  // In one batch: two whole datagrams, which hold their places until it is sent, then lonely pieces; then more of these.
  const batch = [...pieces(4000), ...pieces(4001), pieces(4002)[0], pieces(4003)[0]].filter((one) => one !== undefined);
  batch.forEach((frame, index) => {
    const at = engine.arenaBase + index * 512 + SLOT_HEADROOM;
    engine.bytes.set(frame, at);
    engine.enter(index, at, frame.length, OUT);
  });
  engine.receive(batch.length, 0);
  for (const port of [4004, 4005, 4006]) exchange.replay.receive("out", pieces(port)[0] ?? Buffer.alloc(0));
  const told = exchange.replay.advance(40).map(({ bytes }) => Buffer.from(bytes).readUInt16BE(14 + 20 + 8 + 20));
  assert.deepEqual(told, [4002, 4003, 4004, 4005, 4006]);
});

const DESTINATION_OPTIONS = 60;

/** An IPv6 first piece with so many bytes of destination options before its fragment header, in headers of at most 2,048. */
function behindOptions(bytes: number): Buffer {
  const packet: IpPacket = { source: "fd00:1::50", target: "fd00:1::100", protocol: UDP, id: 9, payload: Buffer.alloc(0) };
  const plain = fragment(packet, { offset: 0, bytes: Buffer.alloc(64), more: true });
  const headers: Buffer[] = [];
  for (let left = bytes; left > 0; left -= 2048) {
    const header = Buffer.alloc(Math.min(left, 2048), 1);
    header.set([left > 2048 ? DESTINATION_OPTIONS : 44, header.length / 8 - 1]);
    headers.push(header);
  }
  const whole = Buffer.concat([plain.subarray(0, 40), ...headers, plain.subarray(40)]);
  whole[6] = DESTINATION_OPTIONS;
  whole.writeUInt16BE(whole.length - 40, 4);
  return ethernet("02:00:00:00:01:01", "02:00:00:00:01:c1", whole);
}

test("an IPv6 piece whose headers are longer than a common frame is dropped, and nothing outside its place is written", async () => {
  const exchange = await Exchange.begin("ipvsadm -A -u [fd00:1::100]:53 -s rr; ipvsadm -a -u [fd00:1::100]:53 -r [fd00:2::11]:53 -m");
  const { engine } = exchange.replay;
  const below = (): Buffer => Buffer.from(engine.bytes.slice(REASSEMBLIES_BASE - 16384, REASSEMBLIES_BASE));
  const before = below();
  exchange.replay.receive("out", behindOptions(1400));
  assert.deepEqual(exchange.drops, {}, "what fits a common frame waits for its other pieces");
  for (const bytes of [2944, 4096, 8192]) exchange.replay.receive("out", behindOptions(bytes));
  assert.deepEqual(exchange.drops, { FragmentBad: 3n });
  assert.ok(below().equals(before));
});

test("pieces that come to more than the length field can say make no datagram", async () => {
  const exchange = await Exchange.begin("ipvsadm -A -u 10.0.1.100:53 -s rr; ipvsadm -a -u 10.0.1.100:53 -r 10.0.2.11:53 -m");
  const packet: IpPacket = {
    source: "10.0.1.50", target: "10.0.1.100", protocol: UDP, id: 9, payload: Buffer.alloc(0), options: Buffer.alloc(40, 1),
  };
  const send = (offset: number, bytes: number, more: boolean): void => {
    const frame = ethernet("02:00:00:00:01:01", "02:00:00:00:01:c1", fragment(packet, { offset, bytes: Buffer.alloc(bytes), more }));
    assert.equal(exchange.replay.receive("out", frame).length, 0);
  };
  for (let offset = 0; offset < 65280; offset += 1360) send(offset, 1360, true);
  send(65280, 235, false);
  assert.deepEqual(exchange.drops, { FragmentBad: 1n });
});

test("pieces larger than the engine can make leave as smaller ones, and nothing of them is lost", async () => {
  const exchange = await Exchange.begin(
    "ip link set out mtu 9000; ip link set in mtu 9000; ipvsadm -A -u 10.0.1.100:53 -s rr; ipvsadm -a -u 10.0.1.100:53 -r 10.0.2.11:53 -m");
  const text = Buffer.from(Array.from({ length: 15000 }, (_, at) => at & 255));
  const sent = buildPieces(buildUdp("10.0.1.50", 4000, "10.0.1.100", 53, text), 7, 8000).flatMap((piece) => exchange.fromClient(piece));
  const payload = Buffer.concat(sent.map(({ bytes }) => Buffer.from(bytes).subarray(14 + 20)));
  assert.ok(payload.subarray(8).equals(text));
  const offsets = sent.map(({ bytes }) => (Buffer.from(bytes).readUInt16BE(14 + 6) & 0x1fff) << 3);
  assert.deepEqual(offsets, Array.from({ length: sent.length }, (_, at) => 2008 * at));
  assert.deepEqual(exchange.drops, {});
});
