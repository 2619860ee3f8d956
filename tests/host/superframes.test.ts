// Super-frames for a port that cannot cut them, by their virtio header (virtio 1.2 section 5.1.6).

import assert from "node:assert/strict";
import { test } from "node:test";
import { FrameFlag } from "../../assembly/abi/enums.js";
import { SLOT_HEADROOM } from "../../assembly/abi/layout.js";
import { ethernet, ipPacket, TCP, tcpSegment, UDP, udpDatagram } from "../fuzz/packets.js";
import { OUT } from "../oracle/recording.js";
import { Exchange } from "./exchange.js";

const ENDS = { source: "10.0.1.50", sourcePort: 4000, target: "10.0.1.100", targetPort: 80 };
const TCP_SYN = 2;
const TCP_ACK = 16;
const HEADERS = 14 + 20 + 20;
const NEEDS_CHECKSUM = 1;
const SEGMENTS_TCP4 = 1;
const SEGMENTS_UDP = 5;

async function begin(): Promise<Exchange> {
  return Exchange.begin(
    "ip link set out mtu 9000; ip link set in mtu 9000",
    "ipvsadm -A -t 10.0.1.100:80 -s rr; ipvsadm -a -t 10.0.1.100:80 -r 10.0.2.11:80 -m",
    "ipvsadm -A -u 10.0.1.100:80 -s rr; ipvsadm -a -u 10.0.1.100:80 -r 10.0.2.11:80 -m",
  );
}

/** A frame with a virtio header that says how it is to be cut; answers what came of it. */
function receiveSuper(exchange: Exchange, packet: Buffer, type: number, segmentBytes: number): Buffer[] {
  const { engine } = exchange.replay;
  const frame = ethernet("02:00:00:00:01:01", "02:00:00:00:01:c1", packet);
  const at = engine.arenaBase + SLOT_HEADROOM;
  const header = Buffer.alloc(10);
  header.set([NEEDS_CHECKSUM, type], 0);
  header.writeUInt16LE(segmentBytes, 4);
  engine.bytes.set(header, at - header.length);
  engine.bytes.set(frame, at);
  engine.enter(0, at, frame.length, OUT, FrameFlag.Vnet);
  const count = engine.receive(1, 1000);
  return Array.from({ length: count }, (_, index) => engine.sent(index)).map((sent) => Buffer.from(engine.bytes.slice(sent.frame, sent.frame + sent.bytes)));
}

const stream = (data: Buffer): Buffer => ipPacket({ ...ENDS, protocol: TCP, payload: tcpSegment(ENDS, TCP_ACK, 1001, 1, data) });

function connect(exchange: Exchange): void {
  exchange.fromClient(ipPacket({ ...ENDS, protocol: TCP, payload: tcpSegment(ENDS, TCP_SYN, 1000, 0, Buffer.alloc(0)) }));
}

test("a stream's super-frame is cut as it asks, or smaller where a segment would be larger than the engine can make", async () => {
  const data = Buffer.from(Array.from({ length: 20000 }, (_, at) => at % 251));
  for (const [asked, most] of [[1448, 1448], [8948, 1992]] as const) {
    const exchange = await begin();
    connect(exchange);
    const sent = receiveSuper(exchange, stream(data), SEGMENTS_TCP4, asked);
    assert.ok(Buffer.concat(sent.map((frame) => frame.subarray(HEADERS))).equals(data), `segments of ${asked}`);
    assert.equal(Math.max(...sent.map((frame) => frame.length)), HEADERS + most);
    assert.deepEqual(exchange.drops, {});
  }
});

test("a super-frame that has nothing to cut, or datagrams larger than the engine can make, are counted", async () => {
  const exchange = await begin();
  connect(exchange);
  assert.deepEqual(receiveSuper(exchange, stream(Buffer.alloc(0)), SEGMENTS_TCP4, 1448), []);
  assert.deepEqual(exchange.drops, { SegmentBad: 1n });
  const datagrams = ipPacket({ ...ENDS, protocol: UDP, payload: udpDatagram(ENDS, Buffer.alloc(20000)) });
  assert.deepEqual(receiveSuper(exchange, datagrams, SEGMENTS_UDP, 8000), []);
  assert.deepEqual(exchange.drops, { SegmentBad: 2n });
});
