// Two directors' plays: clients' work is begun at the first, and gone on with at the second, which was told of it.

import { clientAddress, type Family } from "../place.js";
import type { Random } from "../random.js";
import { ACK, asks, build, command, Conversation, farm, FIN, PSH, reached, tells, type Farm, type Play } from "./talk.js";
import { PLAYS } from "./index.js";

/** `before` is played to the first director, what is left of it to the second. */
export interface Takeover { before: Play; after: Play }

/** A master tells of a connection at its third packet, unless told otherwise. */
const TOLD_PACKETS = 3;

function* tellOf(talk: Conversation): Play {
  for (let packets = 2; packets < TOLD_PACKETS; packets++) yield* talk.says(PSH | ACK, "so far");
}

/** Goes on with a connection, in both directions, and ends it. */
function* goOn(talk: Conversation): Play {
  yield* talk.says(PSH | ACK, "are you still there?");
  yield* talk.answers(PSH | ACK, "yes");
  yield* talk.says(FIN | ACK);
  yield* talk.answers(FIN | ACK);
  yield* talk.says(ACK);
}

/** TCP and UDP through NAT, by direct routing and through a tunnel. */
export function conversations(random: Random, family: Family): Takeover {
  const first = 80 + random.below(500);
  const places = [farm(family, "tcp", first, 8080), farm(family, "tcp", first + 1), farm(family, "tcp", first + 2)];
  const methods = ["-m", "-g", "-i"];
  const udp = farm(family, "udp", 53, 5353);
  const talks = places.flatMap((place, at) => [0, 1, 2].map((k) =>
    new Conversation(place, clientAddress(family, random.below(9)), 40000 + 10 * at + k, { nat: at === 0, first: random.below(2 ** 31) })));
  const client = clientAddress(family, 2);
  let asked: number | undefined;
  function* before(): Play {
    for (const [at, place] of places.entries()) yield* build(place, { servers: [1 + at, 11 + at], method: methods[at] ?? "-m" });
    yield* build(udp, { servers: [5, 15] });
    for (const talk of talks) {
      yield* talk.open();
      yield* tellOf(talk);
    }
    for (let k = 0; k < TOLD_PACKETS; k++) asked = reached(yield* asks(udp, client, 5000, "q"));
  }
  function* after(): Play {
    for (const talk of talks) yield* goOn(talk);
    yield* asks(udp, client, 5000, "and now?");
    if (asked !== undefined) yield* tells(udp, asked, client, 5000, "now too");
    yield* command("ipvsadm -Lnc", "ipvsadm -Ln");
  }
  return { before: before(), after: after() };
}

/** Clients who belong to a server: by their address, their net, their call; they come again with other ports. */
export function templates(random: Random, family: Family): Takeover {
  const web = farm(family, "tcp", 80, 8080);
  const all: Farm = { ...farm(family, "tcp", 0), serverPort: 0 };
  const calls = farm(family, "udp", 5060);
  const mask = family === 4 ? " -M 255.255.255.0" : " -M 112";
  const invite = (name: string): Buffer => Buffer.from(`INVITE sip:bob@example.net SIP/2.0\r\nCall-ID: ${name}\r\n\r\n`);
  const names = ["a1@x", "b2@198.18.0.9", "c3"];
  function* come(port: number): Play {
    for (let k = 0; k < 5; k++) {
      const client = clientAddress(family, k);
      for (const [place, target] of [[web, 80], [all, 8000 + k]] as const) {
        const talk = new Conversation(place, client, port + k, { port: target });
        yield* talk.open();
        yield* tellOf(talk);
      }
    }
    for (const [k, name] of names.entries()) {
      for (let packets = 0; packets < TOLD_PACKETS; packets++) yield* asks(calls, clientAddress(family, port % 7 + k), 5060, invite(name));
    }
  }
  function* before(): Play {
    yield* build(web, { words: `-s rr -p 300${random.chance(50) ? mask : ""}`, servers: [1, 2, 3] });
    yield* build(all, { words: "-s rr -p 360", servers: [4, 5, 6] });
    yield* build(calls, { words: `-s rr -p 100 --pe sip${random.chance(50) ? " -o" : ""}`, servers: [7, 8, 9] });
    yield* come(41000);
  }
  function* after(): Play {
    yield* come(42003);
    yield* command("ipvsadm -Lnc", "ipvsadm -Lnc --persistent-conn", "ipvsadm -Ln --persistent-conn");
  }
  return { before: before(), after: after() };
}

/**
 * A dialog of FTP whose numbers are shifted: the virtual address has another length than the server's. The data connection
 * brings its command connection's record along.
 */
export function dialog(random: Random): Takeover {
  const place = farm(4, "tcp", 21);
  const talk = new Conversation(place, "10.0.1.50", 42000 + random.below(900), { first: random.below(2 ** 31) });
  const data = new Conversation({ ...place, serverPort: 50000 }, "10.0.1.50", 52000, { port: 50000 });
  const told = "227 Entering Passive Mode (10,0,2,11,195,80).\r\n";
  const shiftBytes = "10,0,1,100".length - "10,0,2,11".length;
  function* before(): Play {
    yield* build(place, { servers: [1] });
    yield* talk.open();
    yield* talk.says(PSH | ACK, "PASV\r\n");
    yield* talk.answers(PSH | ACK, told);
    yield* data.open();
    yield* data.says(ACK);
    yield* data.says(PSH | ACK, "data");
  }
  function* after(): Play {
    yield* command("ipvsadm -Lnc");
    // The client counts the bytes it saw.
    talk.serverNext += shiftBytes;
    yield* talk.says(ACK);
    talk.serverNext -= shiftBytes;
    yield* talk.answers(PSH | ACK, "226 done\r\n");
    talk.serverNext += shiftBytes;
    yield* talk.says(PSH | ACK, "QUIT\r\n");
    talk.serverNext -= shiftBytes;
    yield* talk.answers(FIN | ACK, "221 bye\r\n");
  }
  return { before: before(), after: after() };
}

function* nothing(): Play {
  yield* command("ipvsadm -Lnc", "ipvsadm -Ln");
}

/** By name: those above, and every play by itself, of which the second director is only told. */
export const TAKEOVERS: Readonly<Record<string, (random: Random) => Takeover>> = {
  conversations: (random) => conversations(random, 4),
  conversations6: (random) => conversations(random, 6),
  belonging: (random) => templates(random, 4),
  belonging6: (random) => templates(random, 6),
  shifted: dialog,
  ...Object.fromEntries(["templates", "marks", "associations", "calls", "dialog", "reuse", "limits", "timeouts", "connections", "direct", "tunnels", "allPorts"]
    .map((name) => [`told_${name}`, (random: Random): Takeover => ({ before: (PLAYS[name] as (random: Random) => Play)(random), after: nothing() })])),
};
