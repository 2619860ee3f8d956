// A DNS client of a test: COUNT questions for addresses from one socket, so from one port.
//
//   node resolve.js SERVER COUNT      prints how many answers gave which address, as JSON

import { createSocket } from "node:dgram";
import { isIPv6 } from "node:net";

const DNS_PORT = 53;
const HEADER_BYTES = 12;
const UNDERWAY_MAX = 16;
const SILENCE_MS = 20_000;

const [, , server = "", countText = ""] = process.argv;
const count = Number(countText);
const answers: Record<string, number> = {};
const socket = createSocket(isIPv6(server) ? "udp6" : "udp4");
let asked = 0;
let answered = 0;

/** A question of type A for qNUMBER.site.test. */
function question(number: number): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt16BE(number & 0xffff, 0);
  header.writeUInt16BE(0x0100, 2);
  header.writeUInt16BE(1, 4);
  const labels = [`q${number}`, "site", "test"].map((label) => Buffer.from(`${String.fromCharCode(label.length)}${label}`));
  return Buffer.concat([header, ...labels, Buffer.from([0, 0, 1, 0, 1])]);
}

function ask(): void {
  if (asked < count) socket.send(question(asked++), DNS_PORT, server);
}

function finish(): void {
  process.stdout.write(`${JSON.stringify({ answered, answers })}\n`);
  socket.close();
}

let patience = setTimeout(finish, SILENCE_MS);
socket.on("message", (message) => {
  clearTimeout(patience);
  // One answer: its address is what the message ends with.
  const address = message.readUInt16BE(6) === 1 ? message.subarray(-4).join(".") : `code ${(message[3] ?? 0) & 15}`;
  answers[address] = (answers[address] ?? 0) + 1;
  if (++answered === count) return finish();
  patience = setTimeout(finish, SILENCE_MS);
  ask();
});
for (let first = 0; first < UNDERWAY_MAX; first++) ask();
