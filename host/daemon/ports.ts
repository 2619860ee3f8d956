// The director's ports, opened: TAPs it makes, NICs it shares with the kernel or takes frames from by AF_XDP.

import { PortFlag } from "../../assembly/abi/enums.js";
import { parseMac } from "../engine/address.js";
import type { Device } from "../io/driver.js";
import { kernelAddresses, OpenNic, partOf, requireMtu } from "../io/nic.js";
import { Shortcut } from "../io/shortcut.js";
import { SteeringTable } from "../io/steering.js";
import { close } from "../io/sys/libc.js";
import { probeNic } from "../io/sys/nic.js";
import { openPacketSocket } from "../io/sys/packetsocket.js";
import { openTap } from "../io/sys/tun.js";
import { arenaBytesFor, chunkBytesFor } from "../io/umem.js";
import type { PortMode } from "../config/apply.js";
import type { Config, PortConfig } from "../config/config.js";
import { hostPeerMac } from "./host.js";
import { countQueuesEach, findShorter, inWords, nicOptions, requireQueues, type ReadyNic, type ReadyNics, type Shorter } from "./nics.js";
import { share, steer, steerSockets, type Ownership } from "./workers.js";

/** How frames by AF_XDP find their worker: a socket receives what comes by its queue, and nothing else. */
const OWN_QUEUES = "the NIC spreads frames over its queues, which workers have in turn; what is another's is handed over";

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
    private config: Config, private readonly ready: ReadyNics, private readonly shorter: Shorter, private readonly workers: number,
    private readonly seed: number,
  ) {
    this.queues = Array.from({ length: workers - 1 }, () => []);
  }

  /** Ports take over their NICs' hardware addresses. Nothing is opened. Throws in words when NICs have not enough for the workers. */
  static prepare(config: Config, ready: ReadyNics, workers: number, seed: number): Ports {
    requireQueues(config, ready, workers);
    for (const port of config.ports) port.mac = ready.get(port.index)?.mac ?? port.mac;
    return new Ports(config, ready, findShorter(config, ready, workers), workers, seed);
  }

  /** What the drivers of one worker need of the engine's memory. */
  get arenaBytes(): number {
    const { ready, shorter, workers } = this;
    const sockets = countQueuesEach(ready, workers) + countQueuesEach(shorter.nics, workers);
    const mtus = this.config.ports.filter((port) => port.xdp ?? shorter.nics.has(port.index)).map((port) => port.mtu);
    return arenaBytesFor(sockets, chunkBytesFor(Math.max(0, ...mtus)));
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
      for (const { descriptor } of devices.splice(0)) if (descriptor >= 0) close(descriptor);
    }
    if (this.table) close(this.table.map);
    this.table = undefined;
  }

  private openPort(port: PortConfig): Device {
    const device = { index: port.index, name: port.device };
    const ready = this.ready.get(port.index);
    if (ready && this.table) {
      const { place } = this.openNic(port, ready, this.table);
      const part = (worker: number): Device => ({ ...device, descriptor: -1, nic: partOf(place, worker, this.workers) });
      this.queues.forEach((queues, index) => queues.push(part(index + 1)));
      return part(0);
    }
    const place = port.namespacePath === undefined ? {} : { namespacePath: port.namespacePath };
    const mac = parseMac(port.mac) ?? new Uint8Array(6);
    // A worker's queue, or socket, is known by its place among those opened.
    const open = (): number => port.isNic ? openPacketSocket(port.device, { mac, ...place })
      : openTap(port.device, { vnetHeader: true, offloads: true, multiQueue: this.workers > 1, ...place });
    if (port.isNic) requireMtu(probeNic(port.device, port.namespacePath), port.device, port.mtu);
    const first = { ...device, descriptor: open(), ...(port.isNic ? { mtu: port.mtu, ...this.loadShortcut(port, mac) } : {}) };
    for (const queues of this.queues) queues.push({ ...device, descriptor: open() });
    return first;
  }

  private openNic(port: PortConfig, ready: ReadyNic, table: SteeringTable): OpenNic {
    const nic = OpenNic.open(nicOptions(this.config, port), ready, table);
    this.nics.push(nic);
    return nic;
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
      if (descriptor < 0) this.steering.set(index, OWN_QUEUES);
      else this.steering.set(index, this.isNic(index) ? steerSockets(descriptor, this.ownership) : steer(descriptor, this.ownership));
    }
  }

  /** Tells the NICs' programs whose addresses are whose. */
  private steer(): void {
    const { ports } = this.config;
    const paths = new Set(ports.filter((port) => port.xdp).map((port) => port.namespacePath));
    this.table?.set(ports.flatMap((port) => port.addresses), [...paths].flatMap((path) => kernelAddresses(path).map(({ address }) => address)));
  }
}

/** What the engine is told about a port: its driver decides about virtio headers and segments. */
export function modeOf(port: PortConfig): PortMode {
  if (port.xdp) return { flags: PortFlag.Up };
  const flags = PortFlag.Up | PortFlag.Vnet | PortFlag.Segments;
  if (!port.isHost) return { flags };
  return { flags: flags | PortFlag.Host, peerMac: port.peerMac ?? hostPeerMac(port) };
}
