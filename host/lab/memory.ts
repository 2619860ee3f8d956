// The story in memory: real frames through the engine between simulated hosts. No device, no privilege.

import type { ForwardName } from "../protocol.js";
import { loadEngine } from "../load.js";
import type { Method } from "./addresses.js";
import { buildTcp, describe, isIntact, macOf } from "./frames.js";
import { CLIENT_MAC, CLIENT_SIDE, DIRECTOR_INNER_MAC, DIRECTOR_MAC, Lab, SERVER_SIDE, type LabPlan } from "./lab.js";

const FORWARDS: Record<Method, ForwardName> = { nat: "masq", tun: "tunnel", dr: "route", local: "local" };
const SYN = 0x02;
const SYN_ACK = 0x12;
const CONNECTIONS = 6;

function planFor(method: Method): LabPlan {
  const forward = FORWARDS[method];
  const serverPort = forward === "masq" ? 8080 : 80;
  return {
    clients: { prefix: "10.0.1.1/24", address: "10.0.1.50", mac: CLIENT_MAC },
    virtual: { address: "10.0.1.100", port: 80 },
    inner: "10.0.2.1/24",
    servers: [1, 2, 3].map((n) => ({ address: `10.0.2.${10 + n}`, port: serverPort, weight: n, mac: `02:00:00:00:02:0${n}` })),
    forward,
    scheduler: "wrr",
  };
}

/** Tells it; true when every packet came out right. */
export async function tellInMemory(method: Method, say: (text: string) => void): Promise<boolean> {
  const plan = planFor(method);
  const lab = await Lab.create(await loadEngine(), plan);
  say(`Virtual service ${plan.virtual.address}:${plan.virtual.port} (${plan.scheduler}), in memory, no device:`);
  for (const server of plan.servers) say(`  -> ${server.address}:${server.port} weight ${server.weight}`);
  let wrong = 0;
  for (let n = 0; n < CONNECTIONS; n++) if (!connect(lab, plan, n, say)) wrong++;
  say(`\n${CONNECTIONS} connections, ${wrong} wrong.`);
  return wrong === 0;
}

function connect(lab: Lab, plan: LabPlan, n: number, say: (text: string) => void): boolean {
  const port = 40000 + n;
  const request = buildTcp({ macTo: DIRECTOR_MAC, macFrom: CLIENT_MAC, source: plan.clients.address, sourcePort: port,
    target: plan.virtual.address, targetPort: plan.virtual.port, flags: SYN });
  const [out] = lab.send(CLIENT_SIDE, request, 1000 + n);
  if (!out) {
    say(`client ${port}: not forwarded`);
    return false;
  }
  say(`\nin   ${describe(request)}`);
  if (plan.forward === "local") {
    // Nobody listens in memory: the director's own stack refuses, which a client sees as from the VIP.
    say(`out  ${describe(out.bytes)}   refused by the director itself`);
    return isIntact(out.bytes);
  }
  const chosen = plan.servers.find((server) => server.mac === macOf(out.bytes));
  if (!chosen) return false;
  say(`     ${describe(out.bytes)}   to ${macOf(out.bytes)} (${chosen.address})`);
  if (plan.forward === "tunnel") return true;
  if (!isIntact(out.bytes)) return false;
  if (plan.forward !== "masq") return true;
  const reply = buildTcp({ macTo: DIRECTOR_INNER_MAC, macFrom: chosen.mac, source: chosen.address, sourcePort: chosen.port,
    target: plan.clients.address, targetPort: port, flags: SYN_ACK });
  const [back] = lab.send(SERVER_SIDE, reply, 1000 + n);
  say(`out  ${describe(reply)}`);
  say(`     ${back ? describe(back.bytes) : "not forwarded"}`);
  return back !== undefined && isIntact(back.bytes);
}
