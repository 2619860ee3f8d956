// What does not belong to a tidy conversation: errors about it, its packets in pieces, frames of nobody.

import type { Step } from "../oracle/kernel/recorder.js";
import type { Flow } from "./flow.js";
import type { Side } from "./generator.js";
import {
  addressBytes, ethernet, fragment, ICMP, ICMP6, icmpMessage, ipPacket, piecesOf, sumWords, tcpSegment, TCP, UDP, udpDatagram, type IpPacket,
} from "./packets.js";
import { clientAddress, clientMac, MAC_IN, MAC_INNER_GATEWAY, MAC_OUT, OWN, serverAddress, serverMac, VIRTUAL, type Family, type Service } from "./place.js";
import type { Random } from "./random.js";

const IP_AT = 14;
const UNREACHABLE4 = [3, 3] as const;
/** Type, code and the word after the checksum: unreachable, too big, time exceeded, and what is no error. */
const ERRORS4 = [
  [...UNREACHABLE4, 0], [3, 1, 0], [3, 4, 1300], [3, 4, 576], [11, 0, 0], [12, 0, 0], [4, 0, 0], [5, 1, 0],
  [3, 0, 0], [3, 2, 0], [3, 13, 0], [11, 1, 0], [3, 4, 1480], [3, 4, 1006], [3, 4, 0], [3, 4, 296],
] as const;
const ERRORS6 = [
  [1, 4, 0], [1, 0, 0], [2, 0, 1300], [2, 0, 1280], [3, 0, 0], [4, 0, 0],
  [1, 1, 0], [1, 3, 0], [3, 1, 0], [4, 1, 6], [2, 0, 1480], [2, 0, 1000],
] as const;

/** Nobody balances these: GRE, ESP, a number for experiments. */
const OTHER_PROTOCOLS = [47, 50, 254];

const step = (port: string, frame: Buffer): Step => ({ ev: "in", if: port, hex: frame.toString("hex") });

/** The packet that an error is about, at times as no honest router quotes it. */
function quoted(random: Random, about: Buffer): Buffer {
  return random.chance(12) ? damage(random, ethernet(MAC_IN, MAC_OUT, about)).subarray(IP_AT) : about;
}

function errorPacket(random: Random, family: Family, source: string, target: string, about: Buffer): Buffer {
  const [type, code, rest] = random.pick<readonly [number, number, number]>(family === 4 ? ERRORS4 : ERRORS6);
  const kept = random.weighted([[70, family === 4 ? 28 : 48], [25, 548], [5, 12 + random.below(40)]] as const);
  const payload = icmpMessage(source, target, type, code, rest, quoted(random, about).subarray(0, kept));
  return ipPacket({ source, target, protocol: family === 4 ? ICMP : ICMP6, payload, id: random.below(65536), mayFragment: true });
}

function isFrom(packet: Buffer, address: string): boolean {
  const source = addressBytes(address);
  const at = source.length === 4 ? 12 : 8;
  return source.equals(packet.subarray(at, at + source.length));
}

/** An error about a packet of a flow, from whom it reached or from a router on its way. */
export function errorAbout(random: Random, flow: Flow, side: Side): Step[] {
  const about = side === "in" ? flow.seenInside : flow.seenOutside;
  // Through a tunnel it may be of the other family.
  const family: Family = side === "in" && (about?.[0] ?? 0) >> 4 === (flow.service.family === 4 ? 6 : 4) ? flow.service.serverFamily : flow.service.family;
  // A kernel drops every ICMPv6 error of a NAT server (tests/oracle/known.ts): nothing to learn from those.
  if (!about || (side === "in" && family === 6 && flow.behindNat)) return [];
  const fromRouter = random.chance(30);
  if (side === "in") {
    const n = flow.serverNumber ?? 1;
    const source = fromRouter ? (family === 4 ? "10.0.2.254" : "fd00:2::254") : serverAddress(family, n);
    // Errors about a tunnel's packets go to the director, whose address is the outer source.
    const target = isFrom(about, OWN[family]) ? OWN[family] : flow.client;
    const packet = errorPacket(random, family, source, target, about);
    return [step("in", ethernet(MAC_IN, fromRouter ? MAC_INNER_GATEWAY : serverMac(n), packet))];
  }
  const source = fromRouter ? (family === 4 ? "198.18.9.9" : "2001:db8:9::9") : flow.client;
  return [step("out", ethernet(MAC_OUT, clientMac(source), errorPacket(random, family, source, flow.virtual, about)))];
}

/** A packet of the flow in pieces: in order, shuffled, with one missing or one twice. */
export function fragmentsOf(random: Random, flow: Flow, side: Side): Step[] {
  const ends = side === "out" ? flow.toVirtual : flow.toClient;
  // What a kernel put together and leads through a tunnel of the other family in one packet has the first piece's bytes, and then no
  // longer the client's (docs/IPVSADM.md, "What differs").
  if (!ends || (side === "out" && flow.service.family !== flow.service.serverFamily)) return [];
  const data = random.bytes(random.pick([100, 700, 1400, 1400, 2900]));
  const udp = flow.service.protocol === "udp";
  const whole: IpPacket = {
    source: ends.source, target: ends.target, protocol: udp ? UDP : TCP, id: random.below(65536),
    payload: udp ? udpDatagram(ends, data) : tcpSegment(ends, 0x10, 1, 1, data),
  };
  const pieces = piecesOf(whole.payload, random.pick([48, 256, 512, 1000]));
  if (random.chance(40)) pieces.reverse();
  // What is told of missing pieces counts at the connection while there is one. Where both are over at the same time, as with TCP's states of
  // one and two minutes, only a kernel's timers know which was first (grain.test.ts). Nothing is told where the first piece misses.
  const twice = random.pick(pieces);
  if (random.chance(15) && udp) pieces.splice(random.below(pieces.length), 1);
  else if (random.chance(15) && (udp || twice.offset > 0)) pieces.push(twice);
  else if (random.chance(8) && udp) pieces.splice(random.below(pieces.length), 0, { ...twice, offset: twice.offset + 8 });
  const [to, from] = side === "out" ? [MAC_OUT, clientMac(flow.client)] : [MAC_IN, serverMac(flow.serverNumber ?? 1)];
  return pieces.map((piece) => step(side, ethernet(to, from, fragment(whole, piece))));
}

/** A frame that belongs to no flow: pings, other ports, other servers, other protocols. */
export function stray(random: Random, service: Service, side: Side): Step {
  const { family, port, serverPort } = service;
  const client = clientAddress(family, random.below(30));
  const n = 1 + random.below(4);
  const server = serverAddress(family, n);
  const [source, target] = side === "out" ? [client, VIRTUAL[family]] : [server, client];
  const [to, from] = side === "out" ? [MAC_OUT, clientMac(client)] : [MAC_IN, serverMac(n)];
  const sent = (protocol: number, payload: Buffer): Step => step(side, ethernet(to, from, ipPacket({ source, target, protocol, payload })));
  const ends = { source, sourcePort: side === "out" ? 50000 : serverPort, target, targetPort: side === "out" ? port + 1000 : 45000 };
  switch (random.below(4)) {
    case 0: return sent(family === 4 ? ICMP : ICMP6, icmpMessage(source, target, family === 4 ? 8 : 128, 0, random.below(65536), random.bytes(32)));
    case 1: return sent(UDP, udpDatagram(ends, random.bytes(10)));
    case 2: return sent(random.pick(OTHER_PROTOCOLS), random.bytes(24));
    default: return sent(TCP, tcpSegment(ends, side === "out" ? 2 : 0x12, 7, 2, Buffer.alloc(0)));
  }
}

function repairHeader4(frame: Buffer): void {
  const end = Math.min(frame.length & ~1, IP_AT + ((frame[IP_AT] ?? 0) & 15) * 4);
  if (end < IP_AT + 20) return;
  frame.writeUInt16BE(0, IP_AT + 10);
  frame.writeUInt16BE(~sumWords(frame.subarray(IP_AT, end)) & 0xffff, IP_AT + 10);
}

/** What iptables' matches of ports must find of a header; a segment that begins 8 bytes behind it overwrites the flags, and goes, too. */
const MATCHED_BYTES: Record<number, number> = { [TCP]: 20, [UDP]: 8 };

/** True for what iptables, where marks look for ports, drops before IPVS sees it. */
export function isBelowMatch(frame: Buffer): boolean {
  const packet = frame.subarray(IP_AT);
  const four = frame[12] === 8;
  if (packet.length < (four ? 20 : 40)) return true;
  const headerBytes = four ? ((packet[0] ?? 0) & 15) * 4 : 40;
  const totalBytes = four ? packet.readUInt16BE(2) : 40 + packet.readUInt16BE(4);
  const isSecond = four && (packet.readUInt16BE(6) & 0x1fff) === 1;
  const bytes = Math.min(packet.length, totalBytes) - headerBytes;
  return isSecond || bytes < (MATCHED_BYTES[packet[four ? 9 : 6] ?? 0] ?? 0);
}

/** The frame with bytes of its headers changed, or cut off. */
export function damage(random: Random, frame: Buffer): Buffer {
  const copy = Buffer.from(frame);
  if (random.chance(25)) return copy.subarray(0, IP_AT + 1 + random.below(copy.length - IP_AT - 1));
  // Addresses of IPv4 and what lies before them in IPv6 stay: elsewhere routing is asked, not IPVS.
  const places = copy[12] === 8 ? [14, 15, 16, 17, 20, 21, 22, 23, 34, 35, 36, 37, 46, 47] : [18, 19, 20, 21, 54, 55, 56, 57, 66, 67];
  for (let count = 1 + random.below(2); count > 0; count--) {
    const at = random.pick(places);
    if (at < copy.length) copy[at] = random.below(256);
  }
  if (copy[12] === 8 && random.chance(80)) repairHeader4(copy);
  return copy;
}
