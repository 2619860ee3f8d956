// FTP behind NAT: both families, both modes, several transfers in one connection, texts that only look right.

import { clientAddress, serverAddress } from "../place.js";
import type { Random } from "../random.js";
import { ACK, build, command, Conversation, farm, FIN, inside, outside, PSH, SYN, tcpData, type Farm, type Play } from "./talk.js";
import { ipPacket, TCP, tcpSegment } from "../packets.js";

const pair = (port: number): string => `${port >> 8},${port & 255}`;
const commas = (address: string): string => address.replaceAll(".", ",");

/** A command connection whose client has seen texts of another length than the server sent. */
class Session {
  private shiftBytes = 0;

  constructor(readonly talk: Conversation, private readonly random: Random) {}

  /** The server's words as the client saw them. */
  *reply(text: string): Play<string> {
    const seen = tcpData(yield* this.talk.answers(PSH | ACK, text), "out");
    this.shiftBytes += seen.length - text.length;
    yield* this.client(ACK, "");
    return seen.toString("latin1");
  }

  /** The client counts the bytes it saw. */
  *client(flags: number, text: string): Play {
    const { talk } = this;
    talk.serverNext += this.shiftBytes;
    const emitted = talk.clientSegment(flags, Buffer.from(text), {}, this.random.chance(25) ? this.sack() : undefined);
    talk.serverNext -= this.shiftBytes;
    yield* outside(talk.client, emitted);
    talk.clientNext += text.length;
  }

  private sack(): Buffer<ArrayBuffer> {
    const option = Buffer.from("0101050a0000000000000000", "hex");
    option.writeUInt32BE(this.talk.serverNext + 100, 4);
    option.writeUInt32BE(this.talk.serverNext + 200, 8);
    return option;
  }

  *ask(text: string): Play {
    yield* this.client(PSH | ACK, text);
    yield* this.talk.answers(ACK);
  }
}

/** A client's data connection to where the server's words told. */
function* passive(random: Random, session: Session, place: Farm): Play {
  const { talk } = session;
  const port = 50000 + random.below(9000);
  const old = place.family === 4 && random.chance(60);
  yield* session.ask(old ? "PASV\r\n" : "EPSV\r\n");
  const rip = serverAddress(place.family, talk.server ?? 1);
  const told = old
    ? `227 Entering Passive Mode (${commas(rip)},${pair(port)})${random.pick([".", ""])}\r\n`
    : `229 Entering Extended Passive Mode (|||${port}|)\r\n`;
  const seen = yield* session.reply(told);
  const numbers = /\d+,\d+,\d+,\d+,(\d+),(\d+)/.exec(seen);
  const target = numbers ? Number(numbers[1]) * 256 + Number(numbers[2]) : port;
  yield* command("ipvsadm -Lnc");
  const data = new Conversation({ ...place, serverPort: port }, talk.client, 52000 + random.below(2000), { port: target, tracked: true });
  data.server = undefined;
  yield* data.open();
  yield* data.answers(PSH | ACK, "file data");
  yield* data.says(FIN | ACK);
  yield* command("ipvsadm -Lnc");
}

/** The server's data connection to where the client told. */
function* active(random: Random, session: Session, place: Farm): Play {
  const { talk } = session;
  const port = 40960 + random.below(9000);
  const four = place.family === 4;
  const text = four && random.chance(60) ? `PORT ${commas(talk.client)},${pair(port)}\r\n` : `EPRT |${four ? 1 : 2}|${talk.client}|${port}|\r\n`;
  yield* session.ask(text);
  yield* command("ipvsadm -Lnc");
  yield* session.reply("200 ok\r\n");
  const n = talk.server ?? 1;
  const ends = { source: serverAddress(place.family, n), sourcePort: place.serverPort - 1, target: talk.client, targetPort: port };
  const back = { source: talk.client, sourcePort: port, target: place.virtual, targetPort: place.port - 1 };
  const segment = (way: typeof ends, flags: number, sequence: number, acknowledged: number, data = ""): Buffer =>
    ipPacket({ source: way.source, target: way.target, protocol: TCP, id: 3, payload: tcpSegment(way, flags, sequence, acknowledged, Buffer.from(data)) });
  yield* inside(n, segment(ends, SYN, 7000, 0));
  yield* outside(talk.client, segment(back, SYN | ACK, 9000, 7001));
  yield* inside(n, segment(ends, ACK, 7001, 9001));
  yield* inside(n, segment(ends, PSH | ACK, 7001, 9001, "active data"));
  yield* command("ipvsadm -Lnc");
}

/** What is not quite the words the helper looks for. */
const NEARLY = [
  "227 Entering Passive Mode 10,0,2,11,1,2\r\n", "227 (10,0,2,11,1,2)", "229 Extended (|||x|)\r\n", "229 ok (|||0|)\r\n",
  "227 Entering Passive Mode (10,0,2,11,195\r\n", "220-227 Entering Passive Mode (10,0,2,11,9,9).\r\n",
  "229 Entering Extended Passive Mode (|1|10.0.2.11|5000|)\r\n",
];
const NEARLY_ASKED = [
  "PORT 1,2,3\r\n", "port 10,0,1,50,9,9\r\n",
  "EPRT |1|nonsense|5000|\r\n", "EPRT |3|10.0.1.50|5000|\r\n", "EPRT !1!10.0.1.50!5001!\r\n", "PASV",
];

/** One or two command connections with several transfers each. */
export function* dialog(random: Random): Play {
  const place = farm(random.chance(35) ? 6 : 4, "tcp", 21, random.chance(80) ? 21 : 2121);
  yield* build(place, { words: `-s rr${random.chance(30) ? " -p 97" : ""}`, servers: [1 + random.below(9), 10 + random.below(9)] });
  for (let k = 0; k < 2; k++) {
    const client = clientAddress(place.family, random.below(9));
    const talk = new Conversation(place, client, 42000 + k + random.below(900) * 2, { first: random.below(2 ** 31), tracked: true });
    if ((yield* talk.open()) === undefined) return;
    const session = new Session(talk, random);
    yield* session.reply("220 ready\r\n");
    for (let transfers = 1 + random.below(4); transfers > 0; transfers--) {
      const kind = random.below(10);
      if (kind < 4) yield* passive(random, session, place);
      else if (kind < 8) yield* active(random, session, place);
      else if (kind === 8) yield* session.reply(random.pick(NEARLY));
      else yield* session.ask(random.pick(NEARLY_ASKED));
      if (random.chance(40)) yield* session.reply("226 done\r\n");
    }
    yield* talk.answers(FIN | ACK);
    yield* command("ipvsadm -Lnc");
  }
  yield* command("ipvsadm -Ln --persistent-conn", "ipvsadm -Ln", "cat /proc/net/ip_vs_app");
}
