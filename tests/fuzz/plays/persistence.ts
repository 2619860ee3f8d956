// Clients that come back: by address, by net, by mark, over all ports, by what SIP calls are named.

import { clientAddress, PERSISTENCE_SECONDS, VIRTUAL, type Family } from "../place.js";
import type { Random } from "../random.js";
import { ACK, advance, asks, build, command, Conversation, farm, FIN, reached, RST, serverWords, sysctl, tells, type Farm, type Play } from "./talk.js";

const LISTED = ["ipvsadm -Lnc", "ipvsadm -Ln --persistent-conn"] as const;

const [SHORT_SECONDS] = PERSISTENCE_SECONDS;

function netmask(random: Random, family: Family): string {
  if (random.chance(40)) return "";
  return ` -M ${random.pick(family === 4 ? ["255.255.255.0", "255.255.0.0", "255.255.255.240", "255.255.254.0"] : ["64", "112", "120", "48"])}`;
}

const words = (random: Random, family: Family, seconds: number): string =>
  `-s ${random.pick(["rr", "wrr", "wlc", "sh", "mh", "sed", "lc"])} -p ${seconds}${netmask(random, family)}`;

function* come(random: Random, place: Farm, count: number, port: () => number): Play {
  for (let k = 0; k < count; k++) {
    const asked = port();
    const talk = new Conversation(place, clientAddress(place.family, random.below(9)), 41000 + k, { port: asked, tracked: asked === 21 });
    if ((yield* talk.open()) === undefined) continue;
    if (random.chance(25)) yield* talk.says(RST);
    else if (random.chance(20)) { yield* talk.says(FIN | ACK); yield* talk.answers(FIN | ACK); yield* talk.says(ACK); }
  }
}

/** One service, many clients; then time, servers made quiet, and clients again. */
export function* templates(random: Random): Play {
  const place = farm(random.chance(35) ? 6 : 4, random.chance(30) ? "udp" : "tcp", 80 + random.below(500), 8080);
  const servers = [1, 2, 3].map((n) => n + random.below(5) * 3);
  const method = random.pick(["-m", "-m", "-g"]);
  if (method === "-g") place.serverPort = place.port;
  const seconds = random.pick([2, 43, 100, 300, 360]);
  yield* build(place, { words: words(random, place.family, seconds), servers, method, weights: servers.map(() => 1 + random.below(3)) });
  if (random.chance(30)) yield* sysctl("expire_quiescent_template", 1);
  for (let round = 0; round < 3; round++) {
    if (place.protocol === "tcp") yield* come(random, place, 6, () => place.port);
    else yield* datagrams(random, place);
    yield* command(...LISTED);
    yield* quieten(random, place, servers, method);
    if (random.chance(40)) yield* advance(random.pick([1, 7, 15]));
  }
  yield* command(...LISTED);
  yield* advance(7);
  yield* command("ipvsadm -Ln --stats");
}

function* datagrams(random: Random, place: Farm): Play {
  for (let k = 0; k < 6; k++) {
    const client = clientAddress(place.family, random.below(9));
    const n = reached(yield* asks(place, client, 5000 + random.below(3), "query"));
    if (n !== undefined && place.serverPort !== place.port && random.chance(60)) yield* tells(place, n, client, 5000 + random.below(3));
  }
}

function* quieten(random: Random, place: Farm, servers: readonly number[], method: string): Play {
  const n = random.pick(servers);
  switch (random.below(4)) {
    case 0: yield* command(`ipvsadm -e ${place.key} ${serverWords(place, n, method, 0)}`); return;
    case 1: yield* command(`ipvsadm -e ${place.key} ${serverWords(place, n, method, 2)}`); return;
    case 2:
      yield* command(`ipvsadm -d ${place.key} ${serverWords(place, n).split(" -m")[0]}`, `ipvsadm -a ${place.key} ${serverWords(place, n, method, 1)}`);
      return;
    default: yield* command(`ipvsadm -E ${place.key} ${words(random, place.family, random.pick([43, 300]))}`);
  }
}

/** All ports of an address by one service. */
export function* allPorts(random: Random): Play {
  const family = random.chance(40) ? 6 : 4;
  const place = { ...farm(family, "tcp", 0), serverPort: 0 };
  yield* build(place, { words: words(random, family, SHORT_SECONDS), servers: [1, 2, 3], method: random.pick(["-m", "-g"]) });
  if (random.chance(50)) yield* build(farm(family, "tcp", 443), { words: `-s rr -p ${SHORT_SECONDS}`, servers: [4, 5] });
  yield* come(random, place, 10, () => random.pick([21, 80, 443, 8000 + random.below(9)]));
  yield* command(...LISTED, "ipvsadm -Ln");
}

/** Several services under one mark, persistent or not, of every method. */
export function* marks(random: Random): Play {
  const family = random.chance(30) ? 6 : 4;
  const program = family === 4 ? "iptables-legacy" : "ip6tables-legacy";
  const mark = 1 + random.below(1000);
  const ports = random.pick(["80,443", "80", "8000:8010"]);
  const match = ports.includes(",") ? `-m multiport --dports ${ports}` : `--dport ${ports}`;
  yield* command(`${program} -t mangle -A PREROUTING -i out -d ${VIRTUAL[family]} -p tcp ${match} -j MARK --set-mark ${mark}`);
  if (random.chance(50)) yield* command(`${program} -t mangle -A PREROUTING -d ${VIRTUAL[family]} -p udp --dport 53 -j MARK --set-mark ${mark}`);
  const key = `-f ${mark}${family === 6 ? " -6" : ""}`;
  const place: Farm = { ...farm(family, "tcp", 80), serverPort: 0, key };
  const method = random.pick(["-m", "-g", "-i"]);
  const persistent = random.chance(60);
  const scheduling = persistent
    ? words(random, family, SHORT_SECONDS)
    : `-s ${random.pick(["rr", "wlc", "sh", "dh", "lblc", "lblcr", "mh"])}`;
  yield* build(place, { words: scheduling, servers: [1, 2, 3], method });
  if (random.chance(40)) yield* build(farm(family, "tcp", 80), { servers: [4] });
  for (let k = 0; k < 12; k++) {
    const client = clientAddress(family, random.below(6));
    if (random.chance(25)) { yield* asks({ ...place, port: 53 }, client, 5000 + k); continue; }
    const talk = new Conversation(place, client, 44000 + k, { port: random.pick([80, 443, 8001, 8080]), nat: method === "-m" });
    yield* talk.open();
    if (random.chance(30)) yield* talk.says(FIN | ACK);
  }
  yield* command(...LISTED, "ipvsadm -Ln", "ipvsadm -Sn");
  yield* advance(7);
  yield* command("ipvsadm -Ln --stats");
}

const invite = (client: string, call: string, method: string): string =>
  `${method} sip:bob@example.net SIP/2.0\r\nVia: SIP/2.0/UDP ${client}:5060\r\n${call}\r\nCSeq: 1 ${method}\r\n\r\n`;

/** Calls by their names, over clients that change. */
export function* calls(random: Random): Play {
  const place = farm(random.chance(25) ? 6 : 4, "udp", 5060, random.pick([5060, 5062]));
  yield* build(place, {
    words: `-s ${random.pick(["rr", "wlc"])} -p ${random.pick(PERSISTENCE_SECONDS)} --pe sip${random.chance(50) ? " -o" : ""}`,
    servers: [1, 2, 3],
  });
  for (let k = 0; k < 14; k++) {
    const client = clientAddress(place.family, random.below(8));
    const name = random.pick([
      "Call-ID: a1@x", "Call-ID: b2@198.18.0.9", "call-id:c3", "Call-ID:   d4@host.example", "i: short", "Call-ID: ",
      `Call-ID: ${"long".repeat(random.below(20))}`, "Subject: none", "Call-ID: a1@x",
    ]);
    const text = random.chance(10) ? random.bytes(40) : Buffer.from(invite(client, name, random.pick(["INVITE", "BYE", "SIP/2.0 200 OK"])));
    const n = reached(yield* asks(place, client, random.pick([5060, 5061]), text));
    if (n !== undefined && random.chance(50)) yield* tells(place, n, client, random.pick([5060, 5061]), text);
  }
  yield* command("ipvsadm -Lnc", "ipvsadm -Lnc --persistent-conn", "ipvsadm -Ln");
}
