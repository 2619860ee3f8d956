// The parts of the driver afxdp that need no NIC: the assembler, unfinished checksums, chunks, what lvsd check says.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { WORKERS_MAX } from "../../assembly/abi/limits.js";
import { NO_NAMES } from "../../host/cli/context.js";
import { readConfig } from "../../host/config/config.js";
import { missingGateways } from "../../host/daemon/gateways.js";
import { ConfigError } from "../../host/config/locator.js";
import { countQueuesEach, queueEachMost } from "../../host/daemon/nics.js";
import { countWorkers } from "../../host/daemon/workers.js";
import { partOf, requireQueueEach, type NicPlace } from "../../host/io/nic.js";
import { steeringProgram } from "../../host/io/steering.js";
import { shortcutProgram } from "../../host/io/shortcut.js";
import { Assembler } from "../../host/io/sys/assembler.js";
import { arenaBytesFor, Chunks, chunkBytesFor, NIC_MTU_MAX, SOCKETS_MAX } from "../../host/io/umem.js";
import { ARENA_BYTES } from "../../host/io/slots.js";
import { BulkWatch } from "../../host/io/bulk.js";
import { finishChecksum } from "../../host/io/unfinished.js";

const [JUMP, CALL, EXIT] = [5, 0x85, 0x95];

describe("the assembler", () => {
  it("knows how far each jump goes, forwards and over two-word loads", () => {
    const lines = new Assembler().jumpIfEqual(3, 8, "end").loadMap(1, 7).set(0, 1).label("end").exit().finish();
    assert.deepEqual(lines.map((line) => [line.op, line.target, line.source, line.offset, line.value]), [
      [0x15, 3, 0, 3, 8], [0x18, 1, 1, 0, 7], [0, 0, 0, 0, 0], [0xb7, 0, 0, 0, 1], [0x95, 0, 0, 0, 0]]);
  });

  it("makes the load of each width that RFC 9669 has", () => {
    const ops = new Assembler().load(1, 1, 2, 0).load(2, 1, 2, 0).load(4, 1, 2, 0).load(8, 1, 2, 0).finish().map((line) => line.op);
    assert.deepEqual(ops, [0x71, 0x69, 0x61, 0x79]);
  });

  it("refuses a label that is not there, and one that is there twice", () => {
    assert.throws(() => new Assembler().jump("nowhere").finish(), /no label "nowhere"/);
    assert.throws(() => new Assembler().label("a").label("a"), /two labels "a"/);
  });

  it("ends every way through the programs, and only a gateway compares hardware addresses", () => {
    const plain = steeringProgram({ addresses: 5, sockets: 6, gatewayMac: undefined });
    const gateway = steeringProgram({ addresses: 5, sockets: 6, gatewayMac: Uint8Array.of(2, 0, 0, 0, 1, 1) });
    assert.equal(gateway.length, plain.length + 8);
    const shortcut = shortcutProgram(Uint8Array.of(2, 0, 0, 0, 1, 1), { sockets: 6, flows: 7, emptied: 8 }, 1792);
    for (const program of [plain, gateway, shortcut]) {
      const jumps = program.flatMap((line, at) => ((line.op & 7) === JUMP && line.op !== CALL && line.op !== EXIT ? [at + 1 + line.offset] : []));
      assert.ok(jumps.every((to) => to > 0 && to < program.length));
      assert.equal(program.at(-1)?.op, EXIT);
    }
  });
});

/** An IPv4 or IPv6 frame of TCP or UDP with a checksum as its sender's kernel leaves it for a card. */
function unfinished(family: 4 | 6, protocol: 6 | 17, payloadBytes: number): { view: DataView; bytes: number; field: number; transport: number } {
  const transport = family === 4 ? 34 : 54;
  const transportBytes = (protocol === 6 ? 20 : 8) + payloadBytes;
  const bytes = transport + transportBytes;
  const view = new DataView(new ArrayBuffer((bytes + 64) & ~1));
  for (let at = 0; at < bytes; at++) view.setUint8(at, (at * 37 + 11) & 255);
  view.setUint16(12, family === 4 ? 0x0800 : 0x86dd);
  if (family === 4) {
    view.setUint8(14, 0x45);
    view.setUint16(16, 20 + transportBytes);
    view.setUint16(20, 0x4000);
    view.setUint8(23, protocol);
  } else {
    view.setUint16(18, transportBytes);
    view.setUint8(20, protocol);
  }
  const field = transport + (protocol === 6 ? 16 : 6);
  let sum = protocol + transportBytes;
  for (let at = family === 4 ? 26 : 22; at < transport; at += 2) sum += view.getUint16(at);
  view.setUint16(field, fold(sum));
  return { view, bytes, field, transport };
}

function fold(sum: number): number {
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return sum;
}

/** Whether a checksum had to be finished. */
function finishes({ view, bytes }: { view: DataView; bytes: number }): boolean {
  return finishChecksum({ bytes: new Uint8Array(view.buffer), halves: new Uint16Array(view.buffer) }, 0, bytes);
}

describe("unfinished checksums", () => {
  for (const family of [4, 6] as const) {
    for (const protocol of [6, 17] as const) {
      for (const payloadBytes of [0, 1, 2, 1400]) {
        it(`IPv${family}, protocol ${protocol}, ${payloadBytes} bytes: finished when unfinished, left alone when complete`, () => {
          const packet = unfinished(family, protocol, payloadBytes);
          const { view, bytes, field, transport } = packet;
          let sum = 0;
          for (let at = transport; at < bytes - (payloadBytes & 1); at += 2) sum += view.getUint16(at);
          if (payloadBytes & 1) sum += view.getUint8(bytes - 1) << 8;
          const complete = ~fold(sum) & 0xffff; // the field holds the pseudo-header's sum
          assert.deepEqual([finishes(packet), view.getUint16(field)], [true, complete]);
          assert.deepEqual([finishes(packet), view.getUint16(field)], [false, complete]);
        });
      }
    }
  }

  it("a complete checksum that happens to have the same value is complete", () => {
    const packet = unfinished(4, 6, 4);
    const { view, bytes, field, transport } = packet;
    // The payload's last word makes the whole sum right with the field as it is.
    view.setUint16(bytes - 2, 0);
    let sum = view.getUint16(field);
    for (let at = transport; at < bytes; at += 2) sum += view.getUint16(at);
    view.setUint16(bytes - 2, ~fold(sum) & 0xffff);
    const before = view.getUint16(field);
    assert.deepEqual([finishes(packet), view.getUint16(field)], [false, before]);
  });

  it("a sum of zero is the other zero in UDP, where zero means that there is none", () => {
    for (const [protocol, zero] of [[6, 0], [17, 0xffff]] as const) {
      const packet = unfinished(4, protocol, 4);
      const { view, bytes, field, transport } = packet;
      view.setUint16(bytes - 2, 0);
      let sum = 0;
      for (let at = transport; at < bytes; at += 2) sum += view.getUint16(at);
      view.setUint16(bytes - 2, ~fold(sum) & 0xffff);
      assert.deepEqual([finishes(packet), view.getUint16(field)], [true, zero]);
    }
  });

  it("fragments, other protocols and frames that end too early are left alone", () => {
    const fragment = unfinished(4, 17, 100);
    fragment.view.setUint16(20, 0x2000);
    assert.equal(finishes(fragment), false);
    const other = unfinished(4, 17, 100);
    other.view.setUint8(23, 47);
    assert.equal(finishes(other), false);
    const short = unfinished(4, 17, 100);
    assert.equal(finishes({ ...short, bytes: short.bytes - 1 }), false);
    assert.equal(finishes({ ...short, bytes: 30 }), false);
  });
});

describe("the watch for bulk", () => {
  const frame = (protocol: number): Uint8Array => {
    const bytes = new Uint8Array(64);
    bytes[14] = 0x45;
    bytes[23] = protocol;
    return bytes;
  };
  const [tcp, udp] = [frame(6), frame(17)];
  /** A window of so many frames of each kind. */
  const window = (watch: BulkWatch, nowMs: number, long: number, small = 0, bytes = 1514, memory = tcp): boolean => {
    for (let count = 0; count < long; count++) watch.note(memory, 0, bytes, 1500);
    for (let count = 0; count < small; count++) watch.note(tcp, 0, 66, 1500);
    return watch.hasChanged(nowMs);
  };

  it("long segments of TCP are bulk, one by one or joined; small frames and datagrams are not", () => {
    assert.equal(window(new BulkWatch(), 100, 600, 300), true);
    assert.equal(window(new BulkWatch(), 100, 7, 300, 65226), true);
    assert.equal(window(new BulkWatch(), 100, 0, 9000), false);
    assert.equal(window(new BulkWatch(), 100, 600, 0, 1514, udp), false);
  });

  it("is not impressed by a little of it, nor by what is less than half", () => {
    assert.equal(window(new BulkWatch(), 100, 199), false);
    assert.equal(window(new BulkWatch(), 100, 200), true);
    assert.equal(window(new BulkWatch(), 100, 600, 601), false);
    assert.equal(window(new BulkWatch(), 100, 600, 600), true);
  });

  it("ends a second after the last of it, and may begin again at once", () => {
    const watch = new BulkWatch();
    window(watch, 1000, 600);
    assert.deepEqual([window(watch, 1950, 0), watch.isBulk], [false, true]);
    assert.deepEqual([window(watch, 2000, 0), watch.isBulk], [true, false]);
    assert.deepEqual([window(watch, 2020, 600), watch.isBulk], [true, true]);
  });

  it("looks at whole windows only", () => {
    const watch = new BulkWatch();
    window(watch, 1000, 0);
    assert.equal(window(watch, 1010, 600), false);
    assert.equal(window(watch, 1020, 0), true);
  });
});

describe("chunks", () => {
  it("a chunk is free again only after its last user", () => {
    const chunks = new Chunks(0, 1, 2048);
    const all = chunks.available;
    const at = chunks.take();
    const chunk = chunks.of(at + 256);
    assert.deepEqual([chunks.available, chunks.has(at), chunks.has(at + 2047), chunks.has(chunks.umem.base - 1)], [all - 1, true, true, false]);
    chunks.hold(chunk);
    chunks.release(chunk);
    assert.equal(chunks.available, all - 1);
    chunks.release(chunk);
    assert.equal(chunks.available, all);
  });

  it("lie on pages, behind the slots of TAPs, inside what is asked of the engine's memory", () => {
    const { base, chunks, chunkBytes } = new Chunks(0, 2, 4096).umem;
    assert.ok(base % 4096 === 0 && base > ARENA_BYTES);
    assert.equal(base + chunks * chunkBytes, arenaBytesFor(2, 4096));
    assert.equal(arenaBytesFor(0, 2048), ARENA_BYTES);
  });

  it("are half a page for the usual MTU, a page for the largest", () => {
    assert.deepEqual([chunkBytesFor(1500), chunkBytesFor(1771), chunkBytesFor(NIC_MTU_MAX)], [2048, 4096, 4096]);
  });
});

describe("ports attached by xdp in a configuration", () => {
  const problems = (ports: string, more = ""): string[] => {
    const folder = mkdtempSync(join(tmpdir(), "lvs-config-"));
    const file = join(folder, "c.yaml");
    writeFileSync(file, `${more}ports:\n${ports}\n`);
    try {
      readConfig(file);
      return [];
    } catch (error) {
      assert.ok(error instanceof ConfigError);
      return error.problems.map((line) => line.slice(folder.length + 1));
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  };

  it("is good with all that belongs to it", () => {
    assert.deepEqual(problems("  - { name: out, device: eth0, attach: xdp, mode: native, queues: 2, gateway: true, addresses: [10.0.1.1/24] }"), []);
  });

  it("says what belongs to it alone, and what not to it", () => {
      assert.deepEqual(
        problems('  - { name: out, attach: xdp, mac: "02:00:00:00:00:01" }'),
        ["c.yaml:2: ports[0].mac: with `attach: xdp` a port has its device's own"],
      );
    assert.deepEqual(problems("  - { name: out, gateway: true }"), ["c.yaml:2: ports[0].gateway: is for ports with `attach: xdp`"]);
  });

  it("wants a queue for each worker, and no more than can be served", () => {
    const port = (name: string, more = ""): string => `  - { name: ${name}, device: ${name}, attach: xdp${more} }`;
      assert.deepEqual(
        problems(port("a", ", queues: 1"), "workers: 2\n"),
        ["c.yaml:3: ports[0].queues: is less than the 2 workers, each of which needs a queue of its own"],
      );
    for (const workers of ["auto", 1, 2]) assert.deepEqual(problems(port("a", ", queues: 2"), `workers: ${workers}\n`), []);
    assert.deepEqual(problems(["a", "b"].map((name) => port(name)).join("\n"), "workers: 8\n"), []);
    assert.deepEqual(problems(["a", "b", "c"].map((name) => port(name)).join("\n"), "workers: 6\n"),
      ["c.yaml:1: workers: 6 workers need 18 queues of the ports by AF_XDP, and 16 can be served"]);
  });

  it("refuses what cannot work: host ports, large frames, one NIC twice", () => {
    assert.deepEqual(problems("  - { name: out, device: eth0, attach: xdp, kind: host }"), ["c.yaml:2: ports[0].attach: a host port is a TAP"]);
    assert.match(problems(`  - { name: out, attach: xdp, mtu: ${NIC_MTU_MAX + 1} }`)[0] ?? "", /mtu: is above \d+, the most/);
      assert.deepEqual(
        problems("  - { name: a, device: eth0, attach: xdp }\n  - { name: b, device: eth0, attach: xdp }"),
        ['c.yaml:3: ports[1].device: port "a" has this device'],
      );
  });
});

describe("a port where NAT servers are", () => {
  const warnings = async (rules: readonly string[], inner: string, more = ""): Promise<string[]> => {
    const folder = mkdtempSync(join(tmpdir(), "lvs-gateway-"));
    const file = join(folder, "c.yaml");
      const ports = [
        "ports:",
        '  - { name: out, attach: xdp, addresses: [10.0.1.1/24, 10.0.1.100/32, "fd00:1::1/64"] }',
        `  - { name: in, attach: xdp, ${inner}addresses: [10.0.2.1/23] }`,
      ];
      writeFileSync(file, `${more}${[...ports, "rules:", ...rules.map((rule) => `  - "${rule}"`)].join("\n")}\n`);
    try {
      return (await missingGateways(readConfig(file), NO_NAMES)).map((text) => text.replace(folder, ""));
    } finally {
      rmSync(folder, { recursive: true });
    }
  };
  const [service, masked] = ["-A -t 10.0.1.100:80 -s rr", "-a -t 10.0.1.100:80 -r 10.0.3.11:80 -m"];

  it("is told that it should be a gateway, by the rule's line", async () => {
      assert.deepEqual(
        await warnings([service, masked], ""),
        ["/c.yaml:6: rules[1]: 10.0.3.11 sends its answers to port in, which leaves them to the kernel: give the port `gateway: true`"],
      );
    assert.equal((await warnings([service, "-a -t [fd00:1::100]:80 -r [fd00:1::7]:80 --masquerading"], "")).length, 1);
    assert.equal((await warnings([service, "--add-server -t10.0.1.100:80 --real-server=10.0.3.11:80 -mw3"], "")).length, 1);
  });

  it("is left in peace when it is one, when servers answer past it, and when they are elsewhere", async () => {
    assert.deepEqual(await warnings([service, masked], "gateway: true, "), []);
    assert.deepEqual(await warnings([service, masked.replace("-m", "-g"), masked.replace("-m", "-i")], ""), []);
    assert.deepEqual(await warnings([service, masked.replace("10.0.3.11", "10.0.4.11")], ""), []);
  });

  it("is left in peace by a rule without a method: that is direct routing, whatever is usual in the language of 1999", async () => {
    for (const more of ["", "default-forward: nat\n"]) assert.deepEqual(await warnings([service, masked.replace(" -m", "")], "", more), []);
  });
});

describe("queues and workers", () => {
  const nic = { index: 2, mac: "02:00:00:00:00:01", mtu: 1500, isUp: true, driver: "veth", queues: 2, queuesMost: 8, isCombined: true, served: 2 };
  const options = { name: "eth0", namespacePath: undefined, mode: "auto", queues: undefined, mtu: 1500, isGateway: false } as const;

  it("queues are dealt out: each has one worker, and each worker its own", () => {
    const place = { queues: [0, 1, 2, 3, 4] } as unknown as NicPlace;
    const parts = [0, 1, 2].map((worker) => partOf(place, worker, 3).queues);
    assert.deepEqual(parts, [[0, 3], [1, 4], [2]]);
    assert.deepEqual(partOf(place, 0, 1).queues, place.queues);
  });

  it("the first worker has the most of each NIC", () => {
    const nics = new Map([[1, { ...nic, served: 5 }], [2, { ...nic, served: 3 }]]);
    assert.deepEqual([1, 2, 3].map((workers) => countQueuesEach(nics, workers)), [8, 5, 3]);
  });

  it("as many workers as the NIC with fewest queues has, and as sockets can be served", () => {
    const most = (...served: number[]): number => queueEachMost(new Map(served.map((count, index) => [index, { ...nic, served: count }])));
    assert.deepEqual([most(), most(3), most(4, 2), most(8, 8, 8)], [WORKERS_MAX, 3, 2, Math.floor(SOCKETS_MAX / 3)]);
    assert.equal(countWorkers("auto", 12, 1), 1);
  });

  it("a NIC with too few says how it gets more", () => {
    requireQueueEach(options, nic, 2);
      assert.throws(
        () => requireQueueEach(options, nic, 3),
        /eth0 has 2 queues to serve, and each of 3 workers needs one of its own: `ethtool -L eth0 combined 3`, or take fewer workers/,
      );
    assert.throws(() => requireQueueEach(options, { ...nic, isCombined: false }, 3), /`ethtool -L eth0 rx 3 tx 3`/);
    assert.throws(() => requireQueueEach(options, { ...nic, queuesMost: 2 }, 3), /the card has no more, take fewer workers/);
      assert.throws(
        () => requireQueueEach({ ...options, queues: 1 }, { ...nic, served: 1 }, 2),
        /eth0 has 1 queue to serve, .*: raise `queues`, or take fewer workers/,
      );
  });
});
