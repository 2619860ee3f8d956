// What plays are made of: steps that wait for what came out of them, and conversations that answer it.

import type { Step } from "../../oracle/kernel/recorder.js";
import { addressBytes, ethernet, ipPacket, TCP, tcpSegment, UDP, udpDatagram, type IpOptions, type Ports } from "../packets.js";
import { clientMac, MAC_IN, MAC_INNER_GATEWAY, MAC_OUT, serverAddress, serverMac, VIRTUAL, type Family } from "../place.js";
import type { Emitted } from "../generator.js";

/** A scenario that yields steps and is handed the frames that came out because of each. */
export type Play<Result = void> = Generator<Step, Result, readonly Emitted[]>;

export const FIN = 0x01, SYN = 0x02, RST = 0x04, PSH = 0x08, ACK = 0x10;

/** One command, or several in one script that goes on after a failure. */
export function* command(...lines: string[]): Play {
  yield { ev: "cmd", cmd: lines.join("; ") };
}

export function* advance(seconds: number): Play {
  yield { ev: "advance", s: seconds };
}

export function* sysctl(name: string, value: number | string): Play {
  yield* command(`sysctl -w net.ipv4.vs.${name}=${value}`);
}

/** A packet from the client's side. */
export function* outside(source: string, packet: Buffer): Play<readonly Emitted[]> {
  return yield { ev: "in", if: "out", hex: ethernet(MAC_OUT, clientMac(source), packet).toString("hex") };
}

/** A packet from real server n, or with 0 from the router on its side. */
export function* inside(n: number, packet: Buffer): Play<readonly Emitted[]> {
  return yield { ev: "in", if: "in", hex: ethernet(MAC_IN, n === 0 ? MAC_INNER_GATEWAY : serverMac(n), packet).toString("hex") };
}

/** The number of the server that a frame went to, by its MAC address. */
export function reached(emitted: readonly Emitted[]): number | undefined {
  const frame = emitted.find((one) => one.port === "in" && one.bytes[4] === 2 && one.bytes[0] === 2);
  return frame ? (frame.bytes[5] ?? 0) - 10 : undefined;
}

const isFrom = ({ bytes }: Emitted, address: string): boolean => {
  const source = addressBytes(address);
  const at = source.length === 4 ? 26 : 22;
  return source.equals(bytes.subarray(at, at + source.length));
};

/** The data behind IP and TCP headers of the first frame that came out at a port. */
export function tcpData(emitted: readonly Emitted[], port: string): Buffer {
  const frame = emitted.find((one) => one.port === port);
  if (!frame) return Buffer.alloc(0);
  const bytes = Buffer.from(frame.bytes);
  const transport = bytes[12] === 8 ? 14 + ((bytes[14] ?? 0) & 15) * 4 : 54;
  return bytes.subarray(transport + ((bytes[transport + 12] ?? 0) >> 4) * 4);
}

export interface Farm {
  family: Family;
  protocol: "tcp" | "udp" | "sctp";
  /** The address clients ask for; the recordings' virtual one unless told. */
  virtual: string;
  port: number;
  serverPort: number;
  /** What names the service for ipvsadm, as `-t 10.0.1.100:80`. */
  key: string;
}

export const shown = (address: string, port: number): string => (address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`);

export function farm(family: Family, protocol: Farm["protocol"], port: number, serverPort = port): Farm {
  const virtual = VIRTUAL[family];
  const option = protocol === "sctp" ? "--sctp-service" : `-${protocol[0]}`;
  return { family, protocol, virtual, port, serverPort, key: `${option} ${shown(virtual, port)}` };
}

export interface Plan { words?: string; method?: string; servers: readonly number[]; weights?: readonly number[]; each?: string; serverFamily?: Family }

/** `-r` and what goes with it for server n. */
export function serverWords(farm: Farm, n: number, method = "-m", weight = 1, each = "", family: Family = farm.family): string {
  return `-r ${shown(serverAddress(family, n), farm.serverPort)} ${method} -w ${weight}${each === "" ? "" : ` ${each}`}`;
}

/** Adds a service with its servers. */
export function* build(farm: Farm, plan: Plan): Play {
  yield* command(
    `ipvsadm -A ${farm.key} ${plan.words ?? "-s rr"}`,
    ...plan.servers.map((n, index) => `ipvsadm -a ${farm.key} ${serverWords(farm, n, plan.method, plan.weights?.[index] ?? 1, plan.each, plan.serverFamily)}`),
  );
}

/** A TCP connection whose two sides know where they are, through any method. */
export class Conversation {
  clientNext: number;
  serverNext: number;
  server: number | undefined;

  constructor(
    readonly farm: Farm, readonly client: string, readonly clientPort: number,
    readonly options: { port?: number; nat?: boolean; first?: number; tracked?: boolean } = {},
  ) {
    this.clientNext = options.first ?? 1000;
    this.serverNext = (options.first ?? 1000) + 4000;
  }

  get toVirtual(): Ports {
    return { source: this.client, sourcePort: this.clientPort, target: this.farm.virtual, targetPort: this.options.port ?? this.farm.port };
  }

  get toClient(): Ports {
    const port = this.farm.serverPort === 0 ? this.options.port ?? 0 : this.farm.serverPort;
    return { source: serverAddress(this.farm.family, this.server ?? 1), sourcePort: port, target: this.client, targetPort: this.clientPort };
  }

  clientSegment(flags: number, data: Buffer, header: IpOptions, options?: Buffer<ArrayBuffer>): Buffer {
    const ends = this.toVirtual;
    return ipPacket({ id: 1, ...header, source: ends.source, target: ends.target, protocol: TCP,
      payload: tcpSegment(ends, flags, this.clientNext, flags & ACK ? this.serverNext : 0, data, options) });
  }

  serverSegment(flags: number, data: Buffer, header: IpOptions, options?: Buffer<ArrayBuffer>): Buffer {
    const ends = this.toClient;
    return ipPacket({ id: 1, ...header, source: ends.source, target: ends.target, protocol: TCP,
      payload: tcpSegment(ends, flags, this.serverNext, flags & ACK ? this.clientNext : 0, data, options) });
  }

  *says(flags: number, data: string | Buffer = "", header: IpOptions = {}, options?: Buffer<ArrayBuffer>): Play<readonly Emitted[]> {
    const bytes = Buffer.from(data);
    const emitted = yield* outside(this.client, this.clientSegment(flags, bytes, header, options));
    this.clientNext += bytes.length + (flags & SYN ? 1 : 0) + (flags & FIN ? 1 : 0);
    this.server ??= reached(emitted);
    return emitted;
  }

  *answers(flags: number, data: string | Buffer = "", header: IpOptions = {}, options?: Buffer<ArrayBuffer>): Play<readonly Emitted[]> {
    const bytes = Buffer.from(data);
    const { server } = this;
    const emitted = this.options.nat === false || server === undefined ? [] : yield* inside(server, this.serverSegment(flags, bytes, header, options));
    this.serverNext += bytes.length + (flags & SYN ? 1 : 0) + (flags & FIN ? 1 : 0);
    return emitted;
  }

  /** The handshake; answers who serves. */
  *open(): Play<number | undefined> {
    yield* this.says(SYN);
    if (this.server === undefined) return undefined;
    const heard = yield* this.answers(SYN | ACK);
    // A kernel that tracks (FTP behind NAT needs it) drops what follows half a handshake.
    if (this.options.tracked === true && !heard.some((one) => isFrom(one, this.farm.virtual))) return undefined;
    yield* this.says(ACK);
    return this.server;
  }
}

/** One UDP datagram of a client. */
export function* asks(farm: Farm, client: string, clientPort: number, data: string | Buffer = "x", header: IpOptions = {}): Play<readonly Emitted[]> {
  const ends = { source: client, sourcePort: clientPort, target: farm.virtual, targetPort: farm.port };
  const payload = udpDatagram(ends, Buffer.from(data));
  return yield* outside(client, ipPacket({ id: 1, ...header, source: client, target: farm.virtual, protocol: UDP, payload }));
}

/** One UDP datagram of server n to a client. */
export function* tells(
  farm: Farm, n: number, client: string, clientPort: number, data: string | Buffer = "y", header: IpOptions = {},
): Play<readonly Emitted[]> {
  const source = serverAddress(farm.family, n);
  const ends = { source, sourcePort: farm.serverPort, target: client, targetPort: clientPort };
  return yield* inside(n, ipPacket({ id: 1, ...header, source, target: client, protocol: UDP, payload: udpDatagram(ends, Buffer.from(data)) }));
}
