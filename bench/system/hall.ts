// The laboratory of the comparison: one client, two real servers, and for each director a hall of its own
// with cables to all three. Nothing is shared between directors but the client and the servers.
//
//                10.60.k.0/24                    10.61.k.0/24
//     client ------------------- out  hall k  in1 ------------------- server 1
//       .2                        .1             .1              .2
//                                        in2 ------------------- server 2
//                                VIP .100        10.62.k.0/24

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Namespace } from "../../host/lab/namespace.js";

export const SERVERS = 2;
export const WEB_PORT = 80;
export const BULK_PORT = 5201;
/** Datagrams to here are counted where they arrive and answered by nobody. */
export const FLOOD_PORT = 9;
const BITS = 24;

/** The director's network devices, inside its hall. */
export const OUT = "out";
export const IN = ["in1", "in2"] as const;

// Connections that have ended must not refuse new ones: timestamps without random offsets, all ports.
const HOST = {
  "net.ipv4.tcp_timestamps": 2,
  "net.ipv4.tcp_tw_reuse": 1,
  "net.ipv4.conf.all.rp_filter": 0,
  "net.ipv4.conf.default.rp_filter": 0,
  "net.ipv4.conf.all.arp_ignore": 1,
  "net.ipv4.conf.all.arp_announce": 2,
  "net.core.somaxconn": 4096,
};
// Two numbers, which Namespace.set does not take.
const ALL_PORTS = "echo 1024 65535 > /proc/sys/net/ipv4/ip_local_port_range";
const CONGESTION = "/proc/sys/net/ipv4/tcp_congestion_control";
/** What namespaces may have beside the machine's own default. */
const ALLOWED_CONGESTION = "/proc/sys/net/ipv4/tcp_allowed_congestion_control";

/** What one director gets: a namespace with three devices, and addresses to use on them. */
export interface Hall {
  number: number;
  namespace: Namespace;
  clientAddress: string;
  /** The director's address among the clients. */
  address: string;
  virtual: string;
  /** By server: its address, and the director's on the same wire. */
  servers: readonly { address: string; gateway: string }[];
  /** For configuration files and sockets. */
  folder: string;
}

/** The client's device to a hall; a server's has the same name. */
export function peerDevice(hall: Hall): string {
  return `hall${hall.number}`;
}

export class Laboratory {
  private readonly all: Namespace[] = [];
  readonly folder = mkdtempSync(join(tmpdir(), "lvs-system-"));
  private halls = 0;

  private constructor(readonly client: Namespace, readonly servers: readonly Namespace[], private readonly congestion: string | undefined) {
    this.all.push(client, ...servers);
  }

  /** `congestion` names TCP's congestion control for everybody, proxies too; the machine's default without it. */
  static async build(congestion?: string): Promise<Laboratory> {
    const prefix = `lvs-${process.pid}-side`;
    const made: Namespace[] = [];
    const make = async (role: string): Promise<Namespace> => {
      const namespace = await Namespace.create(`${prefix}-${role}`);
      made.push(namespace);
      prepare(namespace, congestion);
      return namespace;
    };
    try {
      const client = await make("client");
      const servers: Namespace[] = [];
      for (let number = 1; number <= SERVERS; number++) {
        const server = await make(`server${number}`);
        sinkFlood(server);
        servers.push(server);
      }
      return new Laboratory(client, servers, congestion);
    } catch (error) {
      await Promise.all(made.map((namespace) => namespace.close()));
      throw error;
    }
  }

  /** A hall for one more director, its cables connected. */
  async addHall(): Promise<Hall> {
    const number = ++this.halls;
    const namespace = await Namespace.create(`lvs-${process.pid}-side-hall${number}`);
    this.all.push(namespace);
    prepare(namespace, this.congestion);
    const net = (wire: number): string => `10.${60 + wire}.${number}`;
    const hall: Hall = {
      number, namespace, clientAddress: `${net(0)}.2`, address: `${net(0)}.1`, virtual: `${net(0)}.100`, folder: this.folder,
      servers: this.servers.map((_, index) => ({ address: `${net(index + 1)}.2`, gateway: `${net(index + 1)}.1` })),
    };
    connect(hall, OUT, this.client, hall.clientAddress);
    this.servers.forEach((server, index) => {
      const { address, gateway } = hall.servers[index] as Hall["servers"][number];
      connect(hall, IN[index] ?? "", server, address);
      server.ip([`route add ${net(0)}.0/${BITS} via ${gateway}`]);
    });
    return hall;
  }

  /** How everybody's TCP sends: by which congestion control. */
  get congestionControl(): string {
    return this.client.output("cat", [CONGESTION]).trim();
  }

  /** Ends the namespaces with everything in them. */
  async close(): Promise<void> {
    await Promise.all(this.all.splice(0).map((namespace) => namespace.close()));
    rmSync(this.folder, { recursive: true, force: true });
  }
}

function prepare(namespace: Namespace, congestion: string | undefined): void {
  namespace.set(HOST);
  namespace.output("sh", ["-c", ALL_PORTS]);
  if (congestion === undefined) return;
  try {
    namespace.output("sh", ["-c", `echo ${congestion} > ${CONGESTION}`]);
  } catch {
    throw new Error(`the kernel gives namespaces no congestion control "${congestion}"; it has: ${readFileSync(ALLOWED_CONGESTION, "utf8").trim()}`);
  }
}

/** A cable between a hall and a host, both ends up, the host's with its address. */
function connect(hall: Hall, device: string, host: Namespace, address: string): void {
  const peer = peerDevice(hall);
  hall.namespace.ip([`link add name ${device} type veth peer name ${peer} netns ${host.pid}`, `link set dev ${device} up`]);
  host.ip([`link set dev ${peer} up`, `addr add ${address}/${BITS} dev ${peer}`]);
}

/** Floods end silently where they arrive: before the table of local addresses, which has to give up its first place. */
function sinkFlood(server: Namespace): void {
  server.ip(["rule add priority 100 lookup local", "rule del priority 0 lookup local",
    `rule add priority 10 ipproto udp dport ${FLOOD_PORT} blackhole`]);
}

/** The addresses a director that uses the kernel's own stack has on its devices. */
export function useKernelAddresses(hall: Hall): void {
  const { namespace } = hall;
  namespace.set({ "net.ipv4.ip_forward": 1 });
  namespace.ip([`addr add ${hall.address}/${BITS} dev ${OUT}`, `addr add ${hall.virtual}/32 dev ${OUT}`,
    ...hall.servers.map(({ gateway }, index) => `addr add ${gateway}/${BITS} dev ${IN[index]}`)]);
}
