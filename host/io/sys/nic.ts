// What the kernel knows of a network interface, by ioctl: /sys would show another namespace's.

import { addressOf, checked, close, interfaceIndex, ioctl, socket } from "./libc.js";
import { inNamespace } from "./netns.js";

const AF_INET = 2;
const SOCK_DGRAM = 2;
const SIOCGIFFLAGS = 0x8913;
const SIOCGIFMTU = 0x8921;
const SIOCGIFHWADDR = 0x8927;
const SIOCETHTOOL = 0x8946;
const ETHTOOL_DRIVER = 3;
const ETHTOOL_CHANNELS = 0x3c;
const IFF_UP = 1;
const REQUEST_BYTES = 40; // struct ifreq: 16 of name, then here what is asked for
const ANSWER_AT = 16;

/** `queuesMost` is how many it can be given; `isCombined` whether ethtool counts its queues in pairs, one to receive and one to send. */
export interface Nic { index: number; mac: string; mtu: number; isUp: boolean; driver: string; queues: number; queuesMost: number; isCombined: boolean }

/** Looks at an interface. Throws in words for an operator when there is none of this name. */
export function probeNic(name: string, namespacePath?: string): Nic {
  return namespacePath === undefined ? probe(name) : inNamespace(namespacePath, () => probe(name));
}

function probe(name: string): Nic {
  const index = interfaceIndex(name);
  if (index === 0) throw new Error(`there is no interface ${name} here; \`ip link\` lists those that are`);
  const fd = checked(socket(AF_INET, SOCK_DGRAM, 0), "open a socket");
  try {
    const mac = ask(fd, name, SIOCGIFHWADDR).subarray(2, 8);
    return {
      index, mac: Array.from(mac, (byte) => byte.toString(16).padStart(2, "0")).join(":"),
      mtu: ask(fd, name, SIOCGIFMTU).readInt32LE(), isUp: (ask(fd, name, SIOCGIFFLAGS).readUInt16LE() & IFF_UP) !== 0,
      driver: driverOf(fd, name), ...queuesOf(fd, name),
    };
  } finally {
    close(fd);
  }
}

/** Asks again and again whether an interface is up, by a socket of the interface's own namespace. */
export class LinkProbe {
  private readonly fd: number;

  constructor(private readonly name: string, namespacePath: string | undefined) {
    const open = (): number => checked(socket(AF_INET, SOCK_DGRAM, 0), "open a socket");
    this.fd = namespacePath === undefined ? open() : inNamespace(namespacePath, open);
  }

  /** False also of one that has gone. */
  get isUp(): boolean {
    return ((this.ask(SIOCGIFFLAGS)?.readUInt16LE(ANSWER_AT) ?? 0) & IFF_UP) !== 0;
  }

  /** 0 of one that has gone. */
  get mtu(): number {
    return this.ask(SIOCGIFMTU)?.readInt32LE(ANSWER_AT) ?? 0;
  }

  private ask(what: number): Buffer | undefined {
    const request = Buffer.alloc(REQUEST_BYTES);
    request.write(this.name);
    return ioctl(this.fd, what, addressOf(request)) < 0 ? undefined : request;
  }

  close(): void {
    close(this.fd);
  }
}

function ask(fd: number, name: string, what: number): Buffer {
  const request = Buffer.alloc(REQUEST_BYTES);
  request.write(name);
  checked(ioctl(fd, what, addressOf(request)), `ask about interface ${name}`);
  return request.subarray(ANSWER_AT);
}

/** Fills a record of ethtool's; false when the interface does not know it. */
function ethtool(fd: number, name: string, record: Buffer): boolean {
  const request = Buffer.alloc(REQUEST_BYTES);
  request.write(name);
  request.writeBigUInt64LE(BigInt(addressOf(record)), ANSWER_AT);
  return ioctl(fd, SIOCETHTOOL, addressOf(request)) >= 0;
}

/** "" when nobody knows. */
function driverOf(fd: number, name: string): string {
  const record = Buffer.alloc(196);
  record.writeUInt32LE(ETHTOOL_DRIVER);
  return ethtool(fd, name, record) ? record.toString("latin1", 4, record.indexOf(0, 4)) : "";
}

/** Queues that frames come in by. */
function queuesOf(fd: number, name: string): Pick<Nic, "queues" | "queuesMost" | "isCombined"> {
  const record = Buffer.alloc(36); // struct ethtool_channels
  record.writeUInt32LE(ETHTOOL_CHANNELS);
  if (!ethtool(fd, name, record)) return { queues: 1, queuesMost: 1, isCombined: false };
  const [receivingMost = 0, combinedMost = 0, receiving = 0, combined = 0] = [4, 16, 20, 32].map((at) => record.readUInt32LE(at));
  const isCombined = combinedMost > 0;
  const queues = Math.max(1, receiving + combined);
  return { queues, queuesMost: Math.max(queues, isCombined ? combinedMost : receivingMost), isCombined };
}
