// npm start: shows, with real frames through the engine, how a packet is rewritten on its way.

import { readFileSync } from "node:fs";
import meow from "meow";
import type { ForwardName } from "../protocol.js";
import { buildTcp, describe, isIntact, macOf } from "./frames.js";
import { CLIENT_MAC, CLIENT_SIDE, DIRECTOR_INNER_MAC, DIRECTOR_MAC, Lab, SERVER_SIDE, type LabPlan } from "./lab.js";

const METHODS: Record<string, ForwardName> = { nat: "masq", tun: "tunnel", dr: "route" };
const SYN = 0x02;
const SYN_ACK = 0x12;
const CONNECTIONS = 6;

const cli = meow(`
  Usage
    $ npm start -- [--method nat|tun|dr]

  Runs in memory: no device, no privilege, nothing is left behind.
`, { importMeta: import.meta, flags: { method: { type: "string", default: "nat" } } });

const forward = METHODS[cli.flags.method];
if (!forward) {
  process.stderr.write(`--method ${cli.flags.method}: choose nat, tun or dr\n`);
  process.exit(2);
}

const serverPort = forward === "masq" ? 8080 : 80;
const plan: LabPlan = {
  clients: { prefix: "10.0.1.1/24", address: "10.0.1.50", mac: CLIENT_MAC },
  virtual: { address: "10.0.1.100", port: 80 },
  inner: "10.0.2.1/24",
  servers: [1, 2, 3].map((n) => ({ address: `10.0.2.${10 + n}`, port: serverPort, weight: n, mac: `02:00:00:00:02:0${n}` })),
  forward,
  scheduler: "wrr",
};

// A reader that has seen enough (head, less) closes the pipe: no reason to complain.
process.stdout.on("error", () => process.exit(0));
const say = (text: string): boolean => process.stdout.write(`${text}\n`);

const module = await WebAssembly.compile(readFileSync(new URL("../../engine.wasm", import.meta.url)));
const lab = await Lab.create(module, plan);
let bad = 0;

say(`Virtual service ${plan.virtual.address}:${plan.virtual.port} (${plan.scheduler}), in memory, no device:`);
for (const server of plan.servers) say(`  -> ${server.address}:${server.port} weight ${server.weight}`);
for (let n = 0; n < CONNECTIONS; n++) {
  const port = 40000 + n;
  const request = buildTcp({ macTo: DIRECTOR_MAC, macFrom: CLIENT_MAC, source: plan.clients.address, sourcePort: port,
    target: plan.virtual.address, targetPort: plan.virtual.port, flags: SYN });
  const [out] = lab.send(CLIENT_SIDE, request, 1000 + n);
  const chosen = out && plan.servers.find((server) => server.mac === macOf(out.bytes));
  if (!out || !chosen) {
    bad++;
    say(`client ${port}: not forwarded`);
    continue;
  }
  say(`\nin   ${describe(request)}`);
  say(`     ${describe(out.bytes)}   to ${macOf(out.bytes)} (${chosen.address})`);
  if (forward === "tunnel") continue;
  if (!isIntact(out.bytes)) bad++;
  if (forward !== "masq") continue;
  const reply = buildTcp({ macTo: DIRECTOR_INNER_MAC, macFrom: chosen.mac, source: chosen.address, sourcePort: chosen.port,
    target: plan.clients.address, targetPort: port, flags: SYN_ACK });
  const [back] = lab.send(SERVER_SIDE, reply, 1000 + n);
  say(`out  ${describe(reply)}`);
  say(`     ${back ? describe(back.bytes) : "not forwarded"}`);
  if (!back || !isIntact(back.bytes)) bad++;
}
say(`\n${CONNECTIONS} connections, ${bad} wrong. lvsd, lvsadm and real devices are not in this version yet (README.md).`);
process.exitCode = bad === 0 ? 0 : 1;
