// A client of datagrams, run in a namespace. Prints what came of it as one word or number.
//
//   node udpclient.js ask ADDRESS PORT BYTES COUNT [FROM_PORT [PATIENCE_MS]]   how many came back as they were sent
//   node udpclient.js send ADDRESS PORT FROM_PORT [COUNT]   datagrams, a tenth of a second apart, no answer awaited
//   node udpclient.js refused ADDRESS PORT             the error that ICMP brought
//   node udpclient.js leave ADDRESS PORT               asks, and is gone before the answer comes

import { createSocket } from "node:dgram";
import { setTimeout as pause } from "node:timers/promises";
import { patternBytes } from "../../host/lab/pattern.js";

const ANSWER_MS = 20_000;
const AFTER_LEAVING_MS = 800;
const [, , what = "", address = "", port = "0", ...more] = process.argv;
const BETWEEN_MS = 100;
const [bytes = "1", count = "1", fromPort, patienceMs = String(ANSWER_MS)] = what === "ask" ? more : ["1", more[1], more[0]];

const socket = createSocket("udp4");
if (fromPort !== undefined) await new Promise<void>((resolve) => socket.bind(Number(fromPort), resolve));
await new Promise<void>((resolve) => socket.connect(Number(port), address, resolve));

/** Sends a datagram; answers what came back, or the error's name. */
function ask(message: Buffer): Promise<Buffer | string> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => settle("silence"), Number(patienceMs));
    const fail = (error: NodeJS.ErrnoException): void => settle(error.code ?? error.message);
    const settle = (value: Buffer | string): void => {
      clearTimeout(timer);
      socket.off("message", settle).off("error", fail);
      resolve(value);
    };
    socket.once("message", settle).once("error", fail);
    socket.send(message);
  });
}

async function askAll(): Promise<number> {
  let right = 0;
  for (let n = 0; n < Number(count); n++) {
    const message = patternBytes(n * 1000, Number(bytes));
    const answer = await ask(message);
    if (typeof answer !== "string" && answer.equals(message)) right++;
  }
  return right;
}

if (what === "ask") process.stdout.write(`${await askAll()}\n`);
else if (what === "refused") process.stdout.write(`${String(await ask(Buffer.from("anybody?")))}\n`);
else if (what === "send") {
  for (let n = 0; n < Number(count); n++) {
    if (n > 0) await pause(BETWEEN_MS);
    await new Promise((resolve) => socket.send("anybody?", resolve));
  }
  process.stdout.write("sent\n");
} else {
  socket.send("later, please");
  await pause(10);
  socket.close();
  await pause(AFTER_LEAVING_MS);
  process.stdout.write("left\n");
}
process.exit(0);
