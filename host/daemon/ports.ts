// The director's ports, opened: TAPs it makes, NICs it shares with the kernel or takes frames from by AF_XDP.

import { PortFlag } from "../../assembly/abi/enums.js";
import { parseMac } from "../engine/address.js";
import type { Device } from "../io/driver.js";
import { kernelAddresses, OpenNic, readyNic, type NicOptions } from "../io/nic.js";
import { Shortcut } from "../io/shortcut.js";
import { SteeringTable } from "../io/steering.js";
import { close } from "../io/sys/libc.js";
import { openPacketSocket } from "../io/sys/packetsocket.js";
import { openTap } from "../io/sys/tun.js";
import { arenaBytesFor, chunkBytesFor, NIC_MTU_MAX, SOCKETS_MAX } from "../io/umem.js";
import type { PortMode } from "./apply.js";
import type { Config, PortConfig } from "./config.js";
import { hostPeerMac } from "./host.js";
import { share, steer, steerSockets, type Ownership } from "./workers.js";

type ReadyNic = ReturnType<typeof readyNic>;
/** NICs shared by sockets that may have AF_XDP beside, by port; else why not. */
interface Shorter { nics: ReadonlyMap<number, ReadyNic>; why: string }

export class Ports {
  readonly devices: Device[] = [];
  /** The devices' other queues, for each worker after the first. */
  readonly queues: Device[][];
  /** By port, how frames find their worker. */
  private readonly steering = new Map<number, string>();
  private readonly nics: OpenNic[] = [];
  private readonly shortcuts: Shortcut[] = [];
  private table: SteeringTable | undefined;

  private constructor(
    private config: Config, private readonly ready: ReadonlyMap<number, ReadyNic>, private readonly shorter: Shorter, private readonly workers: number,
    private readonly seed: number,
  ) {
    this.queues = Array.from({ length: workers - 1 }, () => []);
  }

  /** Looks at the NICs, whose hardware addresses the ports take over. Nothing is opened. */
  static prepare(config: Config, workers: number, seed: number): Ports {
    const ready = new Map<number, ReadyNic>();
    for (const port of config.ports) {
      if (workers > 1 && port.xdp) throw new Error(`port ${port.name}: several workers take no frames by AF_XDP; set workers: 1, or attach: nic`);
      if (!port.xdp) continue;
      const nic = inWords(port, () => readyNic(nicOptions(config, port)));
      ready.set(port.index, nic);
      port.mac = nic.mac;
    }
    return new Ports(config, ready, findShorter(config, ready, workers), workers, seed);
  }

  /** What the drivers need of the engine's memory. */
  get arenaBytes(): number {
    const sockets = countQueues([...this.ready.values(), ...this.shorter.nics.values()]);
    const mtus = this.config.ports.filter((port) => port.xdp ?? this.shorter.nics.has(port.index)).map((port) => port.mtu);
    return this.workers * arenaBytesFor(sockets, chunkBytesFor(Math.max(0, ...mtus)));
  }

  /** Opens all, or none. */
  open(): void {
    try {
      if (this.ready.size > 0) this.table = new SteeringTable();
      this.steer();
      for (const port of this.config.ports) this.devices.push(inWords(port, () => this.openPort(port)));
      this.shareNics();
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
    for (const nic of [...this.nics.splice(0), ...this.shortcuts.splice(0)]) nic.close();
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
    const mac = parseMac(port.mac) ?? new Uint8Array(6);
    // A worker's queue, or socket, is known by its place among those opened.
    const open = (): number => port.isNic ? openPacketSocket(port.device, { mac, ...place })
      : openTap(port.device, { vnetHeader: true, offloads: true, multiQueue: this.workers > 1, ...place });
    const first = { ...device, descriptor: open(), ...(port.isNic ? { mtu: port.mtu, ...this.loadShortcut(port, mac) } : {}) };
    for (const queues of this.queues) queues.push({ ...device, descriptor: open() });
    return first;
  }

  /** A way past the kernel for a port's frames, or why there is none. */
  private loadShortcut(port: PortConfig, mac: Uint8Array): Pick<Device, "nic" | "why"> {
    const nic = this.shorter.nics.get(port.index);
    if (!nic) return this.shorter.why === "" ? {} : { why: this.shorter.why };
    try {
      const shortcut = Shortcut.load({ name: port.device, namespacePath: port.namespacePath, mac, mtu: port.mtu }, nic);
      this.shortcuts.push(shortcut);
      return { nic: shortcut.place };
    } catch (error) {
      return { why: (error as Error).message };
    }
  }

  /** How a port's frames find their worker, in words; "" when there is one. */
  steeringOf(port: number): string {
    return this.steering.get(port) ?? "";
  }

  private get ownership(): Ownership {
    const addresses = this.config.ports.flatMap((port) => port.addresses.map((address) => address.split("/")[0] ?? ""));
    return { addresses, seed: this.seed, workers: this.workers };
  }

  private isNic(index: number): boolean {
    return this.config.ports.find((port) => port.index === index)?.isNic === true;
  }

  /** Each frame of a NIC goes to one of its sockets. */
  private shareNics(): void {
    if (this.workers === 1) return;
    for (const { index, descriptor } of this.devices) {
      const others = this.queues.map((queues) => queues.find((one) => one.index === index)?.descriptor ?? -1);
      if (this.isNic(index)) share([descriptor, ...others], this.ownership);
    }
  }

  /** Tells the devices which of their queues is whose. */
  private steerQueues(): void {
    if (this.workers === 1) return;
    for (const { index, descriptor } of this.devices) {
      this.steering.set(index, this.isNic(index) ? steerSockets(descriptor, this.ownership) : steer(descriptor, this.ownership));
    }
  }

  /** Tells the NICs' programs whose addresses are whose. */
  private steer(): void {
    const { ports } = this.config;
    const paths = new Set(ports.filter((port) => port.xdp).map((port) => port.namespacePath));
    this.table?.set(ports.flatMap((port) => port.addresses), [...paths].flatMap((path) => kernelAddresses(path).map(({ address }) => address)));
  }
}

/** With `driver: auto` sockets on NICs get AF_XDP beside them, if all can have it. */
function findShorter(config: Config, ready: ReadonlyMap<number, ReadyNic>, workers: number): Shorter {
  const nics = new Map<number, ReadyNic>();
  if (config.driver !== "auto") return { nics, why: "" };
  if (workers > 1) return { nics, why: "several workers share what comes by sockets" };
  try {
    for (const port of config.ports.filter((one) => one.isNic)) {
      if (port.mtu > NIC_MTU_MAX) throw new Error(`port ${port.name}: an MTU above ${NIC_MTU_MAX}`);
      nics.set(port.index, readyNic({ ...nicOptions(config, port), queues: undefined }));
    }
    const queues = countQueues([...nics.values(), ...ready.values()]);
    if (queues > SOCKETS_MAX) throw new Error(`the NICs have ${queues} queues, ${SOCKETS_MAX} can be served`);
    return { nics, why: "" };
  } catch (error) {
    return { nics: new Map(), why: (error as Error).message };
  }
}

function countQueues(nics: readonly ReadyNic[]): number {
  return nics.reduce((sum, nic) => sum + nic.served, 0);
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
