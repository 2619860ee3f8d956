// SCTP associations: the whole road and walks off it, bundles, sums that are wrong, restarts.

import { crc32c } from "../../packet/sums.js";
import { ipPacket } from "../packets.js";
import { clientAddress, serverAddress } from "../place.js";
import type { Random } from "../random.js";
import { advance, build, command, farm, inside, outside, reached, sysctl, type Farm, type Play } from "./talk.js";

const SCTP = 132;
const DATA = 0, INIT = 1, INIT_ACK = 2, SACK = 3, HEARTBEAT = 4, ABORT = 6, SHUTDOWN = 7, SHUTDOWN_ACK = 8, ERROR = 9;
const COOKIE_ECHO = 10, COOKIE_ACK = 11, SHUTDOWN_COMPLETE = 14;
const KINDS = [DATA, INIT, INIT_ACK, SACK, HEARTBEAT, ABORT, SHUTDOWN, SHUTDOWN_ACK, ERROR, COOKIE_ECHO, COOKIE_ACK, SHUTDOWN_COMPLETE, 0xc1];

/** A chunk of some type with its length field and padding (RFC 9260 section 3.2). */
function chunk(type: number, data: Buffer): Buffer {
  const bytes = Buffer.alloc((4 + data.length + 3) & ~3);
  bytes.set([type, 0], 0);
  bytes.writeUInt16BE(4 + data.length, 2);
  bytes.set(data, 4);
  return bytes;
}

function packetOf(sourcePort: number, targetPort: number, chunks: readonly Buffer[], wrongSum: boolean): Buffer {
  const bytes = Buffer.concat([Buffer.alloc(12), ...chunks]);
  bytes.writeUInt16BE(sourcePort, 0);
  bytes.writeUInt16BE(targetPort, 2);
  bytes.writeUInt32BE(0x2222, 4);
  bytes.writeUInt32LE(wrongSum ? 0x12345678 : crc32c(bytes), 8);
  return bytes;
}

function body(random: Random, type: number): Buffer {
  if (type === INIT || type === INIT_ACK) return random.bytes(16);
  if (type === SHUTDOWN_ACK || type === COOKIE_ACK) return random.bytes(0);
  return random.bytes(4 + random.below(40));
}

/** One association from one port of a client. */
class Association {
  server: number | undefined;
  constructor(readonly place: Farm, private readonly random: Random, readonly client: string, readonly port: number) {}

  private chunks(types: readonly number[]): Buffer[] {
    return types.map((type) => chunk(type, body(this.random, type)));
  }

  *says(...types: number[]): Play {
    const payload = packetOf(this.port, this.place.port, this.chunks(types), this.random.chance(4));
    this.server = reached(yield* outside(this.client, ipPacket({ source: this.client, target: this.place.virtual, protocol: SCTP, payload }))) ?? this.server;
  }

  *answers(...types: number[]): Play {
    if (this.server === undefined) return;
    const source = serverAddress(this.place.family, this.server);
    const payload = packetOf(this.place.serverPort, this.port, this.chunks(types), this.random.chance(4));
    yield* inside(this.server, ipPacket({ source, target: this.client, protocol: SCTP, payload }));
  }
}

/** Associations along the whole road, left at any point for a walk; listed after every packet. */
export function* associations(random: Random): Play {
  const method = random.pick(["-m", "-m", "-g"]);
  const place = farm(random.chance(30) ? 6 : 4, "sctp", 80 + random.below(300), method === "-m" ? 8080 : 0);
  if (method !== "-m") place.serverPort = place.port;
  yield* build(place, { words: `-s ${random.pick(["rr", "lc", "wlc"])}`, servers: [1 + random.below(9), 10 + random.below(9)], method });
  if (random.chance(25)) yield* sysctl("sloppy_sctp", 1);
  const road: readonly (readonly [boolean, ...number[]])[] = [
    [true, INIT], [false, INIT_ACK], [true, COOKIE_ECHO, ...(random.chance(30) ? [DATA] : [])], [false, COOKIE_ACK, ...(random.chance(20) ? [SACK] : [])],
    [true, DATA], [false, SACK, DATA], [true, SHUTDOWN], [false, SHUTDOWN_ACK], [true, SHUTDOWN_COMPLETE],
  ];
  for (let k = 0; k < 4; k++) {
    const one = new Association(place, random, clientAddress(place.family, random.below(5)), 40000 + random.below(3));
    const leave = random.chance(40) ? road.length : random.below(road.length);
    for (const [fromClient, ...types] of road.slice(0, leave)) {
      yield* fromClient ? one.says(...types) : one.answers(...types);
      yield* command("ipvsadm -Lnc");
    }
    for (let steps = leave === road.length ? 2 : 5; steps > 0; steps--) {
      const types = Array.from({ length: random.chance(70) ? 1 : 2 }, () => random.pick(KINDS));
      yield* random.chance(50) ? one.says(...types) : one.answers(...types);
      yield* command("ipvsadm -Lnc");
    }
  }
  yield* command("ipvsadm -Ln");
  yield* advance(7);
  yield* command("ipvsadm -Ln --stats");
}
