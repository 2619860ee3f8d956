// Watches interfaces of the namespace it runs in and tells every IPv4 frame as a JSON line: what a
// packet looked like before and after the director had it.

import { bind, checked, errno, interfaceIndex, O_NONBLOCK, read, socket, addressOf } from "../io/sys/libc.js";
import { endWithParent } from "./process.js";

const AF_PACKET = 17;
const SOCK_RAW = 3;
// Bridged frames and frames on their way out are only shown to whoever asks for every kind.
const ETH_P_ALL = 3;
const ETHERTYPE_IPV4 = 0x0800;
const ETHERTYPE_AT = 12;
const ADDRESS_BYTES = 20; // struct sockaddr_ll
const FRAME_BYTES = 65550;
/** Headers are enough. */
const TOLD_BYTES = 96;
const PAUSE_MS = 2;
const EAGAIN = 11;

export interface SniffedFrame { interface: string; hex: string }

function openSocket(name: string): number {
  const fd = checked(socket(AF_PACKET, SOCK_RAW | O_NONBLOCK, 0), "open a packet socket");
  const address = Buffer.alloc(ADDRESS_BYTES);
  address.writeUInt16LE(AF_PACKET, 0);
  address.writeUInt16BE(ETH_P_ALL, 2);
  address.writeInt32LE(interfaceIndex(name), 4);
  checked(bind(fd, addressOf(address), ADDRESS_BYTES), `watch ${name}`);
  return fd;
}

const frame = Buffer.alloc(FRAME_BYTES);
const frameAddress = addressOf(frame);
const watched = process.argv.slice(2).map((name) => ({ name, fd: openSocket(name) }));

function drain(): void {
  for (const { name, fd } of watched) {
    for (;;) {
      const bytes = read(fd, frameAddress, FRAME_BYTES);
      if (bytes <= 0) {
        if (bytes < 0 && errno() !== EAGAIN) process.exit(1); // the interface is gone
        break;
      }
      if (frame.readUInt16BE(ETHERTYPE_AT) !== ETHERTYPE_IPV4) continue;
      const told: SniffedFrame = { interface: name, hex: frame.toString("hex", 0, Math.min(bytes, TOLD_BYTES)) };
      process.stdout.write(`${JSON.stringify(told)}\n`);
    }
  }
}

endWithParent();
process.stdout.write(`${JSON.stringify({ watching: watched.map((one) => one.name) })}\n`);
setInterval(drain, PAUSE_MS);
