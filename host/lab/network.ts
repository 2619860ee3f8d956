// The laboratory: a client, real servers and the wires between them, each in a namespace of its own.
//
//   nat     client --- lan-clients --- lvs-out  director  lvs-in --- lan-servers --- servers
//   dr,tun  client --- lan-clients --- servers, and lvs-out there too: the director has one arm
//   local   client --- lan-clients --- lvs-out  director  lvs-host --- the director's own kernel
//
// The bridges lie in a namespace "wire". The director's TAPs are made by whoever runs the director;
// plug() then connects them.

import {
  CLIENT_ADDRESS, DIRECTOR_ADDRESS, DIRECTOR_INNER_ADDRESS, HOST_KERNEL_ADDRESS, HOST_KERNEL_MAC,
  HOST_PORT_ADDRESS, HOST_PREFIX_BITS, TAP_HOST, TAP_IN, TAP_OUT, VIRTUAL_ADDRESS, VIRTUAL_PORT,
  serverAddress, serverPort, type Method,
} from "./addresses.js";
import { Namespace } from "./namespace.js";
import { Program } from "./program.js";

const SERVERS_MAX = 3;
const MTU_BYTES = 1500;
// A TAP's default of 1000 frames drops under TCP bursts.
const QUEUE_FRAMES = 2000;
// What IPIP leaves of a segment: without it long requests need ICMP to find their way.
const TUNNEL_SEGMENT_BYTES = MTU_BYTES - 20 - 40;
const PLUG_MS = 30_000;
const PLUG_PAUSE_MS = 20;
/** The bridges of the clients' and of the servers' segment, in the namespace "wire". */
export const CLIENTS = "lan-clients";
export const SERVERS = "lan-servers";

let built = 0;

/** A TAP the director has to open: its name, and the namespace it must appear in. */
export interface TapPlace { name: string; namespacePath: string }

/** Namespaces and wires of one laboratory. Whatever ends this process takes all of it down. */
export class Network {
  readonly servers: Namespace[] = [];
  private readonly programs: Program[] = [];
  private readonly all: Namespace[] = [];
  private decapsulators: boolean[] = [];

  private constructor(
    readonly method: Method, readonly client: Namespace, readonly director: Namespace, readonly wire: Namespace,
  ) {}

  /** Builds everything but the director and the programs. */
  static async build(method: Method, servers = SERVERS_MAX): Promise<Network> {
    if (servers < 1 || servers > SERVERS_MAX) throw new RangeError(`1 to ${SERVERS_MAX} servers, not ${servers}`);
    const prefix = `lvs-${process.pid}${built === 0 ? "" : `.${built}`}`;
    built++;
    const made: Namespace[] = [];
    const make = async (role: string): Promise<Namespace> => {
      const namespace = await Namespace.create(`${prefix}-${role}`);
      made.push(namespace);
      return namespace;
    };
    try {
      const network = new Network(method, await make("client"), await make("director"), await make("wire"));
      const count = method === "local" ? 0 : servers;
      for (let number = 1; number <= count; number++) network.servers.push(await make(`server${number}`));
      network.all.push(...made);
      network.connect();
      return network;
    } catch (error) {
      await Promise.all(made.map((namespace) => namespace.close()));
      throw error;
    }
  }

  /** The TAPs the director has to open for this method. */
  get taps(): TapPlace[] {
    const out = { name: TAP_OUT, namespacePath: this.wire.path };
    if (this.method === "nat") return [out, { name: TAP_IN, namespacePath: this.wire.path }];
    if (this.method === "local") return [out, { name: TAP_HOST, namespacePath: this.director.path }];
    return [out];
  }

  /** Waits until the director has opened its TAPs and connects them. Again after it was restarted. */
  async plug(timeoutMs = PLUG_MS): Promise<void> {
    const deadlineMs = Date.now() + timeoutMs;
    const missing = (): string[] => this.taps.filter((tap) => this.inside(tap).tryIp([`link show dev ${tap.name}`]) !== "")
      .map((tap) => tap.name);
    for (let names = missing(); names.length > 0; names = missing()) {
      if (Date.now() > deadlineMs) throw new Error(`the director did not open ${names.join(" and ")} in ${timeoutMs} ms`);
      await new Promise((resolve) => setTimeout(resolve, PLUG_PAUSE_MS));
    }
    const tune = `mtu ${MTU_BYTES} txqueuelen ${QUEUE_FRAMES}`;
    this.wire.ip([`link set dev ${TAP_OUT} ${tune} master ${CLIENTS} up`]);
    if (this.method === "nat") this.wire.ip([`link set dev ${TAP_IN} ${tune} master ${SERVERS} up`]);
    if (this.method === "local") this.plugHost(tune);
  }

  /** Where the real servers' programs run: the director's own network for the local node. */
  get homes(): Namespace[] {
    return this.method === "local" ? [this.director] : this.servers;
  }

  /** Starts the real servers' HTTP program in every server's namespace; on another port it leaves the usual one free. */
  async startServers(onPort = serverPort(this.method)): Promise<Program[]> {
    const port = String(onPort);
    const local = this.method === "local";
    const started = await Promise.all(this.homes.map((namespace, index) => {
      const name = local ? "director" : `server${index + 1}`;
      const words = ["--name", name, "--port", port];
      if (this.decapsulators[index] === true) words.push("--decapsulate", "eth0");
      return this.start(namespace, name, "server.js", words);
    }));
    return started;
  }

  /** Starts a program of the laboratory in one of its namespaces; stop() will end it. */
  async start(namespace: Namespace, name: string, file: string, words: readonly string[] = []): Promise<Program> {
    const program = await Program.start(namespace, name, file, words);
    this.programs.push(program);
    return program;
  }

  /** Ends the programs, then the namespaces with everything in them. */
  async stop(): Promise<void> {
    await Promise.all(this.programs.splice(0).map((program) => program.stop()));
    await Promise.all(this.all.splice(0).map((namespace) => namespace.close()));
  }

  private inside(tap: TapPlace): Namespace {
    return tap.name === TAP_HOST ? this.director : this.wire;
  }

  private connect(): void {
    const bridges = this.method === "nat" ? [CLIENTS, SERVERS] : [CLIENTS];
    this.wire.ip(bridges.flatMap((name) => [
      `link add name ${name} type bridge stp_state 0 mcast_snooping 0`,
      `link set dev ${name} up`,
    ]));
    this.join(this.client, "to-client", CLIENTS, CLIENT_ADDRESS);
    // Random timestamp offsets per address pair make old connections refuse new ones (TIME_WAIT).
    this.client.set({ "net.ipv4.tcp_timestamps": 2 });
    this.servers.forEach((server, index) => this.connectServer(server, index + 1));
  }

  private connectServer(server: Namespace, number: number): void {
    const address = serverAddress(this.method, number);
    this.join(server, `to-server${number}`, this.method === "nat" ? SERVERS : CLIENTS, address);
    if (this.method === "nat") return server.ip([`route replace default via ${DIRECTOR_INNER_ADDRESS}`]);
    // The server owns the VIP but must not tell the segment: neither answer for it nor speak with it.
    server.set({ "net.ipv4.conf.all.arp_ignore": 1, "net.ipv4.conf.all.arp_announce": 2 });
    server.ip([`addr replace ${VIRTUAL_ADDRESS}/32 dev lo`, `route replace default via ${DIRECTOR_ADDRESS}`]);
    if (this.method === "tun") this.prepareTunnel(server, address);
  }

  /** An end of the tunnel in a server: the kernel's own device, or a decapsulator beside the server. */
  private prepareTunnel(server: Namespace, address: string): void {
    server.ip([`route replace 10.0.1.0/24 dev eth0 src ${address} advmss ${TUNNEL_SEGMENT_BYTES}`]);
    const device = server.tryIp([`link add name ipip-in type ipip local ${address}`]) === "";
    this.decapsulators.push(!device);
    if (!device) return;
    server.ip(["link set dev ipip-in up"]);
    server.set({ "net.ipv4.conf.ipip-in.rp_filter": 0 });
  }

  /** A cable from a namespace to a bridge. Its end inside is called eth0. */
  private join(namespace: Namespace, port: string, bridge: string, address: string): void {
    this.wire.ip([
      `link add name ${port} mtu ${MTU_BYTES} type veth peer name eth0 mtu ${MTU_BYTES} netns ${namespace.pid}`,
      `link set dev ${port} master ${bridge} up`,
    ]);
    // Decapsulated packets come from where their source is not: no reverse path to check.
    namespace.set({ "net.ipv4.conf.all.rp_filter": 0, "net.ipv4.conf.default.rp_filter": 0 });
    namespace.ip(["link set dev eth0 up", `addr replace ${address}/24 dev eth0`]);
  }

  private plugHost(tune: string): void {
    this.director.set({ "net.ipv4.conf.all.rp_filter": 0 });
    this.director.ip([
      `link set dev ${TAP_HOST} ${tune} address ${HOST_KERNEL_MAC} up`,
      `addr replace ${HOST_KERNEL_ADDRESS}/${HOST_PREFIX_BITS} dev ${TAP_HOST}`,
      `addr replace ${VIRTUAL_ADDRESS}/32 dev ${TAP_HOST}`,
      `route replace default via ${HOST_PORT_ADDRESS} dev ${TAP_HOST}`,
    ]);
  }
}

/** Where the client finds the service. */
export const SERVICE_URL = `http://${VIRTUAL_ADDRESS}:${VIRTUAL_PORT}`;
