// Every scheduler's choices, with servers that come, go and change their weights meanwhile.

import { clientAddress } from "../place.js";
import type { Random } from "../random.js";
import { ACK, advance, build, command, Conversation, farm, FIN, RST, serverWords, SYN, type Farm, type Play } from "./talk.js";

export const SCHEDULERS = ["rr", "wrr", "lc", "wlc", "lblc", "lblcr", "dh", "sh", "sed", "nq", "fo", "ovf", "mh"];
const FLAGS: Record<string, string[]> = {
  sh: ["sh-port", "sh-fallback", "sh-port,sh-fallback"], mh: ["mh-port", "mh-fallback", "mh-fallback,mh-port"],
};

/** `-s` with flags, for all schedulers or a given one. */
export function schedulerWords(random: Random, scheduler = random.pick(SCHEDULERS)): string {
  const flags = FLAGS[scheduler];
  return `-s ${scheduler}${flags && random.chance(60) ? ` -b ${random.pick(flags)}` : ""}`;
}

const numbers = (random: Random, count: number): number[] => {
  const all = Array.from({ length: 20 }, (_, index) => index + 1);
  return Array.from({ length: count }, () => all.splice(random.below(all.length), 1)[0] ?? 1);
};

/** Sixty connections by one or many clients, whole handshakes or SYNs alone. */
export function* choices(random: Random): Play {
  const family = random.chance(30) ? 6 : 4;
  const place = farm(family, "tcp", 80 + random.below(1000));
  const servers = numbers(random, 1 + random.below(7));
  yield* build(place, {
    words: schedulerWords(random), servers, weights: servers.map(() => random.pick([0, 1, 1, 2, 3, 5, 7, 10, 100])),
    method: random.pick(["-m", "-m", "-g"]), each: random.chance(25) ? `-x ${2 + random.below(9)} -y ${random.below(3)}` : "",
  });
  const whole = random.chance(50);
  const oneClient = random.chance(40);
  for (let k = 0; k < 60; k++) {
    const client = oneClient ? clientAddress(family, 0) : clientAddress(family, 1 + k);
    const talk = new Conversation(place, client, oneClient ? 40000 + k : 40000);
    if (whole) yield* talk.open();
    else yield* talk.says(SYN);
  }
  yield* command("ipvsadm -Ln");
}

/** How a connection ends, from either side. */
function* ends(random: Random, talk: Conversation): Play {
  switch (random.below(3)) {
    case 0: yield* talk.says(FIN | ACK); yield* talk.answers(FIN | ACK); yield* talk.says(ACK); return;
    case 1: yield* talk.answers(FIN | ACK); yield* talk.says(FIN | ACK); yield* talk.answers(ACK); return;
    default: yield* talk.says(RST);
  }
}

function* change(random: Random, place: Farm, present: number[], method: string, fixed: boolean): Play {
  const n = present.length > 0 ? random.pick(present) : 1;
  const weight = random.pick([0, 0, 1, 2, 3, 4, 9, 20]);
  switch (random.below(5)) {
    case 0: {
      const fresh = 1 + random.below(20);
      if (present.includes(fresh)) return;
      present.push(fresh);
      yield* command(`ipvsadm -a ${place.key} ${serverWords(place, fresh, method, weight)}`);
      return;
    }
    case 1:
      if (present.length < 2) return;
      present.splice(present.indexOf(n), 1);
      yield* command(`ipvsadm -d ${place.key} ${serverWords(place, n).split(" -m")[0]}`);
      return;
    case 2:
      if (!fixed && random.chance(30)) yield* command(`ipvsadm -E ${place.key} ${schedulerWords(random)}`);
      return;
    default: yield* command(`ipvsadm -e ${place.key} ${serverWords(place, n, method, weight, random.chance(15) ? "-x 6 -y 3" : "")}`);
  }
}

/** Connections that come and go while the operator changes weights, servers and, unless one is given, the scheduler. */
export function* churn(random: Random, scheduler?: string, steps = 120): Play {
  const place = farm(random.chance(20) ? 6 : 4, "tcp", 80 + random.below(500), 8080);
  const present = numbers(random, 2 + random.below(4));
  const method = random.chance(80) ? "-m" : "-g";
  if (method === "-g") place.serverPort = place.port;
  yield* build(place, { words: schedulerWords(random, scheduler), servers: present, weights: present.map(() => 1 + random.below(5)), method });
  const live: Conversation[] = [];
  for (let k = 0; k < steps; k++) {
    if (random.chance(8)) yield* change(random, place, present, method, scheduler !== undefined);
    if (live.length === 0 || random.chance(60)) {
      const talk = new Conversation(place, clientAddress(place.family, random.below(60)), 40000 + k, { nat: method === "-m" });
      if (random.chance(80)) yield* talk.open();
      else yield* talk.says(SYN);
      if (talk.server !== undefined) live.push(talk);
    } else {
      const [talk] = live.splice(random.below(live.length), 1);
      if (talk) yield* ends(random, talk);
    }
    if (k % 100 !== 99) continue;
    // Longer than a kernel's timer keeps a closed connection, and all such times together shorter than any other state's.
    yield* advance(13);
    yield* command("ipvsadm -Ln");
  }
  yield* command("ipvsadm -Lnc", "ipvsadm -Sn");
}
