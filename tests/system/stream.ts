// Echo over any protocol with streams (TCP is 6, SCTP 132), by bare sockets: Node knows only TCP.
//
//   node stream.js probe PROTOCOL                   status 0 when this kernel has it
//   node stream.js serve PROTOCOL PORT NAME         answers each text with NAME before it
//   node stream.js ask PROTOCOL ADDRESS PORT COUNT  prints who answered how often, as JSON

import koffi from "koffi";
import { addressOf, bind, checked, close, read, socket, write } from "../../host/io/sys/libc.js";
import { ADDRESS_BYTES, AF_INET, connect, socketAddress } from "./socketaddress.js";

const SOCK_STREAM = 1;
const BACKLOG = 128;
const TEXT_BYTES_MAX = 256;

const libc = koffi.load(null);
const listen: (fd: number, backlog: number) => number = libc.func("listen", "int", ["int", "int"]);
const accept: (fd: number, address: number, bytes: number) => number = libc.func("accept", "int", ["int", "uintptr_t", "uintptr_t"]);

const buffer = Buffer.alloc(TEXT_BYTES_MAX);

function receive(fd: number): string {
  return buffer.toString("latin1", 0, Math.max(0, read(fd, addressOf(buffer), TEXT_BYTES_MAX)));
}

function send(fd: number, text: string): void {
  const bytes = Buffer.from(text, "latin1");
  checked(write(fd, addressOf(bytes), bytes.length), "send");
}

/** Serves until somebody ends it. */
function serve(protocol: number, port: number, name: string): void {
  const fd = checked(socket(AF_INET, SOCK_STREAM, protocol), "make a socket");
  const here = socketAddress("0.0.0.0", port);
  checked(bind(fd, addressOf(here), ADDRESS_BYTES), `bind port ${port}`);
  checked(listen(fd, BACKLOG), "listen");
  process.stdout.write("ready\n");
  for (;;) {
    const one = checked(accept(fd, 0, 0), "accept");
    send(one, `${name} ${receive(one)}`);
    close(one);
  }
}

function ask(protocol: number, host: string, port: number, count: number): void {
  const answers: Record<string, number> = {};
  const there = socketAddress(host, port);
  for (let number = 0; number < count; number++) {
    const fd = checked(socket(AF_INET, SOCK_STREAM, protocol), "make a socket");
    checked(connect(fd, addressOf(there), ADDRESS_BYTES), `connect to ${host}:${port}`);
    send(fd, `text ${number}`);
    const [name = "", ...text] = receive(fd).split(" ");
    const key = text.join(" ") === `text ${number}` ? name : `${name} said "${text.join(" ")}"`;
    answers[key] = (answers[key] ?? 0) + 1;
    close(fd);
  }
  process.stdout.write(`${JSON.stringify(answers)}\n`);
}

const [, , what, protocol = "", ...rest] = process.argv;
switch (what) {
  case "probe": close(checked(socket(AF_INET, SOCK_STREAM, Number(protocol)), "make a socket")); break;
  case "serve": serve(Number(protocol), Number(rest[0]), rest[1] ?? ""); break;
  case "ask": ask(Number(protocol), rest[0] ?? "", Number(rest[1]), Number(rest[2])); break;
  default: throw new Error(`probe, serve or ask, not "${what}"`);
}
