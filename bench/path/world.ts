// A director with one service and its real servers, sixteen if nothing else is said, and what its frames must look like.

import { DropReason, Operation } from "../../assembly/abi/enums.js";
import { DROPS_BASE, STATE_USED, WORKERS_BASE, WORKER_STATE } from "../../assembly/abi/layout.js";
import { CONNECTIONS_PER_BUCKET, BUCKET_BITS_MIN } from "../../assembly/abi/limits.js";
import { Engine } from "../../host/engine/engine.js";
import { addLocal, addNeighbor, addRoute, addService, setPort, setServer, setTimeouts } from "../../host/engine/requests.js";
import { askForHugePages } from "../../host/io/sys/hugepages.js";
import type { ForwardName, ServiceSpec, TunnelName } from "../../host/protocol.js";
import { HOPS, TCP, UDP, wireAddress, type FramePlan } from "./frames.js";
import { clientBytes, clientPort, CLIENTS6 } from "./flows.js";

export const OUTSIDE = 1;
export const INSIDE = 2;
export const SERVERS = 16;
export const VIRTUAL_PORT = 80;
export const SERVER_PORT = 8080;
/** An outer header fits around a packet of 1500 bytes. */
const MTU_BYTES = 1600;
const ARENA_BYTES = 1 << 20;
export const SEED = 7;
/** Longer than any bench: no established connection expires under it. */
const FOREVER_SECONDS = 2_000_000;

export const OUTSIDE_MAC = "02:00:00:00:01:01";
export const INSIDE_MAC = "02:00:00:00:02:01";
export const GATEWAY_MAC = "02:00:00:00:01:fe";
export const GUE_PORT = 6080;
const pair = (byte: number): string => byte.toString(16).padStart(2, "0");
export const serverMac = (server: number): string => `02:00:00:02:${pair(server >> 8)}:${pair(server & 255)}`;

export interface WorldPlan {
  family: 4 | 6;
  protocol: typeof TCP | typeof UDP;
  forward: ForwardName;
  tunnel?: TunnelName;
  scheduler?: string;
  servers?: number;
  workers?: number;
  /** Connections that the table must have room for. */
  connections: number;
}

interface Addresses { outside: string; virtual: string; gateway: string; inside: string; server: (n: number) => string; all: string }

const ADDRESSES: Record<4 | 6, Addresses> = {
  4: {
    outside: "10.0.1.1/24", virtual: "10.0.1.100", gateway: "10.0.1.254",
    inside: "10.2.0.1/16", server: (n) => `10.2.${1 + (n >> 7)}.${10 + (n & 127)}`, all: "0.0.0.0/0",
  },
  6: {
    outside: "fd00:1::1/64", virtual: "fd00:1::100", gateway: "fd00:1::fe",
    inside: "fd00:2::1/64", server: (n) => `fd00:2::${(16 + n).toString(16)}`, all: "::/0",
  },
};

/** Bits of the smallest table with room for so many connections. */
export function bucketBitsFor(connections: number): number {
  let bits: number = BUCKET_BITS_MIN;
  while (CONNECTIONS_PER_BUCKET * 2 ** bits <= connections) bits++;
  return bits;
}

function accept(answer: number): void {
  if (answer < 0) throw new Error(`the engine answered ${answer}`);
}

export class World {
  readonly addresses: Addresses;
  readonly capacity: number;
  nowMs = 1000;

  private constructor(readonly engine: Engine, readonly plan: WorldPlan, bucketBits: number) {
    this.addresses = ADDRESSES[plan.family];
    // Record 0 is never given out.
    this.capacity = CONNECTIONS_PER_BUCKET * 2 ** bucketBits - 1;
  }

  static async create(module: WebAssembly.Module, plan: WorldPlan): Promise<World> {
    const bucketBits = bucketBitsFor(plan.connections);
    const { workers = 1 } = plan;
    const world = new World(await Engine.create({ module, bucketBits, workers, arenaBytes: ARENA_BYTES * workers, seed: SEED }), plan, bucketBits);
    // As lvsd does.
    askForHugePages(world.engine.memory);
    world.wire();
    world.serve();
    return world;
  }

  /** The same world as another of its workers sees it. */
  static async attach(module: WebAssembly.Module, memory: WebAssembly.Memory, plan: WorldPlan, worker: number): Promise<World> {
    return new World(await Engine.attach(module, memory, worker, worker * ARENA_BYTES), plan, bucketBitsFor(plan.connections));
  }

  private wire(): void {
    const { engine, addresses } = this;
    accept(setPort(engine, OUTSIDE, OUTSIDE_MAC, MTU_BYTES));
    accept(setPort(engine, INSIDE, INSIDE_MAC, MTU_BYTES));
    accept(addLocal(engine, OUTSIDE, addresses.outside));
    accept(addLocal(engine, OUTSIDE, addresses.virtual));
    accept(addLocal(engine, INSIDE, addresses.inside));
    accept(addRoute(engine, OUTSIDE, addresses.all, addresses.gateway));
    accept(addNeighbor(engine, OUTSIDE, addresses.gateway, GATEWAY_MAC));
  }

  private serve(): void {
    const { engine, addresses, plan } = this;
    const service: ServiceSpec = {
      protocol: plan.protocol === TCP ? "tcp" : "udp", family: plan.family, address: addresses.virtual, port: VIRTUAL_PORT,
      fwmark: 0, scheduler: plan.scheduler ?? "rr", schedulerFlags: 0, persistent: false, timeoutSeconds: 0,
      netmask: plan.family === 4 ? "255.255.255.255" : "128", persistenceEngine: "", onePacket: false,
    };
    accept(addService(engine, service));
    for (let server = 0; server < this.servers; server++) {
      accept(addNeighbor(engine, INSIDE, addresses.server(server), serverMac(server)));
      accept(setServer(engine, Operation.ServerAdd, service, {
        family: plan.family, address: addresses.server(server), port: this.serverPort, forward: plan.forward, weight: 1,
        upperThreshold: 0, lowerThreshold: 0, tunnel: plan.tunnel ?? "ipip", tunnelPort: plan.tunnel === "gue" ? GUE_PORT : 0, tunnelFlags: 0,
      }));
    }
    accept(setTimeouts(engine, { tcp: FOREVER_SECONDS, tcpfin: 0, udp: FOREVER_SECONDS }));
  }

  get servers(): number {
    return this.plan.servers ?? SERVERS;
  }

  /** The server a frame that has come out is for, by its hardware address. */
  serverOf(frame: number): number {
    const { bytes } = this.engine;
    return ((bytes[frame + 4] ?? 0) << 8) | (bytes[frame + 5] ?? 0);
  }

  /** Only VS-NAT can change the port. */
  get serverPort(): number {
    return this.plan.forward === "masq" ? SERVER_PORT : VIRTUAL_PORT;
  }

  /** A client's frame as it comes in. Without a flow: the model, its client all zeros. */
  fromClient(flow: number | undefined, flags: number, payloadBytes?: number): FramePlan {
    const { family, protocol } = this.plan;
    return {
      macTo: OUTSIDE_MAC, macFrom: GATEWAY_MAC, family, protocol, flags, payloadBytes, hops: HOPS, ...this.client(flow, "source"),
      target: wireAddress(this.addresses.virtual), targetPort: VIRTUAL_PORT,
    };
  }

  /** A server's frame as it comes in. */
  fromServer(flow: number | undefined, server: number, flags: number, payloadBytes?: number): FramePlan {
    const { family, protocol } = this.plan;
    return {
      macTo: INSIDE_MAC, macFrom: serverMac(server), family, protocol, flags, payloadBytes, hops: HOPS, ...this.client(flow, "target"),
      source: wireAddress(this.addresses.server(server)), sourcePort: this.serverPort,
    };
  }

  private client<Side extends "source" | "target">(flow: number | undefined, side: Side): Record<Side, Uint8Array> & Record<`${Side}Port`, number> {
    const { family } = this.plan;
    const address = flow === undefined ? wireAddress(family === 4 ? "0.0.0.0" : CLIENTS6) : clientBytes(flow, family);
    const port = flow === undefined ? 0 : clientPort(flow);
    return { [side]: address, [`${side}Port`]: port } as Record<Side, Uint8Array> & Record<`${Side}Port`, number>;
  }

  get used(): number {
    return this.engine.view.getUint32(WORKERS_BASE + WORKER_STATE + STATE_USED, true);
  }

  drops(reason: DropReason): number {
    return Number(this.engine.view.getBigUint64(DROPS_BASE + reason * 8, true));
  }
}
