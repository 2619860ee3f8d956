// Wirings other than the laboratory's usual one, made with the commands that docs/OPERATING.md gives.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { stringify } from "yaml";
import { Client } from "../../host/lab/client.js";
import type { DriverChoice } from "../../host/io/driver.js";
import { Namespace } from "../../host/lab/namespace.js";
import { Network } from "../../host/lab/network.js";
import { Program } from "../../host/lab/program.js";
import { ended } from "../../host/lab/process.js";
import { Lvsd } from "./lvsd.js";
import { makeFolder } from "./rig.js";

export const VIRTUAL = "203.0.113.80";
export const SHARED_VIRTUAL = "10.1.0.80";
/** The director's kernel on the NIC that it shares. */
export const KERNEL_OUT = "10.1.0.2";
const ENGINE = "169.254.7.7";
const KERNEL = "169.254.7.1";
const ENGINE_MAC = "02:00:00:00:07:07";
const HOST_MAC = "02:00:00:00:03:02";

/** A director whose own kernel routes: a client's network on one side, the servers' on the other. */
export interface Routed { client: Namespace; director: Namespace; servers: Namespace[]; lvsd: Lvsd; socketPath: string }

async function make(context: TestContext, role: string): Promise<Namespace> {
  const namespace = await Namespace.create(`lvs-${process.pid}-${role}`);
  context.after(() => namespace.close());
  return namespace;
}

/** A cable from the director's kernel to a host. */
function cable(director: Namespace, host: Namespace, name: string, directorAddress: string, hostAddress: string): void {
  director.ip([`link add name ${name} type veth peer name eth0 netns ${host.pid}`, `link set dev ${name} up`, `addr add ${directorAddress} dev ${name}`]);
  host.ip(["link set dev eth0 up", `addr add ${hostAddress} dev eth0`, `route replace default via ${directorAddress.split("/")[0] ?? ""}`]);
}

async function startLvsd(context: TestContext, namespace: Namespace, fields: object): Promise<{ lvsd: Lvsd; socketPath: string }> {
  const folder = makeFolder(context);
  const socketPath = join(folder, "lvsd.sock");
  writeFileSync(join(folder, "lvsd.yaml"), stringify(fields));
  const lvsd = await Lvsd.start(namespace, ["--config", join(folder, "lvsd.yaml"), "--socket", socketPath]);
  context.after(() => { lvsd.child.kill("SIGTERM"); return ended(lvsd.child); });
  if (!lvsd.isReady) throw new Error(lvsd.log);
  return { lvsd, socketPath };
}

/** The kernel routes the virtual address to the TAP, and the servers' answers as well (NAT). */
export async function buildRouted(context: TestContext): Promise<Routed> {
  const [client, director] = [await make(context, "client"), await make(context, "router")];
  const servers = [await make(context, "web1"), await make(context, "web2")];
  cable(director, client, "eth-out", "10.1.0.1/24", "10.1.0.50/24");
  servers.forEach((server, index) => cable(director, server, `eth-in${index + 1}`, `10.2.${index + 1}.1/24`, `10.2.${index + 1}.11/24`));
  const { lvsd, socketPath } = await startLvsd(context, director, {
    ports: [{ name: "lvs0", mac: ENGINE_MAC, addresses: [`${ENGINE}/24`, `${VIRTUAL}/32`] }],
    routes: [{ to: "default", via: KERNEL, port: "lvs0" }],
    rules: [`-A -t ${VIRTUAL}:80 -s rr`, ...servers.map((_, index) => `-a -t ${VIRTUAL}:80 -r 10.2.${index + 1}.11:8080 -m`)],
  });
  director.set({
    "net.ipv4.ip_forward": 1, "net.ipv4.conf.all.rp_filter": 0, "net.ipv4.conf.lvs0.rp_filter": 0,
    "net.ipv4.conf.all.send_redirects": 0, "net.ipv4.conf.lvs0.send_redirects": 0,
  });
  director.ip([
    "link set dev lvs0 txqueuelen 2000 up",
    `addr add ${KERNEL}/24 dev lvs0`,
    `neigh replace ${ENGINE} lladdr ${ENGINE_MAC} dev lvs0 nud permanent`,
    `route replace ${VIRTUAL}/32 via ${ENGINE} dev lvs0`,
    `route replace default via ${ENGINE} dev lvs0 table 100`,
    ...servers.map((_, index) => `rule add iif eth-in${index + 1} lookup 100`),
  ]);
  for (const [index, server] of servers.entries()) await startWeb(context, server, `web${index + 1}`);
  return { client, director, servers, lvsd, socketPath };
}

/** The director on NICs that its own kernel keeps: no TAP, no bridge, no route. */
export async function buildShared(context: TestContext, driver: DriverChoice): Promise<Routed> {
  const [client, director] = [await make(context, "client"), await make(context, "shared")];
  const servers = [await make(context, "web1"), await make(context, "web2")];
  // The kernel's own address among the clients; the directors' are the engine's alone.
  const wire = (host: Namespace, name: string, address: string): void => {
    director.ip([`link add name ${name} type veth peer name eth0 netns ${host.pid}`, `link set dev ${name} up`]);
    host.ip(["link set dev eth0 up", `addr add ${address} dev eth0`]);
  };
  wire(client, "eth-out", "10.1.0.50/24");
  director.ip([`addr add ${KERNEL_OUT}/24 dev eth-out`]);
  servers.forEach((server, index) => {
    wire(server, `eth-in${index + 1}`, `10.2.${index + 1}.11/24`);
    server.ip([`route replace default via 10.2.${index + 1}.1`]);
  });
  for (const [index, server] of servers.entries()) await startWeb(context, server, `web${index + 1}`);
  const { lvsd, socketPath } = await startLvsd(context, director, {
    driver,
    ports: [
      { name: "out", device: "eth-out", attach: "nic", addresses: ["10.1.0.1/24", `${SHARED_VIRTUAL}/32`] },
      ...servers.map((_, index) => ({ name: `in${index + 1}`, device: `eth-in${index + 1}`, attach: "nic", addresses: [`10.2.${index + 1}.1/24`] })),
    ],
    rules: [`-A -t ${SHARED_VIRTUAL}:80 -s rr`, ...servers.map((_, index) => `-a -t ${SHARED_VIRTUAL}:80 -r 10.2.${index + 1}.11:8080 -m`)],
  });
  return { client, director, servers, lvsd, socketPath };
}

/** Local node behind a shared NIC: the director's own kernel, which keeps its address among the clients, is the server. */
export async function buildLocal(context: TestContext): Promise<Omit<Routed, "servers">> {
  const [client, director] = [await make(context, "client"), await make(context, "local")];
  director.ip([`link add name eth-out type veth peer name eth0 netns ${client.pid}`, "link set dev eth-out up", `addr add ${KERNEL_OUT}/24 dev eth-out`]);
  client.ip(["link set dev eth0 up", "addr add 10.1.0.50/24 dev eth0"]);
  director.set({ "net.ipv4.conf.all.arp_ignore": 1, "net.ipv4.conf.all.arp_announce": 2, "net.ipv4.conf.all.rp_filter": 0 });
  director.ip([`rule add from ${SHARED_VIRTUAL} lookup 100`]);
  await startWeb(context, director, "own", 80);
  const { lvsd, socketPath } = await startLvsd(context, director, {
    ports: [
      { name: "out", device: "eth-out", attach: "nic", addresses: ["10.1.0.1/24", `${SHARED_VIRTUAL}/32`] },
      { name: "host", device: "lvs-host", kind: "host", "peer-mac": HOST_MAC, addresses: ["10.0.3.1/30"] },
    ],
    rules: [`-A -t ${SHARED_VIRTUAL}:80 -s wrr`, `-a -t ${SHARED_VIRTUAL}:80 -r 10.1.0.1:80`],
  });
  director.ip([
    `link set lvs-host mtu 1500 txqueuelen 2000 address ${HOST_MAC} up`,
    "addr replace 10.0.3.2/30 dev lvs-host", `addr replace ${SHARED_VIRTUAL}/32 dev lvs-host`,
    "route replace default via 10.0.3.1 dev lvs-host table 100",
  ]);
  director.set({ "net.ipv4.conf.lvs-host.rp_filter": 0 });
  return { client, director, lvsd, socketPath };
}

async function startWeb(context: TestContext, namespace: Namespace, name: string, port = 8080): Promise<void> {
  const program = await Program.start(namespace, name, "server.js", ["--name", name, "--port", String(port)]);
  context.after(() => program.stop());
}

/** One arm: client and servers on one segment, the director's single TAP there too (NAT). */
export async function buildOneArmed(context: TestContext): Promise<{ network: Network; client: Client; socketPath: string }> {
  const network = await Network.build("dr", 2);
  context.after(() => network.stop());
  for (const [index, server] of network.servers.entries()) {
    // In a network of their own, so that answers to the client go through the director.
    server.ip(["addr flush dev eth0", "addr flush dev lo scope global", `addr add 10.0.2.${index + 11}/24 dev eth0`, "route replace default via 10.0.2.1"]);
    await startWeb(context, server, `web${index + 1}`);
  }
  const { socketPath } = await startLvsd(context, network.wire, {
    ports: [{ name: "out", device: "lvs-out", addresses: ["10.0.1.1/24", "10.0.2.1/24", "10.0.1.100/32"] }],
    rules: ["-A -t 10.0.1.100:80 -s rr", ...[11, 12].map((host) => `-a -t 10.0.1.100:80 -r 10.0.2.${host}:8080 -m`)],
  });
  await network.plug();
  return { network, client: await Client.start(network), socketPath };
}
