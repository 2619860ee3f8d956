// The kernel's connection listings during its FTP recording, entry by entry, against the engine's table.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { gunzipSync } from "node:zlib";
import {
  BUCKET_BYTES, CONNECTION_BYTES, CONNECTION_CLIENT, CONNECTION_CLIENT_PORT, CONNECTION_FLAGS, CONNECTION_LAST_MS,
  CONNECTION_SERVER_ADDRESS, CONNECTION_SERVER_PORT, CONNECTION_STATE, CONNECTION_TIMEOUT_MS, CONNECTION_VIRTUAL,
  CONNECTION_VIRTUAL_PORT, CONTROL_BASE, CONTROL_BUCKET_BITS, CONTROL_TABLE_BASE, STATE_FRESH, WORKER_STATE, WORKERS_BASE,
} from "../../assembly/abi/layout.js";
import { ConnectionFlag, TcpState } from "../../assembly/abi/enums.js";
import { Engine } from "../../host/engine/engine.js";
import { runCommand } from "./rules.js";
import { buildTopology, IN, OUT } from "./topology.js";

const root = new URL("../../../", import.meta.url);
const SLOT_HEADROOM = 66;
/** The recording's clock stands between a frame and the listing after it by less than this. */
const TOLERANCE_SECONDS = 2;

interface Event { ev: string; gt: number; if?: string; hex?: string; cmd?: string; stdout?: string }
interface Listed { entry: string; seconds: number }

function recorded(stdout: string): Listed[] {
  return stdout.split("\n").filter((line) => line.startsWith("TCP")).map((line) => {
    const [, expire = "", state, client, virtual, server] = line.split(/\s+/);
    const [minutes = 0, seconds = 0] = expire.split(":").map(Number);
    return { entry: [state, client, virtual, server].join(" "), seconds: minutes * 60 + seconds };
  });
}

function listed(engine: Engine, nowMs: number): Listed[] {
  const { view } = engine;
  const base = view.getUint32(CONTROL_BASE + CONTROL_TABLE_BASE, true) +
    BUCKET_BYTES * 2 ** view.getUint32(CONTROL_BASE + CONTROL_BUCKET_BITS, true);
  const fresh = view.getUint32(WORKERS_BASE + WORKER_STATE + STATE_FRESH, true);
  const found: Listed[] = [];
  for (let at = base + CONNECTION_BYTES; at < base + fresh * CONNECTION_BYTES; at += CONNECTION_BYTES) {
    if ((view.getUint16(at + CONNECTION_FLAGS, true) & ConnectionFlag.Hashed) === 0) continue;
    const end = (address: number, port: number): string =>
      `${engine.bytes.slice(at + address, at + address + 4).join(".")}:${view.getUint16(at + port)}`;
    const state = TcpState[view.getUint8(at + CONNECTION_STATE)]?.toUpperCase();
    const leftMs = view.getUint32(at + CONNECTION_TIMEOUT_MS, true) - (nowMs - view.getUint32(at + CONNECTION_LAST_MS, true));
    found.push({
      entry: [state, end(CONNECTION_CLIENT, CONNECTION_CLIENT_PORT), end(CONNECTION_VIRTUAL, CONNECTION_VIRTUAL_PORT),
        end(CONNECTION_SERVER_ADDRESS, CONNECTION_SERVER_PORT)].join(" "),
      seconds: leftMs / 1000,
    });
  }
  return found;
}

test("recording ftp: every listing as the kernel's", async () => {
  const module = await WebAssembly.compile(readFileSync(new URL("build/engine.wasm", root)));
  const engine = await Engine.create({ module, arenaBytes: 65536 });
  buildTopology(engine);
  const text = gunzipSync(readFileSync(new URL("tests/oracle/recordings/ftp.jsonl.gz", root))).toString();
  let listings = 0;
  for (const event of text.trim().split("\n").map((line) => JSON.parse(line) as Event)) {
    const nowMs = Math.floor(event.gt * 1000);
    if (event.ev === "cmd" && event.cmd === "ipvsadm -Lnc") {
      listings++;
      const [got, expected] = [listed(engine, nowMs), recorded(event.stdout ?? "")];
      assert.deepEqual(got.map(({ entry }) => entry).sort(), expected.map(({ entry }) => entry).sort(), `listing ${listings}`);
      for (const { entry, seconds } of expected) {
        const own = got.find((item) => item.entry === entry)?.seconds ?? 0;
        assert.ok(Math.abs(own - seconds) <= TOLERANCE_SECONDS, `${entry}: ${own} s left, the kernel has ${seconds}`);
      }
    } else if (event.ev === "cmd") runCommand(engine, event.cmd ?? "");
    if (event.ev !== "in") continue;
    engine.tick(nowMs);
    const frame = engine.arenaBase + SLOT_HEADROOM;
    const input = Buffer.from(event.hex ?? "", "hex");
    engine.bytes.set(input, frame);
    engine.enter(0, frame, input.length, event.if === "out" ? OUT : IN);
    engine.receive(1, nowMs);
  }
  assert.equal(listings, 7);
});
