// Every frame of a real kernel's IPVS, input by input, against the release Wasm.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { gunzipSync } from "node:zlib";
import { Engine } from "../../host/engine/engine.js";
import { buildTopology, IN, OUT } from "./topology.js";
import { runCommand } from "./rules.js";

const root = new URL("../../../", import.meta.url);
const SLOT_HEADROOM = 66;

interface Event { ev: string; gt: number; if?: string; hex?: string; cmd?: string }

/** Blanks what nobody can predict: the identifications that are chosen by the director itself. */
function masked(hex: string): string {
  const frame = Buffer.from(hex, "hex");
  if (frame.readUInt16BE(12) === 0x0800) {
    const source = frame.subarray(26, 30).join(".");
    const own = source === "10.0.1.1" || source === "10.0.2.1" || (frame[23] === 1 && source === "10.0.1.100" && frame[22] === 64);
    if (own) frame.fill(0, 18, 20).fill(0, 24, 26);
    // GUE's source port is a hash with a secret of the boot; its checksum follows.
    if (own && frame[23] === 17) frame.fill(0, 34, 36).fill(0, 40, 42);
  }
  const outer6 = frame.readUInt16BE(12) === 0x86dd && frame[20] === 17 && frame.subarray(22, 38).toString("hex");
  if (outer6 === "fd000002000000000000000000000001") frame.fill(0, 54, 56).fill(0, 60, 62);
  // The fragment header's identification: chosen anew by the kernel after reassembly.
  if (frame.readUInt16BE(12) === 0x86dd && frame[20] === 44) frame.fill(0, 58, 62);
  return frame.toString("hex");
}

/**
 * Where the engine does what is right for the user and this kernel does not, by recording and event.
 * An ICMPv6 error of a NAT real server: the kernel drops it, because it checks the checksum without
 * the pseudo-header when the network card did not; the client needs to hear of it.
 */
const WANTED: Record<string, number[]> = { ipv6_nat: [25] };

async function replay(name: string): Promise<string[]> {
  const module = await WebAssembly.compile(readFileSync(new URL("build/engine.wasm", root)));
  const engine = await Engine.create({ module, arenaBytes: 65536 });
  buildTopology(engine);
  const text = gunzipSync(readFileSync(new URL(`tests/oracle/recordings/${name}.jsonl.gz`, root))).toString();
  const events = text.trim().split("\n").map((line) => JSON.parse(line) as Event);
  const differences: string[] = [];
  const frames = (count: number): string[] => Array.from({ length: count }, (_, i) => {
    const sent = engine.sent(i);
    return `${sent.port === OUT ? "out" : "in"} ${masked(Buffer.from(engine.bytes.slice(sent.frame, sent.frame + sent.bytes)).toString("hex"))}`;
  });
  for (const [index, event] of events.entries()) {
    if (event.ev === "cmd") runCommand(engine, event.cmd ?? "");
    if (event.ev !== "in") continue;
    const nowMs = Math.floor(event.gt * 1000);
    engine.tick(nowMs);
    const input = Buffer.from(event.hex ?? "", "hex");
    const frame = engine.arenaBase + SLOT_HEADROOM;
    engine.bytes.set(input, frame);
    engine.enter(0, frame, input.length, event.if === "out" ? OUT : IN);
    const got = frames(engine.receive(1, nowMs)).sort();
    const expected: string[] = [];
    for (let at = index + 1; at < events.length && !["in", "end"].includes(events[at]?.ev ?? ""); at++) {
      const output = events[at];
      if (output?.ev === "out") expected.push(`${output.if} ${masked(output.hex ?? "")}`);
    }
    expected.sort();
    if (WANTED[name]?.includes(index)) {
      assert.equal(expected.length, 0, "the kernel was silent");
      assert.equal(got.length, 1, "the client is told");
      continue;
    }
    if (got.join() !== expected.join()) {
      differences.push(`event ${index}: ${event.if} ${event.hex}\n  kernel ${expected.join("\n         ")}\n  engine ${got.join("\n         ")}`);
    }
  }
  return differences;
}

for (const name of ["nat_tcp", "dr", "tun_ipip", "udp_icmp", "ipv6_nat", "tun_gre", "tun_gue", "ftp"]) {
  test(`recording ${name}: every frame as the kernel's`, async () => {
    const differences = await replay(name);
    assert.equal(differences.length, 0, `${differences.length} inputs differ:\n${differences.slice(0, 6).join("\n")}`);
  });
}
