// Floods: what somebody sends who wants the director's memory or its time. Others are served meanwhile, every drop has its reason, and
// no table grows beyond its limit (assembly/abi/limits.ts).

import assert from "node:assert/strict";
import { test } from "node:test";
import { NEIGHBORS_HEARD_MAX, REASSEMBLIES_MAX } from "../../assembly/abi/limits.js";
import { loadEngine } from "../../host/load.js";
import { Replay } from "../../host/replay/replay.js";
import { readScenario } from "../../host/replay/scenario.js";
import { PORTS, recordedConfig } from "../oracle/recording.js";
import { addressBytes, ethernet, fragment, icmpMessage, ipPacket, ICMP, ICMP6, TCP, tcpSegment, UDP, udpDatagram } from "./packets.js";

const MAC_OUT = "02:00:00:00:01:01";
const MAC_IN = "02:00:00:00:02:01";
const MAC_CLIENT = "02:00:00:00:01:c1";
const MAC_SERVER = "02:00:00:00:02:0b";
const SYN = 0x02;
const SYN_ACK = 0x12;
const ACK = 0x10;
const FLOOD = 6000;
const COMMANDS = [
  "ipvsadm -A -t 10.0.1.100:80 -s rr; ipvsadm -a -t 10.0.1.100:80 -r 10.0.2.11:80 -m",
  "ipvsadm -A -u 10.0.1.100:53 -s rr; ipvsadm -a -u 10.0.1.100:53 -r 10.0.2.11:53 -m",
].join("; ");

/** A director that knows no neighbour by heart, with a table of 1,023 connections. */
async function begin(): Promise<Replay> {
  const config = recordedConfig();
  const ports = config.ports.map((port) => ({ ...port, addresses: port.addresses.map((one) => one.replace("10.0.1.1/24", "10.0.1.1/8")) }));
  const replay = await Replay.create(await loadEngine(), { ...config, ports, neighbors: [], tableBits: 8 });
  const [input] = readScenario(JSON.stringify({ cmd: COMMANDS }), PORTS);
  assert.ok(input);
  await replay.play(input);
  return replay;
}

/** ARP as who has `source` says it to the director. */
function arp(operation: 1 | 2, port: "out" | "in", source: string, mac: string, target: string): Buffer {
  const macs = [port === "out" ? MAC_OUT : MAC_IN, mac].map((one) => Buffer.from(one.replaceAll(":", ""), "hex")) as [Buffer, Buffer];
  return Buffer.concat([...macs, Buffer.from([8, 6, 0, 1, 8, 0, 6, 4, 0, operation]), macs[1], addressBytes(source), macs[0], addressBytes(target)]);
}

const ENDS = { source: "10.0.1.50", sourcePort: 4000, target: "10.0.1.100", targetPort: 80 };
const BACK = { source: "10.0.2.11", sourcePort: 80, target: "10.0.1.50", targetPort: 4000 };
const segment = (ends: typeof ENDS, flags: number): Buffer => ipPacket({ ...ends, protocol: TCP, payload: tcpSegment(ends, flags, 1, 1, Buffer.alloc(0)) });
const fromClient = (packet: Buffer): Buffer => ethernet(MAC_OUT, MAC_CLIENT, packet);

/** One client connects; the director asks for both neighbours and is answered. */
function connect(replay: Replay): void {
  replay.receive("out", fromClient(segment(ENDS, SYN)));
  assert.equal(replay.receive("in", arp(2, "in", "10.0.2.11", MAC_SERVER, "10.0.2.1")).length, 1, "what waited goes to the server");
  replay.receive("in", ethernet(MAC_IN, MAC_SERVER, segment(BACK, SYN_ACK)));
  assert.equal(replay.receive("out", arp(2, "out", "10.0.1.50", MAC_CLIENT, "10.0.1.1")).length, 1, "and what waited to the client");
  assertServed(replay);
}

/** The client's next segment reaches the server at once. A question whether the server is still there may go along. */
function assertServed(replay: Replay): void {
  const sent = replay.receive("out", fromClient(segment(ENDS, ACK))).map((one) => ({ port: one.port, bytes: Buffer.from(one.bytes) }));
  const served = sent.filter((one) => one.bytes.readUInt16BE(12) === 0x0800);
  assert.deepEqual(served.map((one) => [one.port, one.bytes.subarray(0, 6).toString("hex")]), [["in", MAC_SERVER.replaceAll(":", "")]]);
}

const drops = (replay: Replay): Record<string, bigint> => replay.engine.drops();
const stranger = (n: number): string => `10.${20 + (n >> 16)}.${(n >> 8) & 255}.${n & 255}`;
const mac = (n: number): string => `02:aa:${[n >> 24, n >> 16, n >> 8, n].map((byte) => (byte & 255).toString(16).padStart(2, "0")).join(":")}`;

async function neighborsOf(replay: Replay): Promise<{ address: string; state: string }[]> {
  const reply = await replay.director.request({ do: "status" });
  assert.ok(reply.ok);
  return reply.value.neighbors;
}

test("ARP of strangers: each is answered, a quarter of the table remembers them, and nobody who is spoken with is forgotten", async () => {
  const replay = await begin();
  connect(replay);
  replay.advance(1);
  for (let n = 0; n < FLOOD; n++) assert.equal(replay.receive("out", arp(1, "out", stranger(n), mac(n), "10.0.1.100")).length, 1);
  assertServed(replay);
  const known = await neighborsOf(replay);
  assert.equal(known.filter((one) => one.state === "heard").length, NEIGHBORS_HEARD_MAX);
  assert.equal(known.length, NEIGHBORS_HEARD_MAX + 2);
  replay.advance(61);
  assert.equal((await neighborsOf(replay)).filter((one) => one.state === "heard").length, 0, "after a minute they are forgotten");
});

test("ARP of who cannot be there, and a neighbour solicitation in our own name: answered, not remembered", async () => {
  const replay = await begin();
  for (const source of ["192.168.7.7", "10.0.2.77"]) assert.equal(replay.receive("out", arp(1, "out", source, mac(1), "10.0.1.100")).length, 1);
  for (const [source, hardware] of [["fd00:1::1", "020000000199"], ["fd00:9::9", "020000000199"], ["fd00:1::9", "ffffffffffff"]] as const) {
    const target = "fd00:1::100";
    const option = Buffer.from(`0101${hardware}`, "hex");
    const payload = icmpMessage(source, target, 135, 0, 0, Buffer.concat([addressBytes(target), option]));
    assert.equal(replay.receive("out", fromClient(ipPacket({ source, target, protocol: ICMP6, ttl: 255, payload }))).length, 1);
  }
  assert.deepEqual(await neighborsOf(replay), []);
});

test("SYNs from everywhere: the table is full, the others are counted, and a connection that is there is served", async () => {
  const replay = await begin();
  connect(replay);
  for (let n = 0; n < FLOOD; n++) replay.receive("out", fromClient(segment({ ...ENDS, source: stranger(n), sourcePort: 1024 + (n % 60000) }, SYN)));
  assertServed(replay);
  const counted = drops(replay)["ConnectionTableFull"] ?? 0n;
  assert.ok(counted >= BigInt(FLOOD) - 1023n, `${counted} counted`);
  replay.advance(61);
  assertServed(replay);
  assert.equal(replay.receive("out", fromClient(segment({ ...ENDS, sourcePort: 4001 }, SYN))).length, 1, "a minute later there is room again");
});

test("first pieces without end: the oldest makes room and is counted, and a datagram that is all there is served", async () => {
  const replay = await begin();
  connect(replay);
  const lonely = (n: number): Buffer => fromClient(fragment(
    { source: stranger(n), target: "10.0.1.100", protocol: UDP, id: n & 0xffff, payload: Buffer.alloc(0) },
    { offset: 0, bytes: Buffer.alloc(1400), more: true },
  ));
  for (let n = 0; n < FLOOD; n++) assert.equal(replay.receive("out", lonely(n)).length, 0);
  assert.equal(drops(replay)["ReassemblyFull"], BigInt(FLOOD - REASSEMBLIES_MAX));
  assertServed(replay);
  const ends = { ...ENDS, targetPort: 53 };
  const whole = udpDatagram(ends, Buffer.alloc(2000));
  const packet = { ...ends, protocol: UDP, id: 7, payload: Buffer.alloc(0) };
  assert.equal(replay.receive("out", fromClient(fragment(packet, { offset: 0, bytes: whole.subarray(0, 1400), more: true }))).length, 0);
  assert.equal(replay.receive("out", fromClient(fragment(packet, { offset: 1400, bytes: whole.subarray(1400), more: false }))).length, 2);
});

test("packets to nobody, closed ports and unknown protocols: an answer to each at most, none to answers", async () => {
  const replay = await begin();
  connect(replay);
  const about = segment(ENDS, ACK);
  for (let n = 0; n < FLOOD; n++) {
    const source = "10.0.1.50";
    const kinds = [
      segment({ ...ENDS, targetPort: 1 + (n % 70) }, SYN),
      ipPacket({ ...ENDS, protocol: UDP, payload: udpDatagram({ ...ENDS, targetPort: 99 }, Buffer.alloc(8)) }),
      ipPacket({ ...ENDS, protocol: 200, payload: Buffer.alloc(8) }),
      ipPacket({ ...ENDS, protocol: ICMP, payload: icmpMessage(source, ENDS.target, 3, 1, 0, about.subarray(0, n % 40)) }),
      ipPacket({ ...ENDS, protocol: ICMP, payload: icmpMessage(source, ENDS.target, 8, 0, n, Buffer.alloc(56)) }),
      segment({ ...ENDS, target: "10.0.9.9" }, SYN),
    ];
    const frame = fromClient(kinds[n % kinds.length] as Buffer);
    const sent = replay.receive("out", frame);
    assert.ok(
      sent.length <= 1 && sent.every((one) => one.bytes.length <= 2 * frame.length),
      `${sent.length} frames of ${sent[0]?.bytes.length} bytes for one of ${frame.length}`,
    );
  }
  assertServed(replay);
});
