// A director whose memory goes bad: the pump over a TAP in a namespace, and a request to spoil the place of
// one connection in its table. The next packet that is looked up there traps, as a real fault would.
//
//   node trapper.js TAP IMAGE MAC ADDRESS/BITS VIRTUAL SERVER [WORKERS]
//
// Reads lines and writes JSON lines: ready, trap, failure, and what each line is answered by.
//   owners          which client's ports are whose, by worker
//   spoil WORKER    makes every connection of a worker point far outside of the memory
//   break, heal     does so to what a new connection's server is chosen by, which is under the lock
//   request         edits a server, as an operator would
//   stop

import { createInterface } from "node:readline";
import {
  BUCKET_BYTES, BUCKET_INDICES, BUCKET_PLACES, CONNECTION_BYTES, CONNECTION_CLIENT_PORT, CONTROL_BASE, CONTROL_BUCKET_BITS, CONTROL_TABLE_BASE,
  SERVERS_BASE, SERVER_BYTES, SERVICES_BASE, SERVICE_BYTES, SERVICE_CURSOR, SHARD_BYTES,
} from "../../assembly/abi/layout.js";
import { Operation, PortFlag } from "../../assembly/abi/enums.js";
import { Engine } from "../../host/engine/engine.js";
import { addLocal, addService, setPort, setServer } from "../../host/engine/requests.js";
import { openTap } from "../../host/io/sys/tun.js";
import { loadEngine } from "../../host/load.js";
import { Pump } from "../../host/pump/pump.js";
import { ARENA_BYTES } from "../../host/io/slots.js";
import type { ServerSpec, ServiceSpec } from "../../host/protocol.js";

const PORT = 1;
const ECHO_PORT = 7000;
const [, , tap = "", imagePath = "", mac = "", address = "", virtual = "", server = "", count = "1"] = process.argv;
const workers = Number(count);
const say = (message: object): boolean => process.stdout.write(`${JSON.stringify(message)}\n`);

const module = await loadEngine();
const engine = await Engine.create({ module, bucketBits: 8, workers, arenaBytes: workers * ARENA_BYTES });
setPort(engine, PORT, mac, 1500, PortFlag.Up | PortFlag.Vnet | PortFlag.Segments);
addLocal(engine, PORT, address);
addLocal(engine, PORT, `${virtual}/32`);
const service: ServiceSpec = {
  protocol: "udp", family: 4, address: virtual, port: ECHO_PORT, fwmark: 0, scheduler: "rr", schedulerFlags: 0,
  persistent: false, timeoutSeconds: 0, netmask: "255.255.255.255", persistenceEngine: "", onePacket: false,
};
addService(engine, service);
const echo: ServerSpec = {
  family: 4, address: server, port: ECHO_PORT, forward: "route", weight: 1, upperThreshold: 0, lowerThreshold: 0,
  tunnel: "ipip", tunnelPort: 0, tunnelFlags: 0,
};
setServer(engine, Operation.ServerAdd, service, echo);

const buckets = 2 ** engine.view.getUint32(CONTROL_BASE + CONTROL_BUCKET_BITS, true);
const OUTSIDE_FROM = 0xfff00000;
const CURSOR = SERVICES_BASE + SERVICE_BYTES + SERVICE_CURSOR;

/** Where the places in use of a worker's table have their connections' indices. */
function* places(worker: number): Generator<{ at: number; table: number }> {
  const table = engine.view.getUint32(CONTROL_BASE + CONTROL_TABLE_BASE, true) + worker * buckets * SHARD_BYTES;
  for (let bucket = table; bucket < table + buckets * BUCKET_BYTES; bucket += BUCKET_BYTES) {
    for (let place = 0; place < BUCKET_PLACES; place++) {
      if (engine.view.getUint16(bucket + place * 2, true) !== 0) yield { at: bucket + BUCKET_INDICES + place * 4, table };
    }
  }
}

/** Gives every taken place of a worker's table an index far outside of the memory; answers how many there were. */
function spoil(worker: number): number {
  let spoilt = 0;
  for (const { at, table } of places(worker)) {
    engine.view.setUint32(at, Math.floor((OUTSIDE_FROM - table - buckets * BUCKET_BYTES) / CONNECTION_BYTES), true);
    spoilt++;
  }
  return spoilt;
}

function ownedBy(worker: number): number[] {
  return [...places(worker)].map(({ at, table }) =>
    engine.view.getUint16(table + buckets * BUCKET_BYTES + engine.view.getUint32(at, true) * CONNECTION_BYTES + CONNECTION_CLIENT_PORT));
}

function setCursor(server: number): number {
  engine.view.setUint32(CURSOR, server, true);
  return server;
}

async function answer(line: string): Promise<object> {
  const [word, worker] = line.split(" ");
  switch (word) {
    case "owners": return { owners: Array.from({ length: workers }, (_, index) => ownedBy(index)) };
    case "spoil": return { spoilt: spoil(Number(worker)) };
    case "break": return { cursor: setCursor(Math.floor((OUTSIDE_FROM - SERVERS_BASE) / SERVER_BYTES)) };
    case "heal": return { cursor: setCursor(0) };
    case "request": return { code: await setServer(pump, Operation.ServerEdit, service, { ...echo, weight: 2 }) };
    default:
      await pump.stop();
      return process.exit(0);
  }
}

const queues = Array.from({ length: workers }, () => [{
  index: PORT, name: tap, descriptor: openTap(tap, { vnetHeader: true, offloads: true, multiQueue: workers > 1 }),
}]);
const [ports = [], ...others] = queues;
const pump = new Pump({
  module, memory: engine.memory, ports, queues: others, imagePath, driver: "auto",
  onTrap: (report) => void say({ trap: report }),
  onFailure: (reason) => {
    say({ failure: reason });
    process.exit(1);
  },
});
await pump.start();
createInterface({ input: process.stdin }).on("line", (line) => void answer(line).then(say)).on("close", () => process.exit(0));
say({ ready: true });
