// Every listing there is, of services of every kind, while traffic passes: ipvsadm's views and /proc's files; rates as they
// rise and fall, and counters that begin again.

import { clientAddress, type Family } from "../place.js";
import type { Random } from "../random.js";
import { ACK, advance, asks, command, Conversation, farm, FIN, PSH, serverWords, tells, reached, type Farm, type Play } from "./talk.js";

const FIGURES = ["--stats", "--stats --exact", "--rate", "--rate --exact"] as const;
const VIEWS = ["", "--persistent-conn", "--thresholds", "--tun-info", "--nosort", "--sort --exact"] as const;
/** Not ip_vs_stats_percpu: what went before this play is in its sums (recording cli has it). */
const FILES = ["ip_vs", "ip_vs_stats", "ip_vs_conn", "ip_vs_conn_sync", "ip_vs_app"] as const;
/** Each listing in a command of its own: those that have no order of their own are compared service by service. */
const EVERYTHING = [...FIGURES, ...VIEWS].map((view) => `ipvsadm -Ln ${view}`.trimEnd())
  .concat("ipvsadm -Lnc", "ipvsadm -Lnc --persistent-conn", "ipvsadm -Sn", ...FILES.map((name) => `cat /proc/net/${name}`));

/** More than periods of the estimator's that come late: then all that passed is in the statistics. */
const SUMMED_S = 7;

const SCHEDULING = [
  "rr", "wrr", "lc", "wlc", "lblc", "lblcr", "dh", "sh", "sh -b sh-port", "sh -b sh-fallback,sh-port", "sed", "nq", "fo", "ovf", "mh",
  "mh -b mh-port", "mh -b mh-fallback", "rr -b flag-2", "wlc -b flag-1,flag-3",
];
const METHODS = [
  "-m", "-m", "-m", "-g", "-i", "-i --tun-type gre", "-i --tun-type gre --tun-csum", "-i --tun-type gue --tun-port 6080",
  "-i --tun-type gue --tun-port 9 --tun-csum", "-i --tun-type gue --tun-port 6080 --tun-remcsum",
];

interface Kind { place: Farm; words: string; methods: readonly string[] }

/** A service of some kind; `number` keeps its port apart from the others'. */
function kindOf(random: Random, number: number): Kind {
  const family: Family = random.chance(45) ? 6 : 4;
  const protocol = random.pick(["tcp", "tcp", "udp", "sctp"] as const);
  const place = farm(family, protocol, 1000 + number * 7, random.pick([0, 80, 8080]));
  if (place.serverPort === 0) place.serverPort = place.port;
  if (random.chance(25)) place.key = `-f ${random.pick([1, 255, 4096, 70000]) + number}${family === 6 ? " -6" : ""}`;
  const masks = family === 4 ? ["255.255.255.0", "255.255.0.0", "255.0.0.0"] : ["64", "9", "127"];
  const mask = random.chance(50) ? "" : ` -M ${random.pick(masks)}`;
  const engine = protocol === "udp" && random.chance(20) ? " --pe sip" : "";
  const persistent = random.chance(45) || engine !== "" ? ` -p ${random.pick([43, 60, 360, 3600])}${mask}${engine}` : "";
  const onePacket = place.key.startsWith("-u") && random.chance(30) ? " -o" : "";
  return { place, words: `-s ${random.pick(SCHEDULING)}${persistent}${onePacket}`, methods: [random.pick(METHODS), random.pick(METHODS)] };
}

function* add(random: Random, { place, words, methods }: Kind): Play {
  const servers = methods.map((method, index) => {
    const n = 1 + random.below(9) + index * 10;
    const other = method.startsWith("-i") && random.chance(30) ? (place.family === 4 ? 6 : 4) : place.family;
    const each = random.chance(30) ? `-x ${20 + random.below(9)} -y ${random.below(9)}` : "";
    return `ipvsadm -a ${place.key} ${serverWords(place, n, method, random.pick([0, 1, 1, 2, 77]), each, other)}`;
  });
  yield* command(`ipvsadm -A ${place.key} ${words}`, ...servers);
}

/** What one client does with a service: opens and closes, or asks. */
function* visit(random: Random, place: Farm, client: string, port: number): Play {
  if (place.protocol === "udp") {
    const n = reached(yield* asks(place, client, port, random.bytes(random.below(300))));
    if (n !== undefined && random.chance(50)) yield* tells(place, n, client, port, random.bytes(random.below(300)));
    return;
  }
  if (place.protocol === "sctp") return;
  const talk = new Conversation(place, client, port);
  if ((yield* talk.open()) === undefined) return;
  if (random.chance(60)) yield* talk.says(PSH | ACK, random.bytes(random.below(900)));
  if (random.chance(60)) yield* talk.answers(PSH | ACK, random.bytes(random.below(900)));
  if (random.chance(40)) yield* talk.says(FIN | ACK);
}

/** Seven services of all kinds, looked at in every way before, while and after they are used. */
export function* views(random: Random): Play {
  const kinds = Array.from({ length: 7 }, (_, number) => kindOf(random, number));
  for (const kind of kinds) yield* add(random, kind);
  for (const one of EVERYTHING) yield* command(one);
  for (let round = 0; round < 2; round++) {
    for (const { place } of kinds) {
      if (place.key.startsWith("-f")) continue;
      for (let k = 0; k < 3; k++) yield* visit(random, place, clientAddress(place.family, random.below(5)), 40000 + round * 100 + k);
    }
    yield* advance(SUMMED_S + random.below(4));
    for (const one of EVERYTHING) yield* command(one);
  }
  const { key } = random.pick(kinds).place;
  for (const view of [...FIGURES, ...VIEWS]) yield* command(`ipvsadm -Ln ${key} ${view}`.trimEnd());
}

const STEP_S = 0.5;
const RATES = "ipvsadm -Ln --rate --exact";

/** Rates looked at so often that no period goes by unseen: they rise with traffic, fall without it, and begin again with -Z. */
export function* periods(random: Random): Play {
  const places = [farm(4, "tcp", 80, 8080), farm(6, "udp", 53, 53), farm(4, "udp", 54, 54)];
  for (const [at, place] of places.entries()) {
    yield* command(`ipvsadm -A ${place.key} -s rr`, ...[1, 2].map((n) => `ipvsadm -a ${place.key} ${serverWords(place, n, at === 2 ? "-g" : "-m")}`));
  }
  for (let round = 0; round < 8; round++) {
    for (let k = random.pick([0, 8, 20]); k > 0; k--) {
      const place = random.pick(places);
      yield* visit(random, place, clientAddress(place.family, random.below(9)), 30000 + round * 100 + k);
    }
    for (let steps = random.pick([6, 11, 23]); steps > 0; steps--) {
      yield* advance(STEP_S);
      yield* command(RATES);
    }
    if (random.chance(40)) yield* command(random.chance(40) ? "ipvsadm -Z" : `ipvsadm -Z ${random.pick(places).key}`, RATES);
  }
}
