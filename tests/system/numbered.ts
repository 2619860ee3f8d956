// Numbered segments of a stream, short and long ones by turns, run in a namespace: who receives them sees the order.
//
//   node numbered.js receive PORT                     counts, and prints {count, late} as JSON when the last has come
//   node numbered.js send ADDRESS PORT FROM_PORT ROUNDS GROUP   bursts of datagrams, of which some leave as one long frame;
//                                                     after each group of bursts it rests. Prints how many there were
//   node numbered.js write ADDRESS PORT ROUNDS        the same lengths as writes to an HTTP server's body, by TCP
//
// A datagram's first four bytes are its number; the sender cuts long ones by UDP_SEGMENT, so that they are long frames on
// a cable between kernels. A datagram is late when one with a higher number came before it.

import { createSocket } from "node:dgram";
import { connect as connectStream } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { endWithParent } from "../../host/lab/process.js";
import { addressOf, bind, checked, setsockopt, socket, write } from "../../host/io/sys/libc.js";
import { ADDRESS_BYTES, AF_INET, connect, socketAddress } from "./socketaddress.js";

const SOCK_DGRAM = 2;
const SOL_UDP = 17;
const UDP_SEGMENT = 103;
/** Datagrams of a long frame, and bytes of each. */
const SEGMENTS = 12;
const SEGMENT_BYTES = 1200;
const SHORT_BYTES = 60;
/** A burst: how many datagrams each frame has. */
const BURST = [1, 1, SEGMENTS, 1, SEGMENTS, 1, 1];
/** The last number, sent until somebody has certainly heard it. */
const END = 0xffffffff;
const ENDINGS = 50;
const ENDING_PAUSE_MS = 60;
/** So long one that came after the last is waited for. */
const STRAGGLER_MS = 200;
const BURST_PAUSE_MS = 1;
/** Between groups of bursts a flow rests: until it may change ways, or so long that bulk is over. */
const GROUP_BURSTS = 50;
const GROUP_PAUSES_MS = [60, 200, 1100];
const RECEIVE_BYTES = 4 << 20;

function receive(port: number): void {
  const one = createSocket({ type: "udp4", recvBufferSize: RECEIVE_BYTES });
  let [count, late, highest] = [0, 0, -1];
  const report = (): void => {
    process.stdout.write(`${JSON.stringify({ count, late })}\n`);
    one.close();
  };
  one.on("message", (message) => {
    const number = message.readUInt32BE(0);
    if (number === END) {
      if (highest !== END) setTimeout(report, STRAGGLER_MS);
      highest = END;
      return;
    }
    count++;
    if (number < highest) late++;
    else highest = number;
  });
  one.bind(port, () => process.stdout.write("ready\n"));
}

/** Between bursts the sender rests, after a group of them for longer. */
async function rest(round: number, groupBursts = GROUP_BURSTS): Promise<void> {
  const group = Math.floor(round / groupBursts);
  await pause(round % groupBursts === groupBursts - 1 ? GROUP_PAUSES_MS[group % GROUP_PAUSES_MS.length] : BURST_PAUSE_MS);
}

async function send(host: string, port: number, fromPort: number, rounds: number, groupBursts: number): Promise<void> {
  const fd = checked(socket(AF_INET, SOCK_DGRAM, 0), "make a socket");
  const [here, there, size] = [socketAddress("0.0.0.0", fromPort), socketAddress(host, port), Buffer.alloc(4)];
  size.writeUInt32LE(SEGMENT_BYTES);
  checked(bind(fd, addressOf(here), ADDRESS_BYTES), "bind");
  checked(connect(fd, addressOf(there), ADDRESS_BYTES), "connect");
  checked(setsockopt(fd, SOL_UDP, UDP_SEGMENT, addressOf(size), size.length), "ask for segments");
  const bytes = Buffer.alloc(SEGMENTS * SEGMENT_BYTES);
  let number = 0;
  for (let round = 0; round < rounds; round++) {
    for (const segments of BURST) {
      for (let segment = 0; segment < segments; segment++) bytes.writeUInt32BE(number++, segment * SEGMENT_BYTES);
      checked(write(fd, addressOf(bytes), segments === 1 ? SHORT_BYTES : segments * SEGMENT_BYTES), "send");
    }
    await rest(round, groupBursts);
  }
  process.stdout.write(`${number}\n`);
  bytes.writeUInt32BE(END);
  for (let ending = 0; ending < ENDINGS; ending++) {
    await pause(ENDING_PAUSE_MS);
    write(fd, addressOf(bytes), SHORT_BYTES);
  }
}

/** Node writes at once what has nothing before it, so each write is a segment of its own. */
async function writeAll(host: string, port: number, rounds: number): Promise<void> {
  const stream = connectStream({ host, port, noDelay: true });
  await new Promise<void>((resolve, reject) => stream.once("connect", resolve).once("error", reject));
  const bytes = Buffer.alloc(SEGMENTS * SEGMENT_BYTES, 120);
  const all = rounds * BURST.reduce((sum, segments) => sum + (segments === 1 ? SHORT_BYTES : segments * SEGMENT_BYTES), 0);
  stream.write(`POST / HTTP/1.1\r\nHost: numbered\r\nConnection: close\r\nContent-Length: ${all}\r\n\r\n`);
  for (let round = 0; round < rounds; round++) {
    for (const segments of BURST) {
      await new Promise<void>((resolve) => stream.write(bytes.subarray(0, segments === 1 ? SHORT_BYTES : segments * SEGMENT_BYTES), () => resolve()));
    }
    await rest(round);
  }
  let answer = "";
  stream.setEncoding("latin1").on("data", (text: string) => (answer += text));
  await new Promise<void>((resolve) => stream.once("close", () => resolve()));
  process.stdout.write(`${answer.split("\r\n")[0]}\n`);
}

const [, , what, ...words] = process.argv;
if (what === "receive") {
  endWithParent();
  receive(Number(words[0]));
} else if (what === "send") {
  await send(words[0] ?? "", Number(words[1]), Number(words[2]), Number(words[3]), Number(words[4] ?? GROUP_BURSTS));
} else if (what === "write") {
  await writeAll(words[0] ?? "", Number(words[1]), Number(words[2]));
} else {
  throw new Error(`receive, send or write, not "${what}"`);
}
