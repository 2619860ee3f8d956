// VS-NAT: whole and odd conversations, datagrams, errors from both sides, fragments, packets that do not fit.

import { fragment, ICMP, ICMP6, icmpMessage, ipPacket, piecesOf, TCP, tcpSegment, UDP, udpDatagram } from "../packets.js";
import { clientAddress, serverAddress, type Family } from "../place.js";
import type { Random } from "../random.js";
import { ACK, asks, build, command, Conversation, farm, FIN, inside, outside, PSH, reached, RST, SYN, tells, type Farm, type Play } from "./talk.js";

const family = (random: Random): Family => (random.chance(40) ? 6 : 4);
const client = (random: Random, which: Family): string => clientAddress(which, random.chance(50) ? 0 : 1 + random.below(40));

/** Each way a connection can go, listed after every packet. */
export function* connections(random: Random): Play {
  const place = farm(family(random), "tcp", 80 + random.below(800), random.pick([80, 8080, 3128]));
  yield* build(place, { words: `-s ${random.pick(["rr", "lc", "wlc", "sed"])}`, servers: [1 + random.below(10), 11 + random.below(9)] });
  const who = client(random, place.family);
  const port = 30000 + random.below(20000);
  for (let k = 0; k < 5; k++) {
    const talk = new Conversation(place, who, port + k, { first: random.below(2 ** 31) });
    yield* talk.says(SYN, "", {}, Buffer.from("020405b401030307", "hex"));
    const steps = Array.from({ length: 7 }, (): [boolean, number] =>
      [random.chance(50), random.pick([ACK, PSH | ACK, FIN | ACK, RST, SYN | ACK, RST | ACK, ACK, FIN, 0])]);
    if (random.chance(70)) steps.unshift([false, SYN | ACK], [true, ACK]);
    for (const [fromClient, flags] of steps) {
      const data = flags & PSH ? random.bytes(1 + random.below(600)) : Buffer.alloc(0);
      if (fromClient) yield* talk.says(flags, data, { ttl: 2 + random.below(200), tos: random.below(64) * 4 });
      else yield* talk.answers(flags, data, { ttl: 2 + random.below(200) });
      yield* command("ipvsadm -Lnc");
    }
    if (random.chance(50)) { yield* new Conversation(place, who, port + random.below(k + 1)).open(); yield* command("ipvsadm -Lnc"); }
  }
  yield* oddities(random, place, who);
  yield* command("ipvsadm -Ln", "ipvsadm -Lnc");
}

/** Packets that no connection expects, hops that run out, sums that are wrong. */
function* oddities(random: Random, place: Farm, who: string): Play {
  const segment = (source: string, sourcePort: number, target: string, targetPort: number, flags: number, ttl = 64, sum?: number): Buffer => {
    const payload = tcpSegment({ source, sourcePort, target, targetPort }, flags, 7, 9, Buffer.from("odd"));
    if (sum !== undefined) payload.writeUInt16BE(sum, 16);
    return ipPacket({ source, target, protocol: TCP, payload, ttl, id: random.below(65536) });
  };
  yield* outside(who, segment(who, 29000, place.virtual, place.port, ACK));
  yield* outside(who, segment(who, 29000, place.virtual, place.port + 1, SYN));
  const n = 1 + random.below(20);
  yield* inside(n, segment(serverAddress(place.family, n), place.serverPort, who, 29001, SYN | ACK));
  yield* outside(who, segment(who, 29002, place.virtual, place.port, SYN, 1));
  const talk = new Conversation(place, who, 29003);
  if ((yield* talk.open()) === undefined) return;
  yield* outside(who, segment(who, 29003, place.virtual, place.port, PSH | ACK, 64, random.below(65536)));
  const rip = serverAddress(place.family, talk.server ?? 1);
  yield* inside(talk.server ?? 1, segment(rip, place.serverPort, who, 29003, PSH | ACK, 64, random.below(65536)));
  yield* inside(talk.server ?? 1, segment(rip, place.serverPort, who, 29003, PSH | ACK, random.below(3)));
}

const echo = (which: Family, source: string, target: string, data: Buffer): Buffer =>
  ipPacket({ source, target, protocol: which === 4 ? ICMP : ICMP6, id: 12, payload: icmpMessage(source, target, which === 4 ? 8 : 128, 0, 0x10001, data) });

const ERRORS: Record<Family, readonly (readonly [number, number, number])[]> = {
  4: [
    [3, 0, 0], [3, 1, 0], [3, 2, 0], [3, 3, 0], [3, 4, 1400], [3, 4, 600], [3, 13, 0], [4, 0, 0],
    [11, 0, 0], [11, 1, 0], [12, 0, 0x04000000], [5, 1, 0x0a000101],
  ],
  6: [[1, 0, 0], [1, 1, 0], [1, 3, 0], [1, 4, 0], [2, 0, 1280], [2, 0, 1400], [3, 0, 0], [3, 1, 0], [4, 0, 6]],
};

function error(random: Random, which: Family, source: string, target: string, about: Buffer): Buffer {
  const [type, code, rest] = random.pick(ERRORS[which]);
  const kept = random.pick([28, 28, 48, 100, 548]);
  const quoted = about.subarray(0, Math.max(kept, which === 6 ? 48 : 28));
  const payload = icmpMessage(source, target, type, code, rest, quoted);
  return ipPacket({ source, target, id: 9, protocol: which === 4 ? ICMP : ICMP6, payload });
}

/** Datagrams, one-packet services, fragments, every error from both sides, MTUs. */
export function* datagrams(random: Random): Play {
  const which = family(random);
  const udp = farm(which, "udp", 53 + random.below(100), random.pick([53, 5353]));
  const tcp = farm(which, "tcp", 80 + random.below(100), random.pick([80, 8080]));
  yield* build(udp, { servers: [1 + random.below(9), 10 + random.below(9)] });
  yield* build(tcp, { servers: [1 + random.below(9), 10 + random.below(9)] });
  const who = client(random, which);
  const n = reached(yield* asks(udp, who, 5000, "q1")) ?? 1;
  yield* command("ipvsadm -Lnc");
  yield* tells(udp, n, who, 5000, random.bytes(random.below(400)), { tos: 8, ttl: 2 + random.below(250) });
  yield* command("ipvsadm -Lnc");
  if (which === 4) yield* uncounted(udp, who);
  yield* pieces(random, udp, who);
  const single = farm(which, "udp", 54, 54);
  yield* build(single, { words: `-s ${random.pick(["rr", "wrr", "sed"])} -o`, servers: [1, 2, 3], weights: [1, 2, 1] });
  for (let k = 0; k < 5; k++) yield* asks(single, who, 6000 + random.below(2), "ops");
  yield* command("ipvsadm -Lnc");
  const talk = new Conversation(tcp, who, 40000 + random.below(999), { first: random.below(2 ** 31) });
  if ((yield* talk.open()) === undefined) return;
  yield* errors(random, talk, udp, n);
  yield* outside(who, echo(which, who, tcp.virtual, random.bytes(random.below(100))));
  yield* sizes(random, talk);
}

function* uncounted(udp: Farm, who: string): Play {
  const ends = { source: who, sourcePort: 5000, target: udp.virtual, targetPort: udp.port };
  const payload = udpDatagram(ends, Buffer.from("nosum"));
  payload.writeUInt16BE(0, 6);
  yield* outside(who, ipPacket({ source: who, target: udp.virtual, protocol: UDP, payload, id: 5 }));
}

/** A datagram in pieces, in both directions. */
export function* pieces(random: Random, udp: Farm, who: string): Play {
  const ends = { source: who, sourcePort: 5001 + random.below(50), target: udp.virtual, targetPort: udp.port };
  const packet = {
    source: who, target: udp.virtual, protocol: UDP, id: random.below(65536),
    payload: udpDatagram(ends, random.bytes(200 + random.below(2400))),
  };
  const cut = piecesOf(packet.payload, random.pick([184, 512, 1000, 1400]));
  if (random.chance(40)) cut.reverse();
  let last: number | undefined;
  for (const piece of cut) last = reached(yield* outside(who, fragment(packet, piece))) ?? last;
  if (last === undefined) return;
  const source = serverAddress(udp.family, last);
  const back = { source, sourcePort: udp.serverPort, target: who, targetPort: ends.sourcePort };
  const answer = { source, target: who, protocol: UDP, id: random.below(65536), payload: udpDatagram(back, random.bytes(1800)) };
  for (const piece of piecesOf(answer.payload, 960)) yield* inside(last, fragment(answer, piece));
}

function* errors(random: Random, talk: Conversation, udp: Farm, n: number): Play {
  const { family: which } = talk.farm;
  const server = talk.server ?? 1;
  const router = which === 4 ? "10.0.1.254" : "fd00:1::254";
  const inner = which === 4 ? "10.0.2.254" : "fd00:2::254";
  const forth = { source: talk.client, sourcePort: talk.clientPort, target: serverAddress(which, server), targetPort: talk.farm.serverPort };
  const back = { source: talk.farm.virtual, sourcePort: talk.toVirtual.targetPort, target: talk.client, targetPort: talk.clientPort };
  const about = (ends: typeof forth): Buffer => ipPacket({
    source: ends.source, target: ends.target, protocol: TCP, id: 55, ttl: 60,
    payload: tcpSegment(ends, ACK, talk.clientNext, talk.serverNext, random.bytes(100)),
  });
  for (let k = 0; k < 6; k++) {
    yield* outside(router, error(random, which, random.pick([router, talk.client]), talk.farm.virtual, about(back)));
    // A kernel drops every ICMPv6 error of a NAT server (tests/oracle/known.ts).
    if (which === 6) continue;
    const from = random.pick([0, server]);
    yield* inside(from, error(random, which, random.pick([inner, serverAddress(which, server)]), talk.client, about(forth)));
  }
  yield* outside(router, error(random, which, router, talk.farm.virtual, about({ ...back, targetPort: 49999 })));
  const datagram = { source: talk.client, sourcePort: 5000, target: serverAddress(which, n), targetPort: udp.serverPort };
  const packet = ipPacket({ source: datagram.source, target: datagram.target, protocol: UDP, payload: udpDatagram(datagram, Buffer.from("q1")) });
  if (which === 4) yield* inside(n, error(random, which, datagram.target, talk.client, packet));
}

/** Packets that do not fit behind the director, with and without leave to be cut. */
function* sizes(random: Random, talk: Conversation): Play {
  const mtu = 1280 + random.below(100);
  const data = random.bytes(1400);
  yield* command(`ip link set in mtu ${mtu}`);
  yield* outside(talk.client, talk.clientSegment(ACK, data, { id: 60 }));
  yield* outside(talk.client, talk.clientSegment(ACK, data, { id: 61, mayFragment: true }));
  yield* command(`ip link set in mtu 1500; ip link set out mtu ${mtu}`);
  yield* inside(talk.server ?? 1, talk.serverSegment(ACK, data, { id: 62 }));
  yield* inside(talk.server ?? 1, talk.serverSegment(ACK, data, { id: 63, mayFragment: true }));
  yield* command("ip link set out mtu 1500");
}
