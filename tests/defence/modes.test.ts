// The three defences' modes: what turns them on and off by themselves, and what they then do.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { ControlError, Sysctl } from "../../assembly/abi/enums.js";
import { Records } from "../../host/engine/records.js";
import { setSysctl } from "../../host/engine/requests.js";
import { Farm } from "../oracle/farm.js";

const module = await WebAssembly.compile(readFileSync(new URL("../../engine.wasm", import.meta.url)));
/** The smallest table: 1023 connections, of which half are the most that amemthresh can ask for. */
const BUCKET_BITS = 8;
const SECOND_MS = 1000;
const MODES = [Sysctl.DropEntry, Sysctl.DropPacket, Sysctl.SecureTcp];

function client(k: number): string {
  return `198.18.${k >> 8}.${k & 255}`;
}

class Siege {
  private opened = 0;
  private constructor(readonly farm: Farm, private readonly records: Records) {}

  static async begin(settings: Partial<Record<Sysctl, number>>): Promise<Siege> {
    const farm = await Farm.create(module, { scheduler: "rr", weights: [1, 1], bucketBits: BUCKET_BITS });
    const siege = new Siege(farm, new Records(farm.engine.memory));
    for (const [name, value] of Object.entries(settings)) assert.equal(siege.set(Number(name), value), 0);
    return siege;
  }

  set(name: Sysctl, value: number): number {
    return setSysctl(this.farm.engine, name, value);
  }

  mode(name: Sysctl): number {
    const key = Sysctl[name]?.replace(/(?<!^)([A-Z])/g, "_$1").toLowerCase() ?? "";
    return Number(this.records.sysctls()[key] ?? -1);
  }

  get used(): number {
    return this.records.connectionsUsed;
  }

  /** So many SYNs of new clients; answers which of them were shed, by their place. */
  knock(count: number): number[] {
    const shed: number[] = [];
    for (let k = 0; k < count; k++) if (this.farm.open(client(this.opened++)) === undefined) shed.push(k);
    return shed;
  }

  pass(seconds: number): void {
    for (let left = seconds * 10; left > 0; left--) this.farm.engine.tick(this.farm.nowMs += SECOND_MS / 10);
  }
}

for (const name of MODES) {
  test(`${Sysctl[name]}: 1 arms itself when connections get scarce, 2 stands down when they no longer are`, async () => {
    const siege = await Siege.begin({ [Sysctl.Amemthresh]: 500, [name]: 1 });
    siege.knock(400);
    siege.pass(2);
    assert.equal(siege.mode(name), 1, "623 are free");
    siege.knock(200);
    siege.pass(2);
    assert.equal(siege.mode(name), 2, "fewer than 500 are free");
    siege.pass(62); // the half-open ones end
    assert.equal(siege.used, 0);
    siege.pass(2);
    assert.equal(siege.mode(name), 1);
  });

  test(`${Sysctl[name]}: 2 with enough free is 1 at once, 0 and 3 stay, 4 is refused`, async () => {
    const siege = await Siege.begin({});
    for (const [value, becomes] of [[2, 1], [3, 3], [0, 0]] as const) {
      assert.equal(siege.set(name, value), 0);
      assert.equal(siege.mode(name), becomes);
      siege.pass(2);
      assert.equal(siege.mode(name), becomes);
    }
    assert.equal(siege.set(name, 4), ControlError.Invalid);
    assert.equal(siege.mode(name), 0);
  });
}

test("drop_packet 3 sheds the first and then every am_droprate-th packet that would open a connection", async () => {
  const siege = await Siege.begin({ [Sysctl.AmDroprate]: 4, [Sysctl.DropPacket]: 3 });
  assert.deepEqual(siege.knock(13), [0, 4, 8, 12]);
  assert.equal(siege.set(Sysctl.AmDroprate, 0), 0);
  siege.pass(1);
  assert.deepEqual(siege.knock(13), [], "a rate of 0 sheds nothing");
});

test("drop_packet 1 sheds more the less is free: one of amemthresh / (amemthresh - free)", async () => {
  const siege = await Siege.begin({ [Sysctl.Amemthresh]: 400, [Sysctl.DropPacket]: 1 });
  siege.knock(723); // 300 of 1023 stay free
  assert.deepEqual(siege.knock(4), [], "decided only each second");
  siege.pass(1);
  // 296 free: 400 / 104 is 3, and the count begins anew with each decision.
  assert.deepEqual(siege.knock(9), [2, 5, 8]);
});

test("secure_tcp on: the server's SYN and ACK lead to SYNACK", async () => {
  const siege = await Siege.begin({ [Sysctl.SecureTcp]: 3 });
  const { farm } = siege;
  const state = (): string => new Records(farm.engine.memory).connections()[0]?.state ?? "";
  farm.open("10.0.1.50", 40000);
  assert.equal(state(), "SYN_RECV");
  farm.fromServer(2, "10.0.1.50", 40000, 0x12);
  assert.equal(state(), "SYNACK");
});
