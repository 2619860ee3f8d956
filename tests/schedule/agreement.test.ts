// Two directors must choose alike without speaking: mh and sh of IPv6 against a second, plain implementation.
// For IPv4 the kernel's recording is the judge; this one is held to the same engine tables first.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { Operation } from "../../assembly/abi/enums.js";
import { SERVICES_BASE, SERVICE_BYTES, SERVICE_SLAB, SLABS_BASE, SLAB_BYTES, SLOT_HEADROOM } from "../../assembly/abi/layout.js";
import { parseAddress } from "../../host/engine/address.js";
import { Engine } from "../../host/engine/engine.js";
import { addService, setServer } from "../../host/engine/requests.js";
import type { ServiceSpec } from "../../host/protocol.js";
import { applyRecordedNetwork, IN, OUT, readRecording } from "../oracle/recording.js";

const module = await WebAssembly.compile(readFileSync(new URL("../../engine.wasm", import.meta.url)));
const PLACES = 4093;
const KEY_PLACE = 2654435761n;
const KEY_STEP = 2654446892n;

const u64 = (value: bigint): bigint => BigInt.asUintN(64, value);
const rotate = (value: bigint, bits: bigint): bigint => u64((value << bits) | (value >> (64n - bits)));

/** SipHash-1-3 of four bytes, as its paper has it, with a state of four named words. */
function siphash13(word: number, key: bigint): number {
  const v = { a: key ^ 0x736f6d6570736575n, b: key ^ 0x646f72616e646f6dn, c: key ^ 0x6c7967656e657261n, d: key ^ 0x7465646279746573n };
  const round = (): void => {
    v.a = u64(v.a + v.b); v.c = u64(v.c + v.d);
    v.b = rotate(v.b, 13n) ^ v.a; v.d = rotate(v.d, 16n) ^ v.c;
    v.a = rotate(v.a, 32n);
    v.c = u64(v.c + v.b); v.a = u64(v.a + v.d);
    v.b = rotate(v.b, 17n) ^ v.c; v.d = rotate(v.d, 21n) ^ v.a;
    v.c = rotate(v.c, 32n);
  };
  const block = (4n << 56n) | BigInt(word);
  v.d ^= block;
  round();
  v.a ^= block;
  v.c ^= 0xffn;
  for (let turn = 0; turn < 3; turn++) round();
  return Number(BigInt.asUintN(32, v.a ^ v.b ^ v.c ^ v.d));
}

/** IPv4 as its word, IPv6 as the exclusive or of its four, most significant byte first. */
function fold(text: string): number {
  const address = parseAddress(text);
  if (!address) throw new RangeError(text);
  const view = new DataView(address.bytes.buffer);
  const words = address.family === 4 ? [12] : [0, 4, 8, 12];
  return words.reduce((sum, at) => sum ^ view.getUint32(at), 0) >>> 0;
}

/** The Maglev table of servers of equal weight, newest first; entries are indices from 1. */
function maglevTable(servers: { address: string; port: number }[]): number[] {
  const table = Array<number>(PLACES).fill(0);
  const orders = servers.map(({ address, port }) => {
    const word = (fold(address) + port) >>> 0;
    return { next: siphash13(word, KEY_PLACE) % PLACES, step: (siphash13(word, KEY_STEP) % (PLACES - 1)) + 1 };
  });
  for (let filled = 0; filled < PLACES; filled++) {
    const index = servers.length - 1 - (filled % servers.length);
    const order = orders[index];
    if (!order) throw new Error("no such server");
    while (table[order.next] !== 0) order.next = (order.next + order.step) % PLACES;
    table[order.next] = index + 1;
  }
  return table;
}

const FAMILIES = {
  4: { virtual: "10.0.1.100", servers: ["10.0.2.11", "10.0.2.12", "10.0.2.13", "10.0.2.14"], netmask: "255.255.255.255" },
  6: { virtual: "fd00:1::100", servers: ["fd00:2::11", "fd00:2::12", "fd00:2::13", "fd00:2::14"], netmask: "128" },
};

async function director(family: 4 | 6, scheduler: string, schedulerFlags: number): Promise<Engine> {
  const { virtual, servers, netmask } = FAMILIES[family];
  const engine = await Engine.create({ module, arenaBytes: 65536 });
  await applyRecordedNetwork(engine);
  const service: ServiceSpec = {
    protocol: "tcp", family, address: virtual, port: 80, fwmark: 0, scheduler, schedulerFlags, persistent: false,
    timeoutSeconds: 0, netmask, persistenceEngine: "", onePacket: false,
  };
  assert.equal(addService(engine, service), 1);
  for (const address of servers) {
    setServer(engine, Operation.ServerAdd, service, {
      family, address, port: 8080, forward: "masq", weight: 1, upperThreshold: 0, lowerThreshold: 0, tunnel: "ipip",
      tunnelPort: 0, tunnelFlags: 0,
    });
  }
  return engine;
}

function slabAt(engine: Engine): number {
  return SLABS_BASE + engine.view.getUint32(SERVICES_BASE + SERVICE_BYTES + SERVICE_SLAB, true) * SLAB_BYTES;
}

/** mh keeps servers in 16 bits, sh in 32. */
const maglevSlab = (engine: Engine): number[] =>
  Array.from({ length: PLACES }, (_, place) => engine.view.getUint16(slabAt(engine) + 2 * place, true));
const sourceSlab = (engine: Engine): number[] => Array.from({ length: 256 }, (_, place) => engine.view.getUint32(slabAt(engine) + 4 * place, true));

for (const family of [4, 6] as const) {
  test(`mh: the table of IPv${family} servers, place by place`, async () => {
    const servers = FAMILIES[family].servers.map((address) => ({ address, port: 8080 }));
    assert.deepEqual(maglevSlab(await director(family, "mh", 0)), maglevTable(servers));
  });
}

/** A recorded IPv6 SYN to the virtual address, from another client and port. */
function syn6(client: string, port: number): Buffer {
  const frames = readRecording("ipv6_nat").filter((event) => event.ev === "in").map((event) => Buffer.from(event.hex ?? "", "hex"));
  const isSyn = (frame: Buffer): boolean => frame[20] === 6 && frame[67] === 2;
  const frame = Buffer.from(frames.find(isSyn) ?? []);
  frame.set(parseAddress(client)?.bytes ?? [], 22);
  frame.writeUInt16BE(port, 54);
  return frame;
}

function choose(engine: Engine, bytes: Uint8Array, nowMs: number): number {
  const frame = engine.arenaBase + SLOT_HEADROOM;
  engine.bytes.set(bytes, frame);
  engine.enter(0, frame, bytes.length, OUT);
  assert.equal(engine.receive(1, nowMs), 1);
  const sent = engine.sent(0);
  assert.equal(sent.port, IN);
  return (engine.bytes[sent.frame + 53] ?? 0) - 0x10;
}

const GOLDEN = 0x61c88647;
const PORT_FLAG = 16;

for (const withPort of [false, true]) {
  const name = withPort ? "address and port" : "address";
  test(`mh and sh: IPv6 clients by ${name}`, async () => {
    const engines = { mh: await director(6, "mh", withPort ? PORT_FLAG : 0), sh: await director(6, "sh", withPort ? PORT_FLAG : 0) };
    const tables = { mh: maglevSlab(engines.mh), sh: sourceSlab(engines.sh) };
    for (let k = 0; k < 60; k++) {
      const client = `fd00:1::${(k * 977 + 0x1000).toString(16)}:${(k + 1).toString(16)}`;
      const port = 20000 + 37 * k;
      const word = (fold(client) + (withPort ? port : 0)) >>> 0;
      const places = { mh: siphash13(word, KEY_PLACE) % PLACES, sh: Math.imul(word, GOLDEN) >>> 24 };
      assert.equal(choose(engines.mh, syn6(client, port), 1000 + k), tables.mh[places.mh], `mh ${client}`);
      assert.equal(choose(engines.sh, syn6(client, port), 1000 + k), tables.sh[places.sh], `sh ${client}`);
    }
  });
}
