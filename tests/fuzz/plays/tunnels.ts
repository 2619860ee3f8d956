// VS-TUN of every kind, families mixed, and VS-DR: what is wrapped, what does not fit, what is told about it.

import { fragment, ipPacket, piecesOf, UDP, udpDatagram } from "../packets.js";
import { clientAddress, type Family } from "../place.js";
import type { Random } from "../random.js";
import { ACK, asks, build, command, Conversation, farm, FIN, outside, PSH, SYN, sysctl, type Play } from "./talk.js";

const KINDS = [
  "--tun-type ipip", "--tun-type gue --tun-port 6080", "--tun-type gue --tun-port 6080 --tun-csum", "--tun-type gue --tun-port 7777 --tun-nocsum",
  "--tun-type gue --tun-port 6080 --tun-remcsum", "--tun-type gre", "--tun-type gre --tun-csum", "--tun-type gre --tun-nocsum", "",
];

/** Sizes on both sides of what each tunnel leaves of 1500 bytes, as data of a TCP segment or a datagram. */
const DATA = [0, 5, 100, 501, 1200, 1300, 1360, 1380, 1392, 1396, 1400, 1404, 1408, 1412, 1416, 1420, 1424, 1428, 1432, 1436, 1440, 1444, 1448, 1452, 1460];

/** One service of each protocol through one kind of tunnel; servers of either family. */
export function* tunnels(random: Random): Play {
  const each = random.pick(KINDS);
  if (random.chance(20)) yield* sysctl("pmtu_disc", 0);
  for (const family of [4, 6] as const) {
    const serverFamily: Family = random.chance(35) ? (family === 4 ? 6 : 4) : family;
    const tcp = farm(family, "tcp", 80 + random.below(100));
    const udp = farm(family, "udp", 53 + random.below(20));
    const plan = { servers: [1 + random.below(10), 11 + random.below(9)], method: "-i", each, serverFamily };
    yield* build(tcp, plan);
    yield* build(udp, plan);
    const client = clientAddress(family, random.below(30));
    const talk = new Conversation(tcp, client, 40000 + random.below(1000), { nat: false, first: random.below(2 ** 31) });
    yield* talk.open();
    yield* command("ipvsadm -Lnc");
    for (let k = 0; k < 10; k++) {
      const header = {
        ttl: random.chance(10) ? 1 + random.below(2) : 3 + random.below(250),
        tos: random.below(256), id: random.below(65536), mayFragment: random.chance(50),
      };
      const fit = (bytes: number): Buffer => random.bytes(Math.min(bytes, family === 4 ? 1460 : 1440));
      yield* talk.says(random.pick([ACK, PSH | ACK]), fit(random.pick(DATA)), header);
      yield* asks(udp, client, 5000 + random.below(3), fit(random.pick(DATA)), header);
    }
    yield* pieces(random, udp.virtual, udp.port, client);
    yield* talk.says(FIN | ACK);
    yield* command("ipvsadm -Lnc", "ipvsadm -Ln --tun-info", "ipvsadm -Sn");
  }
}

function* pieces(random: Random, virtual: string, port: number, client: string): Play {
  const payload = udpDatagram({ source: client, sourcePort: 5003, target: virtual, targetPort: port }, random.bytes(1600 + random.below(1200)));
  const packet = { source: client, target: virtual, protocol: UDP, id: random.below(65536), tos: random.below(4) * 4, payload };
  for (const piece of piecesOf(payload, random.pick([1000, 1400, 1480 - (virtual.includes(":") ? 40 : 0)]))) yield* outside(client, fragment(packet, piece));
}

/** Direct routing, the director itself as a server, ports that direct routing cannot change. */
export function* direct(random: Random): Play {
  for (const family of [4, 6] as const) {
    const tcp = farm(family, "tcp", 80 + random.below(100));
    const udp = farm(family, "udp", 53 + random.below(20));
    const servers = [1 + random.below(10), 11 + random.below(9)];
    yield* build(tcp, { servers, method: "-g", words: `-s ${random.pick(["rr", "wrr", "sh", "mh"])}` });
    yield* build({ ...udp, serverPort: 9999 }, { servers, method: "-g" });
    const client = clientAddress(family, random.below(30));
    const talk = new Conversation(tcp, client, 40000 + random.below(1000), { nat: false });
    for (const flags of [SYN, ACK, PSH | ACK, random.pick([FIN | ACK, ACK]), ACK, random.pick([FIN, SYN, 4])]) {
      yield* talk.says(flags, flags & PSH ? random.bytes(random.below(1400)) : "", { ttl: 1 + random.below(255), tos: random.below(256) });
      yield* command("ipvsadm -Lnc");
    }
    for (let k = 0; k < 4; k++) {
      const data = random.bytes(random.below(300));
      yield* asks(udp, client, 5000 + k, data, { ttl: random.pick([1, 2, 33, 64]), tos: random.below(64) * 4, mayFragment: random.chance(50) });
    }
    yield* pieces(random, udp.virtual, udp.port, client);
  }
  // Not 127.0.0.1 with -m: docs/IPVSADM.md, "What differs".
  const own = random.pick(["10.0.2.1", "10.0.1.1", "10.0.1.100"]);
  yield* command("ipvsadm -A -t 10.0.1.100:91 -s rr", `ipvsadm -a -t 10.0.1.100:91 -r ${own}:91 ${random.pick(["-g", "-m", "-i"])}`);
  const local = new Conversation({ ...farm(4, "tcp", 91) }, clientAddress(4, 3), 41000, { nat: false });
  yield* local.says(SYN);
  yield* command("ipvsadm -Lnc", "ipvsadm -Ln");
}

/** Mixed families where they are refused. */
export function* refused(random: Random): Play {
  const n = 1 + random.below(9);
  yield* command("ipvsadm -A -t 10.0.1.100:80 -s rr", `ipvsadm -a -t 10.0.1.100:80 -r [fd00:2::${10 + n}]:80 ${random.pick(["-m", "-g", ""])}`);
  yield* command("ipvsadm -A -t [fd00:1::100]:80 -s rr", `ipvsadm -a -t [fd00:1::100]:80 -r 10.0.2.${10 + n}:80 ${random.pick(["-m", "-g", ""])}`);
  const ends = { source: "10.0.1.50", sourcePort: 1, target: "10.0.1.100", targetPort: 80 };
  const payload = udpDatagram(ends, Buffer.from("no"));
  yield* outside(ends.source, ipPacket({ source: ends.source, target: ends.target, protocol: UDP, payload }));
  yield* command("ipvsadm -Ln", "ipvsadm -Sn");
}
