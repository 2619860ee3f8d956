// What settings change, limits, defences, servers that go and come back, statistics.

import { ICMP, icmpMessage, ipPacket, TCP, tcpSegment } from "../packets.js";
import { clientAddress, serverAddress, type Family } from "../place.js";
import type { Random } from "../random.js";
import {
  ACK, advance, asks, build, command, Conversation, farm, FIN, inside, outside, PSH, RST, serverWords, SYN, sysctl, tells,
  type Farm, type Play,
} from "./talk.js";

const family = (random: Random): Family => (random.chance(30) ? 6 : 4);

function place(random: Random): Farm {
  return farm(family(random), "tcp", 80 + random.below(500), random.pick([80, 8080]));
}

/** Weights of zero, services without servers, thresholds, servers removed and added again. */
export function* limits(random: Random): Play {
  const tcp = place(random);
  const servers = [1 + random.below(9), 10 + random.below(9)];
  const each = random.chance(60) ? `-x ${2 + random.below(5)} -y ${random.below(3)}` : "";
  yield* build(tcp, { words: `-s ${random.pick(["rr", "wlc", "wrr", "lc"])}`, servers, each });
  const talks: Conversation[] = [];
  for (let k = 0; k < 12; k++) {
    const talk = new Conversation(tcp, clientAddress(tcp.family, 0), 43000 + k);
    yield* talk.open();
    talks.push(talk);
  }
  yield* command("ipvsadm -Ln --thresholds", "ipvsadm -Ln");
  if (random.chance(40)) yield* sysctl("expire_nodest_conn", 1);
  for (let k = 0; k < 10; k++) {
    const n = random.pick(servers);
    switch (random.below(5)) {
      case 0: yield* command(`ipvsadm -e ${tcp.key} ${serverWords(tcp, n, "-m", 0, each)}`); break;
      case 1: yield* command(`ipvsadm -d ${tcp.key} ${serverWords(tcp, n).split(" -m")[0]}`); break;
      case 2: yield* command(`ipvsadm -a ${tcp.key} ${serverWords(tcp, n, "-m", 1, each)}`); break;
      case 3: yield* random.pick(talks).says(RST); break;
      default: yield* new Conversation(tcp, clientAddress(tcp.family, 1), 44000 + k).open();
    }
    const talk = random.pick(talks);
    yield* random.chance(70) ? talk.says(PSH | ACK, "still here?") : talk.answers(PSH | ACK, "yes");
    if (random.chance(20)) yield* advance(13);
    yield* command("ipvsadm -Lnc", "ipvsadm -Ln --thresholds");
  }
  yield* command("ipvsadm -C");
  yield* nobody(random);
}

/** Services with nobody to serve. */
function* nobody(random: Random): Play {
  for (const which of [4, 6] as const) {
    const tcp = farm(which, "tcp", 90), udp = farm(which, "udp", 53);
    for (const one of [tcp, udp]) yield* command(`ipvsadm -A ${one.key} -s ${random.pick(["rr", "wlc", "sh", "mh", "fo", "nq"])}`);
    const client = clientAddress(which, random.below(5));
    yield* new Conversation(tcp, client, 42000).says(SYN);
    if (random.chance(50)) yield* command(`ipvsadm -a ${tcp.key} ${serverWords(tcp, 1, "-m", 0)}`);
    yield* new Conversation(tcp, client, 42001).says(SYN, "", { ttl: random.pick([1, 64]) });
    yield* asks(udp, client, 42001, random.bytes(random.below(900)));
  }
}

/** A port that its client uses again, in each mode. */
export function* reuse(random: Random): Play {
  const tcp = place(random);
  yield* sysctl("conn_reuse_mode", random.below(4));
  if (random.chance(30)) yield* sysctl("expire_nodest_conn", 1);
  const method = random.pick(["-m", "-m", "-g"]);
  if (method === "-g") tcp.serverPort = tcp.port;
  yield* build(tcp, { words: `-s ${random.pick(["rr", "lc", "wlc"])}`, servers: [1, 2, 3], method });
  for (let k = 0; k < 8; k++) {
    const talk = new Conversation(tcp, clientAddress(tcp.family, 0), 40000 + random.below(3), { nat: method === "-m" });
    yield* talk.open();
    yield* command("ipvsadm -Lnc");
    switch (random.below(4)) {
      case 0: yield* talk.says(FIN | ACK); yield* talk.answers(FIN | ACK); yield* talk.says(ACK); break;
      case 1: yield* talk.answers(FIN | ACK); yield* talk.says(FIN | ACK); break;
      case 2: yield* talk.says(RST); break;
      default: yield* talk.says(FIN | ACK);
    }
    if (random.chance(20)) yield* command(`ipvsadm -e ${tcp.key} ${serverWords(tcp, 1 + random.below(3), method, random.below(2))}`);
    if (random.chance(20)) yield* advance(7);
    yield* command("ipvsadm -Lnc", "ipvsadm -Ln");
  }
}

/** Connections of unknown beginning, answers of no connection, errors that begin one. */
export function* beginnings(random: Random): Play {
  const tcp = place(random);
  yield* build(tcp, { servers: [1, 2] });
  const udp = farm(tcp.family, "udp", 53, 5353);
  yield* build(udp, { servers: [1, 2] });
  for (const name of ["sloppy_tcp", "nat_icmp_send", "schedule_icmp"]) if (random.chance(60)) yield* sysctl(name, 1);
  for (let k = 0; k < 12; k++) {
    const client = clientAddress(tcp.family, random.below(6));
    const talk = new Conversation(tcp, client, 40000 + k);
    switch (random.below(5)) {
      case 0: yield* talk.says(random.pick([ACK, PSH | ACK, FIN | ACK, SYN | ACK, RST, 0, FIN, RST | ACK]), "mid"); yield* talk.answers(ACK, "late"); break;
      case 1:
        talk.server = random.pick([1, 2, 3]);
        yield* talk.answers(random.pick([ACK, RST, SYN | ACK, FIN | ACK]), "nobody asked", { ttl: random.pick([1, 2, 64]) });
        break;
      case 2: yield* tells(udp, random.pick([1, 2, 3]), client, 6000, "nobody asked"); break;
      case 3: yield* about(random, tcp, client); break;
      default: yield* talk.open();
    }
    yield* command("ipvsadm -Lnc");
  }
  yield* advance(7);
  yield* command("ipvsadm -Ln --stats", "ipvsadm -Ln");
}

/** An error about a packet that no connection knows. */
function* about(random: Random, tcp: Farm, client: string): Play {
  if (tcp.family !== 4) return;
  const source = "10.0.1.254";
  const port = 45000 + random.below(3);
  const ends = { source: tcp.virtual, sourcePort: tcp.port, target: client, targetPort: port };
  const inner = ipPacket({ source: ends.source, target: ends.target, protocol: TCP, id: 1, payload: tcpSegment(ends, ACK, 1, 1, Buffer.alloc(0)) });
  const [type, code, rest] = random.pick<readonly [number, number, number]>([[3, 4, 1400], [3, 3, 0], [11, 0, 0]]);
  const payload = icmpMessage(source, tcp.virtual, type, code, rest, inner.subarray(0, random.pick([28, 40])));
  yield* outside(source, ipPacket({ source, target: tcp.virtual, protocol: ICMP, id: 9, payload }));
}

/** The defences that nothing random decides. */
export function* defences(random: Random): Play {
  const tcp = place(random);
  yield* build(tcp, { servers: [1, 2], method: random.pick(["-m", "-m", "-g"]) });
  for (let round = 0; round < 3; round++) {
    const mode = random.below(4);
    if (random.chance(50)) yield* command(`sysctl -w net.ipv4.vs.drop_packet=${mode} net.ipv4.vs.am_droprate=${1 + random.below(12)}`);
    else yield* sysctl("secure_tcp", mode);
    yield* advance(3);
    for (let k = 0; k < 12; k++) {
      const talk = new Conversation(tcp, clientAddress(tcp.family, random.below(5)), 41000 + round * 100 + k);
      yield* talk.says(SYN);
      if (random.chance(40)) continue;
      yield* talk.answers(SYN | ACK);
      yield* talk.says(random.pick([ACK, ACK, PSH | ACK]), "");
      if (random.chance(50)) yield* talk.says(PSH | ACK, "x");
      if (random.chance(50)) yield* random.chance(50) ? talk.answers(FIN | ACK) : talk.says(FIN | ACK);
    }
    yield* command("ipvsadm -Lnc", "sysctl net.ipv4.vs.drop_packet", "sysctl net.ipv4.vs.secure_tcp", "ipvsadm -Ln");
  }
  yield* command("sysctl -w net.ipv4.vs.drop_packet=0 net.ipv4.vs.secure_tcp=0");
  yield* advance(2);
  yield* new Conversation(tcp, clientAddress(tcp.family, 0), 45000).open();
}

/** What every state's timer does, with timeouts of the operator's. */
export function* timeouts(random: Random): Play {
  const tcp = place(random);
  const udp = farm(tcp.family, "udp", 53, 53);
  yield* build(tcp, { servers: [1, 2] });
  yield* build(udp, { servers: [1, 2] });
  if (random.chance(70)) {
    const seconds = [random.pick([0, 100, 900]), random.pick([0, 30, 200]), random.pick([0, 20, 400])];
    yield* command(`ipvsadm --set ${seconds.join(" ")}`, "ipvsadm -L --timeout");
  }
  const client = clientAddress(tcp.family, 0);
  for (let k = 0; k < 8; k++) {
    const talk = new Conversation(tcp, client, 40000 + k);
    if (k === 0) { yield* talk.says(SYN); continue; }
    yield* talk.open();
    if (k === 2 || k === 7) yield* talk.answers(FIN | ACK);
    if (k === 3 || k === 4 || k === 6 || k === 7) yield* talk.says(FIN | ACK);
    if (k === 4 || k === 6) yield* talk.answers(FIN | ACK);
    if (k === 4) yield* talk.says(ACK);
    if (k === 5) yield* talk.says(RST);
  }
  yield* asks(udp, client, 5000);
  for (let round = 0; round < 8; round++) {
    yield* command("ipvsadm -Lnc", "ipvsadm -Ln");
    yield* advance(random.pick([5, 7, 25, 90]));
    if (random.chance(40)) yield* asks(udp, client, 5000);
  }
}

/** Counters, the rates made of them, and counters that begin again. */
export function* statistics(random: Random): Play {
  const farms = [place(random), farm(4, "udp", 53, 5353), farm(6, "udp", 54, 54)];
  const [tcp, ...udps] = farms as [Farm, Farm, Farm];
  yield* build(tcp, { servers: [1, 2, 3], method: "-m" });
  for (const udp of udps) yield* build(udp, { servers: [4, 5], method: udp.port === 54 ? "-g" : "-m" });
  for (let round = 0; round < 4; round++) {
    for (let k = 0; k < 10; k++) {
      const client = clientAddress(tcp.family, random.below(9));
      const talk = new Conversation(tcp, client, 40000 + round * 50 + k);
      yield* talk.open();
      for (let packets = random.below(4); packets > 0; packets--) {
        yield* talk.says(PSH | ACK, random.bytes(random.below(1400)));
        yield* talk.answers(PSH | ACK, random.bytes(random.below(1400)));
      }
      const udp = random.pick(udps);
      yield* asks(udp, clientAddress(udp.family, random.below(4)), 5000 + k, random.bytes(random.below(500)));
    }
    yield* advance(random.pick([7, 8, 10]));
    yield* command("ipvsadm -Ln --stats --exact", "ipvsadm -Ln --stats", `ipvsadm -Ln --stats ${tcp.key}`);
    if (random.chance(30)) yield* command(random.chance(50) ? "ipvsadm -Z" : `ipvsadm -Z ${tcp.key}`, "ipvsadm -Ln --stats");
  }
}

/** Inside addresses that the director only routes for, whatever IPVS is told. */
export function* routed(random: Random): Play {
  const tcp = place(random);
  yield* build(tcp, { servers: [1] });
  for (let k = 0; k < 6; k++) {
    const n = 1 + random.below(20);
    const source = serverAddress(tcp.family, n), target = clientAddress(tcp.family, random.below(9));
    const ends = { source, sourcePort: 1000 + random.below(9000), target, targetPort: 2000 };
    yield* inside(n, ipPacket({
      source, target, protocol: TCP, ttl: random.pick([1, 2, 64]),
      payload: tcpSegment(ends, random.pick([SYN, ACK, RST]), 1, 1, random.bytes(random.below(50))),
    }));
  }
}
