// A director with several workers, its services and servers, and random frames for it. Every frame must be sent on,
// answered with one frame, or dropped and counted: nothing waits for a neighbour, nothing is answered and dropped.

import { Operation } from "../../assembly/abi/enums.js";
import { Engine } from "../../host/engine/engine.js";
import { addLocal, addNeighbor, addRoute, addService, setPort, setServer } from "../../host/engine/requests.js";
import { sum } from "../../host/lab/sum.js";
import { buildFrame, TCP, UDP, wireAddress, writeEthernet, writeIpv4, type FramePlan } from "../../bench/path/frames.js";
import type { Random } from "../../bench/lib/random.js";

export const OUTSIDE = 1;
export const INSIDE = 2;
export const SERVERS = 4;
export const SLOT_BYTES = 2112;
export const ARENA_BYTES = 64 * SLOT_BYTES;
const VIRTUAL = "10.0.1.100";
const OUTSIDE_MAC = "02:00:00:00:01:01";
const INSIDE_MAC = "02:00:00:00:02:01";
const GATEWAY_MAC = "02:00:00:00:01:fe";
const SERVER_MAC = "02:00:00:00:02:10";
/** Plain, with templates, and for datagrams. */
export const TCP_PORT = 80;
export const PERSISTENT_PORT = 81;
export const UDP_PORT = 53;
const CLIENTS = 24;
const PORTS = 6;
const SYN = 2, RST = 4, ACK = 16, FIN = 1;
const FLAGS = [SYN, SYN, ACK, ACK, ACK, ACK | FIN, RST, SYN | ACK];
const PIECE_BYTES = 512;

const serverAddress = (n: number): string => `10.2.0.${10 + n}`;
const clientAddress = (n: number): string => `203.0.113.${1 + n}`;

function accept(answer: number): void {
  if (answer < 0) throw new Error(`the engine answered ${answer}`);
}

/** An engine prepared for so many workers; it is the first of them. */
export async function createSite(module: WebAssembly.Module, workers: number): Promise<Engine> {
  const engine = await Engine.create({ module, bucketBits: 10, workers, arenaBytes: workers * ARENA_BYTES, seed: 99 });
  accept(setPort(engine, OUTSIDE, OUTSIDE_MAC, 1500));
  accept(setPort(engine, INSIDE, INSIDE_MAC, 1500));
  for (const address of ["10.0.1.1/24", `${VIRTUAL}/32`]) accept(addLocal(engine, OUTSIDE, address));
  accept(addLocal(engine, INSIDE, "10.2.0.1/24"));
  accept(addRoute(engine, OUTSIDE, "0.0.0.0/0", "10.0.1.254"));
  accept(addNeighbor(engine, OUTSIDE, "10.0.1.254", GATEWAY_MAC));
  for (let server = 0; server < SERVERS; server++) accept(addNeighbor(engine, INSIDE, serverAddress(server), SERVER_MAC));
  serve(engine, "tcp", TCP_PORT, "rr", false);
  serve(engine, "tcp", PERSISTENT_PORT, "wlc", true);
  serve(engine, "udp", UDP_PORT, "lc", false);
  return engine;
}

function serve(engine: Engine, protocol: "tcp" | "udp", port: number, scheduler: string, persistent: boolean): void {
  const service = {
    protocol, family: 4 as const, address: VIRTUAL, port, fwmark: 0, scheduler, schedulerFlags: 0, persistent, timeoutSeconds: persistent ? 100 : 0,
    netmask: "255.255.255.255", persistenceEngine: "", onePacket: false,
  };
  accept(addService(engine, service));
  for (let server = 0; server < SERVERS; server++) {
    accept(setServer(engine, Operation.ServerAdd, service, {
      family: 4, address: serverAddress(server), port: 1000 + port, forward: "masq", weight: 1, upperThreshold: 0, lowerThreshold: 0,
      tunnel: "ipip", tunnelPort: 0, tunnelFlags: 0,
    }));
  }
}

export interface Arrival { port: number; bytes: Uint8Array }

/** One frame of a random client or server; a datagram in two pieces comes as two. */
export function randomArrivals(random: Random, id: number): Arrival[] {
  const client = { address: wireAddress(clientAddress(random.below(CLIENTS))), port: 5000 + random.below(PORTS) };
  const server = wireAddress(serverAddress(random.below(SERVERS)));
  const service = [TCP_PORT, TCP_PORT, PERSISTENT_PORT, UDP_PORT][random.below(4)] as number;
  const protocol = service === UDP_PORT ? UDP : TCP;
  const common = { family: 4, protocol, flags: FLAGS[random.below(FLAGS.length)] as number, hops: 64 } as const;
  const inbound: FramePlan = {
    ...common, macTo: OUTSIDE_MAC, macFrom: GATEWAY_MAC, source: client.address, sourcePort: client.port, target: wireAddress(VIRTUAL), targetPort: service,
  };
  const reply: FramePlan = {
    ...common, macTo: INSIDE_MAC, macFrom: SERVER_MAC, source: server, sourcePort: 1000 + service, target: client.address, targetPort: client.port,
  };
  switch (random.below(8)) {
    case 0: return [{ port: INSIDE, bytes: unreachable(reply) }];
    case 1: return pieces({ ...inbound, protocol: UDP, targetPort: UDP_PORT, payloadBytes: 700 }, id).map((bytes) => ({ port: OUTSIDE, bytes }));
    case 2: case 3: return [{ port: INSIDE, bytes: buildFrame(reply) }];
    default: return [{ port: OUTSIDE, bytes: buildFrame(inbound) }];
  }
}

/** A server's "port unreachable" about what the client sent it. */
function unreachable(reply: FramePlan): Uint8Array {
  const sent = { ...reply, source: reply.target, sourcePort: reply.targetPort, target: reply.source, targetPort: reply.sourcePort };
  const quoted = buildFrame(sent).subarray(14, 14 + 28);
  const bytes = new Uint8Array(14 + 20 + 8 + quoted.length);
  writeEthernet(bytes, reply.macTo, reply.macFrom, 4);
  writeIpv4(bytes.subarray(14), bytes.length - 14, 1, 64, reply.source, reply.target, 1);
  const icmp = bytes.subarray(34);
  icmp.set([3, 3]);
  icmp.set(quoted, 8);
  const value = ~sum(icmp) & 0xffff;
  icmp.set([value >> 8, value & 255], 2);
  return bytes;
}

/** A datagram cut in two. */
function pieces(plan: FramePlan, id: number): Uint8Array[] {
  const whole = buildFrame(plan);
  const payload = whole.subarray(34);
  return [[0, PIECE_BYTES], [PIECE_BYTES, payload.length]].map(([from = 0, to = 0]) => {
    const bytes = new Uint8Array(34 + to - from);
    bytes.set(whole.subarray(0, 34));
    writeIpv4(bytes.subarray(14), bytes.length - 14, UDP, 64, plan.source, plan.target, id & 0xffff);
    bytes.set([to === payload.length ? 0 : 0x20, from >> 3, 64, UDP, 0, 0], 20);
    const value = ~sum(bytes.subarray(14, 34)) & 0xffff;
    bytes.set([value >> 8, value & 255], 24);
    bytes.set(payload.subarray(from, to), 34);
    return bytes;
  });
}
