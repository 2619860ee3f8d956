// One client's conversation with a service: what it says next, and what its server answers.

import { clientAddress, serverAddress, SERVERS_MAX, VIRTUAL, type Service } from "./place.js";
import { addressBytes, ipPacket, tcpSegment, udpDatagram, TCP, UDP, type IpOptions, type Ports } from "./packets.js";
import type { Random } from "./random.js";
import type { Emitted } from "./generator.js";

const FIN = 0x01;
const SYN = 0x02;
const RST = 0x04;
const PSH = 0x08;
const ACK = 0x10;
const IP_AT = 14;

const TIMESTAMP_OPTION = Buffer.from("0101080a0000000100000002", "hex");
const NO_OPERATIONS = Buffer.from("01010101", "hex");
/**
 * Headers of IPv6 by their number, to be filled with the number of the next: options of the target's and of every hop's that are
 * padding, or unknown and to be passed over, dropped, told of; a routing header that has nowhere to go.
 */
const EXTENSIONS = [
  [60, "0000010400000000"], [60, "0000010400000000"], [60, "00001e0400000000"], [60, "00009e0400000000"],
  [0, "0000010400000000"], [0, "00001e0400000000"], [0, "00005e0400000000"], [0, "00009e0400000000"], [0, "0000de0400000000"], [43, "0000000000000000"],
] as const;
const SEGMENT_OPTION = Buffer.from("020405b4", "hex");

/** A walk through one TCP or UDP connection, not always a sensible one. */
export class Flow {
  readonly client: string;
  readonly clientPort: number;
  readonly virtual: string;
  /** The server that the director chose, once a packet went there untunnelled. */
  serverNumber: number | undefined;
  /** The last packets as each side received them, for errors about them. */
  seenInside: Buffer | undefined;
  seenOutside: Buffer | undefined;
  /** The last one reached its server as NAT had it, whatever this service's method: another service may have been first. */
  behindNat = false;

  constructor(readonly random: Random, readonly service: Service) {
    this.client = clientAddress(service.family, random.chance(40) ? 0 : random.below(30));
    this.clientPort = 40000 + random.below(60);
    this.virtual = VIRTUAL[service.family];
  }

  get toVirtual(): Ports {
    return { source: this.client, sourcePort: this.clientPort, target: this.virtual, targetPort: this.service.port };
  }

  /** What the chosen server would write on its packets; unknown before the director has chosen. */
  get toClient(): Ports | undefined {
    if (this.serverNumber === undefined) return undefined;
    return {
      source: serverAddress(this.service.family, this.serverNumber), sourcePort: this.service.serverPort,
      target: this.client, targetPort: this.clientPort,
    };
  }

  /** A header as it mostly is, at times as it seldom is. */
  private header(): IpOptions {
    const { random } = this;
    const header: IpOptions = {
      id: random.below(65536),
      ttl: random.chance(4) ? random.below(3) : 64,
      tos: random.chance(5) ? random.pick([0x10, 0xb8, 1, 3]) : 0,
      mayFragment: random.chance(20),
    };
    // No-operation options; for IPv6 another header, but not before TCP: a kernel looks for its flags at a fixed place and
    // takes the state from whatever stands there.
    const { family, protocol } = this.service;
    if (family === 4) return random.chance(2) ? { ...header, options: NO_OPERATIONS } : header;
    if (protocol === "tcp" || random.chance(96)) return header;
    const [extension, options] = random.pick(EXTENSIONS);
    return { ...header, extension, options: Buffer.from(options, "hex") };
  }

  private data(): Buffer {
    const bytes = this.random.weighted([[60, 0], [20, 20], [8, 501], [8, 1200], [2, 1460], [2, 1]] as const);
    return this.random.bytes(Math.min(bytes, 1440));
  }

  private packet(ends: Ports, flags: number): Buffer {
    const { random } = this;
    const header = this.header();
    const { source, target } = ends;
    if (this.service.protocol === "udp") {
      const payload = udpDatagram(ends, random.bytes(random.pick([0, 1, 30, 30, 700, 1400])));
      if (random.chance(4)) payload.writeUInt16BE(random.chance(50) && this.service.family === 4 ? 0 : random.below(65536), 6);
      return ipPacket({ ...header, source, target, protocol: UDP, payload });
    }
    const options = flags & SYN ? SEGMENT_OPTION : random.chance(20) ? TIMESTAMP_OPTION : Buffer.alloc(0);
    const sequence = random.below(2 ** 31);
    const acknowledged = flags & ACK ? random.below(2 ** 31) : 0;
    const payload = tcpSegment(ends, flags, sequence, acknowledged, flags & (SYN | RST) ? Buffer.alloc(0) : this.data(), options);
    if (random.chance(2)) payload.writeUInt16BE(random.below(65536), 16);
    return ipPacket({ ...header, source, target, protocol: TCP, payload });
  }

  firstPacket(): Buffer {
    const flags = this.random.weighted([[92, SYN], [3, ACK], [2, SYN | ACK], [1, FIN | ACK], [1, RST], [1, 0]] as const);
    return this.packet(this.toVirtual, flags);
  }

  clientPacket(): Buffer {
    // Never SYN with RST: a kernel then gives the connection up at its next tick, and time stands still here
    // between frames (the recording "answers" has that case with time in it).
    const flags = this.random.weighted([
      [40, ACK], [25, PSH | ACK], [14, FIN | ACK], [4, RST], [3, RST | ACK], [10, SYN], [2, FIN], [1, 0], [1, 0x29],
    ] as const);
    return this.packet(this.toVirtual, flags);
  }

  /** What the server says, to whom it saw; nothing before it saw anybody. */
  serverPacket(): Buffer | undefined {
    const ends = this.toClient;
    if (!ends) return undefined;
    const flags = this.random.weighted([[34, SYN | ACK], [30, ACK], [15, PSH | ACK], [14, FIN | ACK], [5, RST], [1, 0], [1, SYN]] as const);
    return this.packet(ends, flags);
  }

  /** Learns from a frame that came out because of this flow. */
  saw({ port, bytes }: Emitted): void {
    const packet = Buffer.from(bytes.subarray(IP_AT));
    if (port === "in") {
      this.seenInside = packet;
      const [at, size] = (packet[0] ?? 0) >> 4 === 4 ? [12, 4] : [8, 16];
      const isClients = packet.subarray(at, at + size).equals(addressBytes(this.client));
      this.behindNat = isClients && !packet.subarray(at + size, at + 2 * size).equals(addressBytes(this.virtual));
      const number = (bytes[5] ?? 0) - 10;
      if ((this.service.method === "m" || this.behindNat) && number >= 1 && number <= SERVERS_MAX) this.serverNumber = number;
    } else {
      this.seenOutside = packet;
    }
  }
}
