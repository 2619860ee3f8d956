// A NIC taken into the director's service: the steering program on it, and what the driver afxdp needs to know.

import { networkInterfaces } from "node:os";
import { counted } from "../engine/counted.js";
import { attachXdp, loadXdp, makeMap, MapKind, XdpPlace } from "./sys/bpf.js";
import { close } from "./sys/libc.js";
import { inNamespace } from "./sys/netns.js";
import { probeNic, type Nic } from "./sys/nic.js";
import { steeringProgram, type SteeringTable } from "./steering.js";
import { chunkBytesFor, SOCKETS_MAX } from "./umem.js";

/** How a NIC's frames may come; `auto` tries the others in this order. */
export const NIC_MODES = ["auto", "zero-copy", "native", "generic"] as const;
export type NicMode = (typeof NIC_MODES)[number];

export interface NicOptions {
  name: string;
  namespacePath: string | undefined;
  mode: NicMode;
  /** Queues to serve; all the NIC has without it. */
  queues: number | undefined;
  mtu: number;
  /** The servers' gateway: what is sent to the NIC's hardware address is the director's, but for the kernel's addresses. */
  isGateway: boolean;
}

/** What the pump's thread needs of a NIC. */
export interface NicPlace {
  interfaceIndex: number;
  namespacePath: string | undefined;
  /** Numbers of those that are served. */
  queues: readonly number[];
  chunkBytes: number;
  /** The program's map of sockets by queue. */
  sockets: number;
  isDriverMode: boolean;
  mode: NicMode;
  /** Why the program runs where it does. */
  why: string;
  /** Frames may come with checksums that their sender left for a card to finish, and nothing says so. */
  isUnfinished: boolean;
  /**
   * Beside a packet socket: the program, which the driver attaches and detaches, and the map by which it is told since when that
   * socket is empty. Without it the program is there already.
   */
  shortcut?: { name: string; program: number; emptied: number };
}

// Interfaces without a wire hand over what the peer's kernel would have left to its card.
export const WITHOUT_WIRE = new Set(["veth", "bridge", "tun", "macvlan", "ipvlan", "virtio_net", "xen_netfront"]);

/** Looks at a NIC before anything is opened. Throws what is wrong with the wish, in words. */
export function readyNic(options: NicOptions): Nic & { served: number } {
  const nic = probeNic(options.name, options.namespacePath);
  const { name, mtu, queues = nic.queues } = options;
  if (!nic.isUp) throw new Error(`${name} is down: \`ip link set dev ${name} up\` first`);
  requireMtu(nic, name, mtu);
  if (queues > nic.queues) throw new Error(`${name} has ${nic.queues} queues, not ${queues}`);
  if (queues > SOCKETS_MAX) throw new Error(`${name} has ${queues} queues, ${SOCKETS_MAX} can be served: \`${setQueues(name, nic, SOCKETS_MAX)}\``);
  return { ...nic, served: queues };
}

/** The command that gives a card so many queues. */
function setQueues(name: string, { isCombined }: Nic, count: number): string {
  return `ethtool -L ${name} ${isCombined ? `combined ${count}` : `rx ${count} tx ${count}`}`;
}

/** Throws in words when a NIC cannot give each worker a queue of its own. */
export function requireQueueEach({ name, queues }: NicOptions, nic: Nic & { served: number }, workers: number): void {
  if (nic.served >= workers) return;
  const problem = `${name} has ${counted(nic.served, "queue")} to serve, and each of ${workers} workers needs one of its own`;
  if (queues !== undefined) throw new Error(`${problem}: raise \`queues\`, or take fewer workers`);
  if (nic.queuesMost < workers) throw new Error(`${problem}: the card has no more, take fewer workers`);
  throw new Error(`${problem}: \`${setQueues(name, nic, workers)}\`, or take fewer workers`);
}

/** What one of several workers serves of a NIC: a socket receives only what comes by its own queue, so queues are dealt out. */
export function partOf(place: NicPlace, worker: number, workers: number): NicPlace {
  return { ...place, queues: place.queues.filter((queue) => queue % workers === worker) };
}

/** Throws when a port would send what does not fit the NIC. */
export function requireMtu(nic: Nic, name: string, mtu: number): void {
  const ways = `give the port \`mtu: ${nic.mtu}\`, or \`ip link set dev ${name} mtu ${mtu}\``;
  if (mtu > nic.mtu) throw new Error(`${name} has an MTU of ${nic.mtu}, the port ${mtu}: ${ways}`);
}

/** A NIC with the program on it. Until sockets are entered, everything goes on to the kernel. */
export class OpenNic {
  private constructor(readonly place: NicPlace, private readonly descriptors: readonly number[]) {}

  static open(options: NicOptions, nic: Nic & { served: number }, table: SteeringTable): OpenNic {
    const { name, mode, namespacePath } = options;
    const descriptors: number[] = [];
    try {
      const sockets = makeMap(MapKind.Sockets, 4, 4, nic.queues);
      descriptors.push(sockets);
      const mac = Buffer.from(nic.mac.replaceAll(":", ""), "hex");
      const program = loadXdp(steeringProgram({ addresses: table.map, sockets, gatewayMac: options.isGateway ? mac : undefined }));
      descriptors.push(program);
      const { link, isDriverMode, why } = attach(program, name, nic.index, mode, namespacePath);
      descriptors.push(link);
      const place = {
        interfaceIndex: nic.index, namespacePath, queues: numbersBelow(nic.served), chunkBytes: chunkBytesFor(options.mtu), sockets, isDriverMode, mode, why,
        isUnfinished: !isDriverMode || WITHOUT_WIRE.has(nic.driver),
      };
      return new OpenNic(place, descriptors);
    } catch (error) {
      descriptors.forEach((descriptor) => close(descriptor));
      throw error;
    }
  }

  /** Detaches the program. */
  close(): void {
    [...this.descriptors].reverse().forEach((descriptor) => close(descriptor));
  }
}

function attach(program: number, name: string, index: number, mode: NicMode, path: string | undefined): { link: number; isDriverMode: boolean; why: string } {
  const at = (place: XdpPlace): number => {
    const make = (): number => attachXdp(program, name, index, place);
    return path === undefined ? make() : inNamespace(path, make);
  };
  if (mode === "generic") return { link: at(XdpPlace.Generic), isDriverMode: false, why: "the configuration says so" };
  try {
    return { link: at(XdpPlace.Driver), isDriverMode: true, why: mode === "auto" ? "the NIC's driver runs the program" : "the configuration says so" };
  } catch (error) {
    if (mode !== "auto") throw error;
    return { link: at(XdpPlace.Generic), isDriverMode: false, why: `the NIC's driver does not run the program: ${(error as Error).message}` };
  }
}

/** 0 and what follows it. */
export function numbersBelow(count: number): number[] {
  return Array.from({ length: count }, (_, number) => number);
}

export interface KernelAddress { device: string; address: string; prefix: string }

/** Addresses of the kernel itself where a NIC is: no frame to them is the director's. */
export function kernelAddresses(namespacePath: string | undefined): KernelAddress[] {
  const find = (): KernelAddress[] => Object.entries(networkInterfaces()).flatMap(([device, all]) =>
    all?.map(({ address, cidr }) => ({ device, address, prefix: cidr ?? address })) ?? []);
  return namespacePath === undefined ? find() : inNamespace(namespacePath, find);
}
