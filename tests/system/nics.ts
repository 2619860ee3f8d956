// The laboratory with NICs instead of TAPs: the director in a namespace of its own, cables from its interfaces to the
// segments. Its kernel has addresses there too, and goes on with what is its own.

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { stringify } from "yaml";
import { DIRECTOR_ADDRESS, DIRECTOR_INNER_ADDRESS, VIRTUAL_ADDRESS, type Method } from "../../host/lab/addresses.js";
import { layCable, NIC_IN, NIC_OUT } from "../../host/lab/cable.js";
import { Client } from "../../host/lab/client.js";
import { labRules } from "../../host/lab/director.js";
import { addIpv6, EXTRA6, serverAddress6, VIRTUAL_ADDRESS6 } from "./ipv6.js";
import { CLIENTS, SERVERS, Network } from "../../host/lab/network.js";
import { ended } from "../../host/lab/process.js";
import { Lvsd } from "./lvsd.js";
import { assertAnswers, makeFolder, runLvsadm } from "./rig.js";
import { proveTraffic } from "./traffic.js";

const SERVERS_COUNT = 3;
/** The kernel's own addresses on the director's NICs. */
export const KERNEL_ADDRESS = "10.0.1.5";
export const KERNEL_INNER_ADDRESS = "10.0.2.5";

export interface NicOptions {
  queues?: number;
  attach?: "nic" | "xdp";
  driver?: string;
  mode?: string;
  isWithoutRing?: boolean;
  in?: "nic" | "tap";
  addresses?: readonly string[];
  more?: object;
  prepare?(network: Network): unknown;
  startServers?(network: Network): Promise<unknown>;
}

export class NicRig {
  private constructor(
    readonly network: Network, readonly lvsd: Lvsd, readonly client: Client, readonly socketPath: string, readonly configFile: string,
  ) {}

  static async start(context: TestContext, method: Exclude<Method, "local">, options: NicOptions = {}): Promise<NicRig> {
    const network = await Network.build(method, SERVERS_COUNT);
    context.after(() => network.stop());
    const { director } = network;
    const { queues = 1 } = options;
    plug(network, NIC_OUT, CLIENTS, `${KERNEL_ADDRESS}/24`, queues);
    const hasInner = method === "nat" && options.in !== "tap";
    if (hasInner) plug(network, NIC_IN, SERVERS, `${KERNEL_INNER_ADDRESS}/24`, queues);
    options.prepare?.(network);
    await (options.startServers?.(network) ?? network.startServers());
    const folder = makeFolder(context);
    const [socketPath, configFile] = [join(folder, "lvsd.sock"), join(folder, "lvsd.yaml")];
    writeFileSync(configFile, nicConfig(network, options));
    const lvsd = await Lvsd.start(director, ["--config", configFile, "--socket", socketPath], options.isWithoutRing);
    context.after(() => { lvsd.child.kill("SIGTERM"); return ended(lvsd.child); });
    if (!lvsd.isReady) throw new Error(`lvsd is not ready: ${lvsd.log}`);
    if (options.in === "tap") network.wire.ip([`link set dev lvs-in mtu 1500 txqueuelen 2000 master ${SERVERS} up`]);
    return new NicRig(network, lvsd, await Client.start(network), socketPath, configFile);
  }
}

/** Requests through an IPv6 service by NAT; skipped where the kernel has no IPv6. */
export async function proveIpv6(context: TestContext, options: NicOptions = {}): Promise<void> {
  let hasIpv6 = true;
  const rig = await NicRig.start(context, "nat", {
    ...options,
    prepare: (network) => (hasIpv6 = addIpv6(network)),
    startServers: (network) => Promise.all(network.servers.map((server, index) =>
      network.start(server, `server${index + 1}`, "server.js", ["--name", `server${index + 1}`, "--port", "8080", "--address", hasIpv6 ? "::" : "0.0.0.0"]))),
  });
  if (!hasIpv6) return context.skip("this kernel has no IPv6");
  const service = `-t [${VIRTUAL_ADDRESS6}]:80`;
  for (const line of [`-A ${service} -s rr`, ...[1, 2].map((number) => `-a ${service} -r [${serverAddress6("nat", number)}]:8080 -m`)]) {
    assert.equal((await runLvsadm(rig.socketPath, line)).status, 0, line);
  }
  await proveTraffic(rig, `http://[${VIRTUAL_ADDRESS6}]`, { server1: 201, server2: 201 });
}

/** An address that a reload adds answers then, as do those from before. `options` are the rig's. */
export async function proveReload(rig: NicRig, options: NicOptions): Promise<void> {
  const added = "10.0.1.101";
  writeFileSync(rig.configFile, nicConfig(rig.network, { ...options, addresses: [`${added}/32`] }));
  assert.match(await rig.lvsd.reload(), /address 10\.0\.1\.101\/32 added/);
  for (const address of [added, VIRTUAL_ADDRESS]) {
    assertAnswers(rig.network.client, address);
  }
}

/** The director's configuration: an operator's wiring C or D. */
export function nicConfig(network: Network, options: NicOptions): string {
  const { method } = network;
  const { attach = "xdp", mode, driver } = options;
  const nic = { attach, ...(mode === undefined ? {} : { mode }) };
  const gateway = attach === "xdp" ? { gateway: true } : {};
  const ports: object[] = [{
    name: "out", device: NIC_OUT, ...nic, addresses: [`${DIRECTOR_ADDRESS}/24`, `${VIRTUAL_ADDRESS}/32`, ...EXTRA6.out ?? [], ...options.addresses ?? []],
  }];
  const inner = { name: "in", addresses: [`${DIRECTOR_INNER_ADDRESS}/24`, ...EXTRA6.in ?? []] };
  if (method === "nat") {
    ports.push(options.in === "tap"
      ? { ...inner, device: "lvs-in", namespace: network.wire.path }
      : { ...inner, device: NIC_IN, ...nic, ...gateway });
  }
  // By DR and TUN a client's port that comes again shall be given a server anew, or shares are one apart.
  const ofDriver = driver === undefined ? {} : { driver };
  return stringify({ ...ofDriver, ports, sysctl: { conn_reuse_mode: 3 }, rules: labRules(method, SERVERS_COUNT), ...options.more });
}

/** A cable from the director's kernel to a segment. */
function plug(network: Network, name: string, bridge: string, address: string, queues: number): void {
  layCable(network, name, bridge, queues);
  network.director.ip([`addr add ${address} dev ${name}`]);
}
