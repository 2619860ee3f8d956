// A director in memory: a client's side and a servers' side, no devices, real frames through the engine.

import { Operation } from "../../assembly/abi/enums.js";
import { SLOT_HEADROOM } from "../../assembly/abi/layout.js";
import { Engine } from "../engine/engine.js";
import { addLocal, addNeighbor, addService, setPort, setServer } from "../engine/requests.js";
import type { ForwardName, ServiceSpec } from "../protocol.js";

export const CLIENT_SIDE = 1;
export const SERVER_SIDE = 2;
export const DIRECTOR_MAC = "02:00:00:00:01:01";
export const DIRECTOR_INNER_MAC = "02:00:00:00:02:01";
export const CLIENT_MAC = "02:00:00:00:01:c1";

const MTU_BYTES = 1500;

export interface LabServer { address: string; port: number; weight: number; mac: string }

export interface LabPlan {
  clients: { prefix: string; address: string; mac: string };
  virtual: { address: string; port: number };
  inner: string;
  servers: LabServer[];
  forward: ForwardName;
  scheduler: string;
}

export interface Emitted { port: number; bytes: Uint8Array }

/** One engine with a plan's network and service. */
export class Lab {
  private constructor(readonly engine: Engine) {}

  static async create(module: WebAssembly.Module, plan: LabPlan): Promise<Lab> {
    const engine = await Engine.create({ module, arenaBytes: 65536 });
    setPort(engine, CLIENT_SIDE, DIRECTOR_MAC, MTU_BYTES);
    setPort(engine, SERVER_SIDE, DIRECTOR_INNER_MAC, MTU_BYTES);
    addLocal(engine, CLIENT_SIDE, plan.clients.prefix);
    addLocal(engine, CLIENT_SIDE, `${plan.virtual.address}/32`);
    addLocal(engine, SERVER_SIDE, plan.inner);
    addNeighbor(engine, CLIENT_SIDE, plan.clients.address, plan.clients.mac);
    const service: ServiceSpec = {
      protocol: "tcp", family: 4, address: plan.virtual.address, port: plan.virtual.port, fwmark: 0,
      scheduler: plan.scheduler, schedulerFlags: 0, persistent: false, timeoutSeconds: 0,
      netmask: "255.255.255.255", persistenceEngine: "", onePacket: false,
    };
    if (addService(engine, service) < 0) throw new Error("the engine refused the lab's service");
    for (const server of plan.servers) {
      addNeighbor(engine, SERVER_SIDE, server.address, server.mac);
      const added = setServer(engine, Operation.ServerAdd, service, {
        family: 4, address: server.address, port: server.port, forward: plan.forward, weight: server.weight,
        upperThreshold: 0, lowerThreshold: 0, tunnel: "ipip", tunnelPort: 0, tunnelFlags: 0,
      });
      if (added < 0) throw new Error(`the engine refused the lab's server ${server.address}`);
    }
    return new Lab(engine);
  }

  /** Sends one frame into a port; answers what comes out. */
  send(port: number, bytes: Uint8Array, nowMs: number): Emitted[] {
    const frame = this.engine.arenaBase + SLOT_HEADROOM;
    this.engine.bytes.set(bytes, frame);
    this.engine.enter(0, frame, bytes.length, port);
    const count = this.engine.receive(1, nowMs);
    return Array.from({ length: count }, (_, index) => {
      const sent = this.engine.sent(index);
      return { port: sent.port, bytes: this.engine.bytes.slice(sent.frame, sent.frame + sent.bytes) };
    });
  }
}
