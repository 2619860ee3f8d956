// The director's ports, opened: TAPs it makes, NICs it shares with the kernel or takes frames from by AF_XDP.

import { PortFlag } from "../../assembly/abi/enums.js";
import { parseMac } from "../engine/address.js";
import type { Device } from "../io/driver.js";
import { kernelAddresses, OpenNic, readyNic, type NicOptions } from "../io/nic.js";
import { SteeringTable } from "../io/steering.js";
import { close } from "../io/sys/libc.js";
import { openPacketSocket } from "../io/sys/packetsocket.js";
import { openTap } from "../io/sys/tun.js";
import { arenaBytesFor, chunkBytesFor } from "../io/umem.js";
import type { PortMode } from "./apply.js";
import type { Config, PortConfig } from "./config.js";
import { hostPeerMac } from "./host.js";
import { steer } from "./workers.js";

type ReadyNic = ReturnType<typeof readyNic>;

export class Ports {
  readonly devices: Device[] = [];
  /** The devices' other queues, for each worker after the first. */
  readonly queues: Device[][];
  /** By port, how frames find their worker. */
  private readonly steering = new Map<number, string>();
  private readonly nics: OpenNic[] = [];
  private table: SteeringTable | undefined;

  private constructor(
    private config: Config, private readonly ready: ReadonlyMap<number, ReadyNic>, private readonly workers: number, private readonly seed: number,
  ) {
    this.queues = Array.from({ length: workers - 1 }, () => []);
  }

  /** Looks at the NICs, whose hardware addresses the ports take over. Nothing is opened. */
  static prepare(config: Config, workers: number, seed: number): Ports {
    const ready = new Map<number, ReadyNic>();
    for (const port of config.ports) {
      if (workers > 1 && (port.isNic || port.xdp)) throw new Error(`port ${port.name}: several workers take frames of TAPs only; set workers: 1`);
      if (!port.xdp) continue;
      const nic = inWords(port, () => readyNic(nicOptions(config, port)));
      ready.set(port.index, nic);
      port.mac = nic.mac;
    }
    return new Ports(config, ready, workers, seed);
  }

  /** What the drivers need of the engine's memory. */
  get arenaBytes(): number {
    const sockets = [...this.ready.values()].reduce((sum, nic) => sum + nic.served, 0);
    const mtus = this.config.ports.filter((port) => port.xdp).map((port) => port.mtu);
    return this.workers * arenaBytesFor(sockets, chunkBytesFor(Math.max(0, ...mtus)));
  }

  /** Opens all, or none. */
  open(): void {
    try {
      if (this.ready.size > 0) this.table = new SteeringTable();
      this.steer();
      for (const port of this.config.ports) this.devices.push(this.openPort(port));
      this.steerQueues();
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** The same ports with another configuration: their addresses may have changed. */
  follow(after: Config): void {
    for (const port of after.ports) port.mac = this.ready.get(port.index)?.mac ?? port.mac;
    this.config = after;
    this.steer();
    this.steerQueues();
  }

  close(): void {
    for (const nic of this.nics.splice(0)) nic.close();
    for (const devices of [this.devices, ...this.queues]) {
      for (const device of devices.splice(0)) if (!device.nic) close(device.descriptor);
    }
    if (this.table) close(this.table.map);
    this.table = undefined;
  }

  private openPort(port: PortConfig): Device {
    const ready = this.ready.get(port.index);
    if (ready && this.table) {
      const nic = OpenNic.open(nicOptions(this.config, port), ready, this.table);
      this.nics.push(nic);
      return { index: port.index, name: port.device, descriptor: -1, nic: nic.place };
    }
    const place = port.namespacePath === undefined ? {} : { namespacePath: port.namespacePath };
    const device = { index: port.index, name: port.device };
    if (port.isNic) return { ...device, descriptor: openPacketSocket(port.device, { mac: parseMac(port.mac) ?? new Uint8Array(6), ...place }) };
    // A worker's queue is known by its place among those opened.
    const open = (): number => openTap(port.device, { vnetHeader: true, offloads: true, multiQueue: this.workers > 1, ...place });
    const first = { ...device, descriptor: open() };
    for (const queues of this.queues) queues.push({ ...device, descriptor: open() });
    return first;
  }

  /** How a port's frames find their worker, in words; "" when there is one. */
  steeringOf(port: number): string {
    return this.steering.get(port) ?? "";
  }

  /** Tells the TAPs which of their queues is whose. */
  private steerQueues(): void {
    if (this.workers === 1) return;
    const addresses = this.config.ports.flatMap((port) => port.addresses.map((address) => address.split("/")[0] ?? ""));
    for (const { index, descriptor } of this.devices) this.steering.set(index, steer(descriptor, addresses, this.seed, this.workers));
  }

  /** Tells the NICs' programs whose addresses are whose. */
  private steer(): void {
    const { ports } = this.config;
    const paths = new Set(ports.filter((port) => port.xdp).map((port) => port.namespacePath));
    this.table?.set(ports.flatMap((port) => port.addresses), [...paths].flatMap((path) => kernelAddresses(path)));
  }
}

/** Packets of others that are taken in for firewall marks come to no address of ours: all that is sent to the NIC is looked at. */
function nicOptions(config: Config, port: PortConfig): NicOptions {
  const { mode = "auto", queues, isGateway = false } = port.xdp ?? {};
  return { name: port.device, namespacePath: port.namespacePath, mode, queues, mtu: port.mtu, isGateway: isGateway || config.transparent.length > 0 };
}

function inWords<T>(port: PortConfig, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw new Error(`port ${port.name}: ${(error as Error).message}`);
  }
}

/** What the engine is told about a port: its driver decides about virtio headers and segments. */
export function modeOf(port: PortConfig): PortMode {
  if (port.xdp) return { flags: PortFlag.Up };
  const flags = PortFlag.Up | PortFlag.Vnet | PortFlag.Segments;
  if (!port.isHost) return { flags };
  return { flags: flags | PortFlag.Host, peerMac: port.peerMac ?? hostPeerMac(port) };
}
