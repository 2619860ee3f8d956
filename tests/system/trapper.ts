// A director whose memory goes bad: the pump over a TAP in a namespace, and a request to spoil the place of
// one connection in its table. The next packet that is looked up there traps, as a real fault would.
//
//   node trapper.js TAP IMAGE MAC ADDRESS/BITS VIRTUAL SERVER
//
// Reads lines "spoil" and "stop"; writes JSON lines: ready, spoilt, trap, failure.

import { createInterface } from "node:readline";
import {
  BUCKET_BYTES, BUCKET_INDICES, BUCKET_PLACES, CONNECTION_BYTES, CONTROL_BASE, CONTROL_BUCKET_BITS, CONTROL_TABLE_BASE,
} from "../../assembly/abi/layout.js";
import { Operation, PortFlag } from "../../assembly/abi/enums.js";
import { Engine } from "../../host/engine/engine.js";
import { addLocal, addService, setPort, setServer } from "../../host/engine/requests.js";
import { openTap } from "../../host/io/sys/tun.js";
import { loadEngine } from "../../host/load.js";
import { Pump } from "../../host/pump/pump.js";
import { ARENA_BYTES } from "../../host/io/slots.js";
import type { ServiceSpec } from "../../host/protocol.js";

const PORT = 1;
const ECHO_PORT = 7000;
const [, , tap = "", imagePath = "", mac = "", address = "", virtual = "", server = ""] = process.argv;
const say = (message: object): boolean => process.stdout.write(`${JSON.stringify(message)}\n`);

const module = await loadEngine();
const engine = await Engine.create({ module, bucketBits: 8, arenaBytes: ARENA_BYTES });
setPort(engine, PORT, mac, 1500, PortFlag.Up | PortFlag.Vnet | PortFlag.Segments);
addLocal(engine, PORT, address);
addLocal(engine, PORT, `${virtual}/32`);
const service: ServiceSpec = {
  protocol: "udp", family: 4, address: virtual, port: ECHO_PORT, fwmark: 0, scheduler: "rr", schedulerFlags: 0,
  persistent: false, timeoutSeconds: 0, netmask: "255.255.255.255", persistenceEngine: "", onePacket: false,
};
addService(engine, service);
setServer(engine, Operation.ServerAdd, service, {
  family: 4, address: server, port: ECHO_PORT, forward: "route", weight: 1, upperThreshold: 0, lowerThreshold: 0,
  tunnel: "ipip", tunnelPort: 0, tunnelFlags: 0,
});

/** Gives every taken place of the table an index far outside of the memory; answers how many there were. */
function spoil(): number {
  const buckets = engine.view.getUint32(CONTROL_BASE + CONTROL_TABLE_BASE, true);
  const count = 2 ** engine.view.getUint32(CONTROL_BASE + CONTROL_BUCKET_BITS, true);
  const wild = Math.floor((0xfff00000 - buckets - count * BUCKET_BYTES) / CONNECTION_BYTES);
  let spoilt = 0;
  for (let bucket = buckets; bucket < buckets + count * BUCKET_BYTES; bucket += BUCKET_BYTES) {
    for (let place = 0; place < BUCKET_PLACES; place++) {
      if (engine.view.getUint16(bucket + place * 2, true) === 0) continue;
      engine.view.setUint32(bucket + BUCKET_INDICES + place * 4, wild, true);
      spoilt++;
    }
  }
  return spoilt;
}

const descriptor = openTap(tap, { vnetHeader: true, offloads: true });
const pump = new Pump({
  module, memory: engine.memory, ports: [{ index: PORT, name: tap, descriptor }], imagePath, driver: "auto",
  onTrap: (report) => void say({ trap: report }),
  onFailure: (reason) => {
    say({ failure: reason });
    process.exit(1);
  },
});
await pump.start();
createInterface({ input: process.stdin }).on("line", (line) => {
  if (line === "spoil") say({ spoilt: spoil() });
  else void pump.stop().then(() => process.exit(0));
}).on("close", () => process.exit(0));
say({ ready: true });
