// The thread that takes IPIP apart where no BPF program may be loaded. It reads frames with the kernel's
// own notes about checksums and segments, and writes the inner packets to a TUN device, notes included.

import { parentPort, workerData } from "node:worker_threads";
import {
  O_CLOEXEC, O_NONBLOCK, POLL_IN, addressOf, bind, checked, interfaceIndex, poll, read, setsockopt, socket, write,
} from "../io/sys/libc.js";
import { VNET_HEADER_BYTES, openTun } from "../io/sys/tun.js";

const AF_INET = 2;
const AF_PACKET = 17;
const SOCK_RAW = 3;
const ETH_P_IP_NETWORK_ORDER = 0x0008;
const SOL_SOCKET = 1;
const SO_ATTACH_FILTER = 26;
const SOL_PACKET = 263;
const PACKET_VNET_HDR = 15;
const ADDRESS_BYTES = 20; // struct sockaddr_ll
const PROTOCOL_IPIP = 4;

const DEVICE = "decap0";
const FRAME_BYTES_MAX = VNET_HEADER_BYTES + 65550;
const ETHERNET_BYTES = 14;
const OUTER_BYTES = 20;
const CUT_BYTES = ETHERNET_BYTES + OUTER_BYTES;
const NEEDS_CHECKSUM = 1;
const HEADERS_AT = 2; // of a virtio header: bytes of headers, then where the checksum starts
const CHECKSUM_AT = 6;
const POLL_MS = 50; // the process cannot end before the wait does
const FRAMES_PER_WAIT_MAX = 256;

/** A packet socket on one interface, each frame preceded by a virtio header. */
function listen(interfaceName: string): number {
  const fd = checked(socket(AF_PACKET, SOCK_RAW | O_NONBLOCK | O_CLOEXEC, ETH_P_IP_NETWORK_ORDER), "open a packet socket");
  const one = Buffer.alloc(4);
  one.writeInt32LE(1);
  checked(setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, addressOf(one), one.length), "ask for virtio headers");
  const address = Buffer.alloc(ADDRESS_BYTES);
  address.writeUInt16LE(AF_PACKET, 0);
  address.writeUInt16LE(ETH_P_IP_NETWORK_ORDER, 2);
  address.writeInt32LE(interfaceIndex(interfaceName), 4);
  checked(bind(fd, addressOf(address), address.length), `listen on ${interfaceName}`);
  return fd;
}

/** Keeps the kernel from answering "protocol unreachable": somebody wants these packets. */
function claimProtocol(): void {
  const fd = checked(socket(AF_INET, SOCK_RAW | O_NONBLOCK | O_CLOEXEC, PROTOCOL_IPIP), "open a raw socket");
  // Nobody reads this socket, and a full one claims nothing: a filter of one instruction, "return 0".
  const filter = Buffer.from([6, 0, 0, 0, 0, 0, 0, 0]);
  const program = Buffer.alloc(16);
  program.writeUInt16LE(1, 0);
  program.writeBigUInt64LE(BigInt(addressOf(filter)), 8);
  checked(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, addressOf(program), program.length), "filter a raw socket");
}

/** Moves the virtio header of a tunnel's frame to its inner packet; where that now begins, or -1. */
function unwrap(frame: Buffer, bytes: number): number {
  if (bytes < VNET_HEADER_BYTES + CUT_BYTES + OUTER_BYTES) return -1;
  if (frame[VNET_HEADER_BYTES + ETHERNET_BYTES] !== 0x45) return -1;
  if (frame[VNET_HEADER_BYTES + ETHERNET_BYTES + 9] !== PROTOCOL_IPIP) return -1;
  frame.copy(frame, CUT_BYTES, 0, VNET_HEADER_BYTES);
  const header = frame.subarray(CUT_BYTES);
  header.writeUInt16LE(Math.max(header.readUInt16LE(HEADERS_AT) - CUT_BYTES, 0), HEADERS_AT);
  if (((header[0] ?? 0) & NEEDS_CHECKSUM) !== 0) {
    header.writeUInt16LE(header.readUInt16LE(CHECKSUM_AT) - CUT_BYTES, CHECKSUM_AT);
  }
  return CUT_BYTES;
}

function run(interfaceName: string, stop: Int32Array): void {
  const incoming = listen(interfaceName);
  claimProtocol();
  const device = openTun(DEVICE, { vnetHeader: true, offloads: false });
  parentPort?.postMessage(DEVICE);

  const frame = Buffer.alloc(FRAME_BYTES_MAX);
  const address = addressOf(frame);
  const waiting = Buffer.alloc(8);
  waiting.writeInt32LE(incoming, 0);
  waiting.writeUInt16LE(POLL_IN, 4);
  const waitingAddress = addressOf(waiting);
  while (Atomics.load(stop, 0) === 0) {
    poll(waitingAddress, 1, POLL_MS);
    for (let count = 0; count < FRAMES_PER_WAIT_MAX; count++) {
      const bytes = read(incoming, address, FRAME_BYTES_MAX);
      if (bytes < 0) break;
      const begin = unwrap(frame, bytes);
      // A full device drops, as any link may: the sender will repeat.
      if (begin >= 0) write(device, address + begin, bytes - begin);
    }
  }
}

const { interfaceName, stop } = workerData as { interfaceName: string; stop: Int32Array };
run(interfaceName, stop);
