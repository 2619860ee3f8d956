// A service with real servers 1..n in the recordings' network, and clients that open connections to it.

import { LocalKind, Operation, ServiceFlag } from "../../assembly/abi/enums.js";
import {
  SERVERS_BASE, SERVER_BYTES, SERVICES_BASE, SERVICE_BYTES, SERVICE_SLAB, SLABS_BASE, SLAB_BYTES, SLOT_HEADROOM,
} from "../../assembly/abi/layout.js";
import { Engine } from "../../host/engine/engine.js";
import { addLocalSubnet, addMark, addService, deleteServer, setServer } from "../../host/engine/requests.js";
import { buildTcp } from "../../host/lab/frames.js";
import type { ServerSpec, ServiceSpec } from "../../host/protocol.js";
import { applyRecordedNetwork, IN, OUT } from "./recording.js";

export const VIRTUAL = "10.0.1.100";
export const CLIENT = "10.0.1.50";
const SYN = 0x02;
const RST = 0x04;
const ACK = 0x10;

export interface FarmPlan {
  scheduler: string;
  weights: number[];
  /** As `-b` has them: sh-port, sh-fallback, mh-port, mh-fallback. */
  flags?: string[];
  upper?: number;
  lower?: number;
  /** VS-DR behind firewall mark 1, for all of 198.19.0.0/16; else VS-NAT at the virtual address. */
  marked?: boolean;
  seed?: number;
  bucketBits?: number;
  /** Frames reach one after the other, whoever they belong to. */
  workers?: number;
}

function flagBits(flags: string[]): number {
  return flags.reduce((bits, flag) => bits | (flag.endsWith("-port") ? ServiceFlag.Flag2 : ServiceFlag.Flag1), 0);
}

/** The engine with one service; answers of which server each connection reached. */
export class Farm {
  readonly service: ServiceSpec;
  nowMs = 1000;
  private reached = 0;

  private constructor(private readonly engines: readonly Engine[], readonly engine: Engine, private readonly plan: FarmPlan) {
    this.service = {
      protocol: plan.marked ? "fwmark" : "tcp", family: 4, address: plan.marked ? "" : VIRTUAL,
      port: plan.marked ? 0 : 80, fwmark: plan.marked ? 1 : 0, scheduler: plan.scheduler,
      schedulerFlags: flagBits(plan.flags ?? []), persistent: false, timeoutSeconds: 0, netmask: "255.255.255.255",
      persistenceEngine: "", onePacket: false,
    };
  }

  static async create(module: WebAssembly.Module, plan: FarmPlan): Promise<Farm> {
    const workers = plan.workers ?? 1;
    const engine = await Engine.create({ module, arenaBytes: 65536, bucketBits: plan.bucketBits ?? 10, seed: plan.seed ?? 1, workers });
    const engines = [engine];
    for (let worker = 1; worker < workers; worker++) engines.push(await Engine.attach(module, engine.memory, worker));
    await applyRecordedNetwork(engine);
    const farm = new Farm(engines, engine, plan);
    if (plan.marked) farm.markTargets();
    accept(addService(engine, farm.service));
    plan.weights.forEach((weight, index) => farm.set(Operation.ServerAdd, index + 1, weight));
    return farm;
  }

  /** All of 198.19.0.0/16 is local, and its web traffic bears mark 1. */
  private markTargets(): void {
    accept(addLocalSubnet(this.engine, 0, "198.19.0.0/16", LocalKind.Whole));
    accept(addMark(this.engine, {
      family: 4, interface: "out", source: "", destination: "198.19.0.0/16", protocol: "tcp", portLow: 80, portHigh: 80, mark: 1,
    }, OUT));
  }

  /** Adds or edits real server n, 10.0.2.(10+n). */
  set(operation: Operation.ServerAdd | Operation.ServerEdit, n: number, weight: number): void {
    accept(setServer(this.engine, operation, this.service, this.server(n, weight)));
  }

  remove(n: number): void {
    accept(deleteServer(this.engine, this.service, this.server(n, 0)));
  }

  private server(n: number, weight: number): ServerSpec {
    return {
      family: 4, address: `10.0.2.${10 + n}`, port: this.plan.marked ? 0 : 80, weight,
      forward: this.plan.marked ? "route" : "masq", upperThreshold: this.plan.upper ?? 0,
      lowerThreshold: this.plan.lower ?? 0, tunnel: "ipip", tunnelPort: 0, tunnelFlags: 0,
    };
  }

  /** One TCP segment from a client; answers which server it was sent to. */
  fromClient(source: string, sourcePort: number, target: string, flags: number): number | undefined {
    return this.send(OUT, buildTcp({
      macTo: "02:00:00:00:01:01", macFrom: "02:00:00:00:01:fe", source, sourcePort, target, targetPort: 80, flags,
    }));
  }

  fromServer(n: number, target: string, targetPort: number, flags: number): void {
    this.send(IN, buildTcp({
      macTo: "02:00:00:00:02:01", macFrom: `02:00:00:00:02:${(10 + n).toString(16).padStart(2, "0")}`,
      source: `10.0.2.${10 + n}`, sourcePort: 80, target, targetPort, flags,
    }));
  }

  /** A client's SYN: the number of the server it reaches, undefined when it is refused. */
  open(source: string, sourcePort = 40000, target = VIRTUAL): number | undefined {
    return this.fromClient(source, sourcePort, target, SYN);
  }

  /** The whole handshake. */
  establish(source: string, sourcePort: number): number | undefined {
    const chosen = this.open(source, sourcePort);
    if (chosen === undefined) return undefined;
    this.fromServer(chosen, source, sourcePort, SYN | ACK);
    this.fromClient(source, sourcePort, VIRTUAL, ACK);
    return chosen;
  }

  reset(source: string, sourcePort: number): void {
    this.fromClient(source, sourcePort, VIRTUAL, RST);
  }

  /** A record of the engine: the farm's only service is number 1, its servers have their own numbers. */
  word(address: number): number {
    return this.engine.view.getUint32(address, true);
  }

  serverWord(n: number, offset: number): number {
    return this.word(SERVERS_BASE + n * SERVER_BYTES + offset);
  }

  /** The first `count` words of the service's slab. */
  slab(count: number): number[] {
    const slab = this.slabAt();
    return Array.from({ length: count }, (_, place) => this.word(slab + 4 * place));
  }

  /** The same of a slab of 16-bit words, as mh has. */
  slabHalves(count: number): number[] {
    const slab = this.slabAt();
    return Array.from({ length: count }, (_, place) => this.engine.view.getUint16(slab + 2 * place, true));
  }

  private slabAt(): number {
    return SLABS_BASE + this.word(SERVICES_BASE + SERVICE_BYTES + SERVICE_SLAB) * SLAB_BYTES;
  }

  /** Lets so much time pass at once, for all workers. */
  pass(ms: number): void {
    this.nowMs += ms;
    for (const engine of this.engines) engine.tick(this.nowMs);
  }

  private send(port: number, bytes: Uint8Array): number | undefined {
    const engine = this.engines[this.reached++ % this.engines.length] ?? this.engine;
    const frame = engine.arenaBase + SLOT_HEADROOM;
    engine.bytes.set(bytes, frame);
    engine.enter(0, frame, bytes.length, port);
    this.nowMs += 1;
    const chosen = this.serverIn(engine, engine.receive(1, this.nowMs));
    const owner = this.engines.find((one) => one.hasHanded);
    return owner ? this.serverIn(owner, owner.receive(0, this.nowMs)) : chosen;
  }

  /** The server that one of these sent frames goes to. */
  private serverIn(engine: Engine, count: number): number | undefined {
    for (let index = 0; index < count; index++) {
      const sent = engine.sent(index);
      if (sent.port === IN) return (engine.bytes[sent.frame + 5] ?? 0) - 10;
    }
    return undefined;
  }
}

function accept(answer: number): void {
  if (answer < 0) throw new Error(`the engine answered ${answer}`);
}
