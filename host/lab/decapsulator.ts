// The thread that takes tunnels apart where the kernel has no device for it and no BPF program may be loaded
// or would do. It reads frames with the kernel's own notes about checksums and segments, and writes the
// inner packets to a TUN device, notes included.

import { existsSync } from "node:fs";
import { parentPort, workerData } from "node:worker_threads";
import {
  O_CLOEXEC, O_NONBLOCK, POLL_IN, addressOf, bind, checked, interfaceIndex, poll, read, setsockopt, socket, write,
} from "../io/sys/libc.js";
import { VNET_HEADER_BYTES, openTun } from "../io/sys/tun.js";
import { GUE_PORT, TunnelCounts, unwrap } from "./unwrap.js";

const AF_INET = 2;
const AF_INET6 = 10;
const AF_PACKET = 17;
const SOCK_DGRAM = 2;
const SOCK_RAW = 3;
// Ethernet types in network order.
const ETH_P_IP = 0x0008;
const ETH_P_IPV6 = 0xdd86;
const SOL_SOCKET = 1;
const SO_ATTACH_FILTER = 26;
const SOL_PACKET = 263;
const PACKET_VNET_HDR = 15;
const ADDRESS_BYTES = 20; // struct sockaddr_ll
const SOCKET_ADDRESS6_BYTES = 28;
const SOCKET_ADDRESS4_BYTES = 16;
const PROTOCOL_IPIP = 4;
const PROTOCOL_IPV6 = 41;
const PROTOCOL_GRE = 47;

const DEVICE = "decap0";
const FRAME_BYTES_MAX = VNET_HEADER_BYTES + 65550;
const ETHERNET_BYTES = 14;
const NEEDS_CHECKSUM = 1;
const HEADERS_AT = 2; // of a virtio header: bytes of headers, then where the checksum starts
const CHECKSUM_AT = 6;
const POLL_MS = 50; // the process cannot end before the wait does
const FRAMES_PER_WAIT_MAX = 256;

interface Family { family: number; type: number }

/** The families this namespace has. */
function families(): Family[] {
  const both = [{ family: AF_INET, type: ETH_P_IP }, { family: AF_INET6, type: ETH_P_IPV6 }];
  return existsSync("/proc/net/if_inet6") ? both : both.slice(0, 1);
}

/** A packet socket on one interface and one Ethernet type, each frame preceded by a virtio header. */
function listen(interfaceName: string, type: number): number {
  const fd = checked(socket(AF_PACKET, SOCK_RAW | O_NONBLOCK | O_CLOEXEC, type), "open a packet socket");
  const one = Buffer.alloc(4);
  one.writeInt32LE(1);
  checked(setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, addressOf(one), one.length), "ask for virtio headers");
  const address = Buffer.alloc(ADDRESS_BYTES);
  address.writeUInt16LE(AF_PACKET, 0);
  address.writeUInt16LE(type, 2);
  address.writeInt32LE(interfaceIndex(interfaceName), 4);
  checked(bind(fd, addressOf(address), address.length), `listen on ${interfaceName}`);
  return fd;
}

/** A socket that takes packets from the kernel and throws them away. */
function claim(family: number, kind: number, protocol: number): number {
  const fd = checked(socket(family, kind | O_NONBLOCK | O_CLOEXEC, protocol), `claim protocol ${protocol}`);
  // Nobody reads this socket, and a full one claims nothing: a filter of one instruction, "return 0".
  const filter = Buffer.from([6, 0, 0, 0, 0, 0, 0, 0]);
  const program = Buffer.alloc(16);
  program.writeUInt16LE(1, 0);
  program.writeBigUInt64LE(BigInt(addressOf(filter)), 8);
  checked(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, addressOf(program), program.length), "filter a socket");
  return fd;
}

/** Keeps the kernel from answering "protocol unreachable" or "port unreachable": somebody wants these packets. */
function claimTunnels(present: readonly Family[]): void {
  for (const { family } of present) {
    for (const protocol of [PROTOCOL_IPIP, PROTOCOL_IPV6, PROTOCOL_GRE]) claim(family, SOCK_RAW, protocol);
  }
  // An IPv6 socket without an address has the port for IPv4 too.
  const family = present.at(-1)?.family ?? AF_INET;
  const address = Buffer.alloc(family === AF_INET6 ? SOCKET_ADDRESS6_BYTES : SOCKET_ADDRESS4_BYTES);
  address.writeUInt16LE(family, 0);
  address.writeUInt16BE(GUE_PORT, 2);
  checked(bind(claim(family, SOCK_DGRAM, 0), addressOf(address), address.length), `claim port ${GUE_PORT}`);
}

/** Moves the virtio header of a tunnel's frame to its inner packet, `cut` bytes on. */
function moveHeader(frame: Buffer, cut: number): void {
  frame.copy(frame, cut, 0, VNET_HEADER_BYTES);
  const header = frame.subarray(cut);
  header.writeUInt16LE(Math.max(header.readUInt16LE(HEADERS_AT) - cut, 0), HEADERS_AT);
  if (((header[0] ?? 0) & NEEDS_CHECKSUM) !== 0) {
    header.writeUInt16LE(header.readUInt16LE(CHECKSUM_AT) - cut, CHECKSUM_AT);
  }
}

/** Takes one frame apart and hands its inner packet on; false when there was none to read. */
function forward(incoming: number, device: number, frame: Buffer, counts: TunnelCounts): boolean {
  const address = addressOf(frame);
  const bytes = read(incoming, address, FRAME_BYTES_MAX);
  if (bytes < 0) return false;
  const found = unwrap(frame.subarray(VNET_HEADER_BYTES + ETHERNET_BYTES, bytes));
  if (!found) return true;
  const cut = ETHERNET_BYTES + found.begin;
  moveHeader(frame, cut);
  counts.add(found);
  // A full device drops, as any link may: the sender will repeat.
  write(device, address + cut, bytes - cut);
  return true;
}

function run(interfaceName: string, stop: Int32Array, counts: TunnelCounts): void {
  const present = families();
  claimTunnels(present);
  const incoming = present.map(({ type }) => listen(interfaceName, type));
  const device = openTun(DEVICE, { vnetHeader: true, offloads: false });
  parentPort?.postMessage(DEVICE);

  const frame = Buffer.alloc(FRAME_BYTES_MAX);
  const waiting = Buffer.alloc(8 * incoming.length);
  incoming.forEach((fd, index) => {
    waiting.writeInt32LE(fd, 8 * index);
    waiting.writeUInt16LE(POLL_IN, 8 * index + 4);
  });
  const waitingAddress = addressOf(waiting);
  while (Atomics.load(stop, 0) === 0) {
    poll(waitingAddress, incoming.length, POLL_MS);
    for (const fd of incoming) {
      for (let count = 0; count < FRAMES_PER_WAIT_MAX && forward(fd, device, frame, counts); count++);
    }
  }
}

const { interfaceName, stop, counts } = workerData as { interfaceName: string; stop: Int32Array; counts: Int32Array };
run(interfaceName, stop, new TunnelCounts(counts));
