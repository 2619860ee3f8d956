// An existing network device, shared with the kernel: a packet socket that takes the frames for a hardware
// address of our own, each preceded by a virtio header as on a TAP.
//
// The kernel keeps the device and everything sent to its own address; what is sent to ours it sees too, as
// somebody else's, and drops. Segments of up to 64 KB come and go whole, as on a TAP, but without a bridge.

import { O_CLOEXEC, O_NONBLOCK, addressOf, bind, checked, close, getsockname, getsockopt, interfaceIndex, setsockopt, socket } from "./libc.js";
import type { Hints } from "./error.js";
import { inNamespace } from "./netns.js";

const AF_PACKET = 17;
const SOCK_RAW = 3;
const ETH_P_ALL = 3;
const ADDRESS_BYTES = 20; // struct sockaddr_ll

const SOL_SOCKET = 1;
const SO_ATTACH_FILTER = 26;
const SO_SNDBUFFORCE = 32;
const SO_RCVBUFFORCE = 33;
const SOL_PACKET = 263;
const PACKET_ADD_MEMBERSHIP = 1;
const PACKET_VNET_HDR = 15;
const PACKET_FANOUT = 18;
const PACKET_QDISC_BYPASS = 20;
const PACKET_FANOUT_DATA = 22;
const PACKET_IGNORE_OUTGOING = 23;
const FANOUT_HASH = 0;
const FANOUT_EBPF = 7;
const FANOUT_UNIQUE = 0x2000;
const FANOUT_IGNORE_OUTGOING = 0x4000;
const MEMBER_ALL_MULTICAST = 2;
const MEMBER_UNICAST = 3;
const MEMBER_BYTES = 16; // struct packet_mreq

/** What may wait for us: some hundred segments of 64 KB, or thousands of small frames. */
const RECEIVE_BYTES = 32 << 20;
const SEND_BYTES = 8 << 20;
const MAC_BYTES = 6;

const HINTS = {
  EPERM: "CAP_NET_RAW is missing: run as root, or inside `unshare --user --map-root-user --net`",
};
/** More than `net.core.rmem_max` is another right than the socket's own. */
const ROOM_HINTS: Hints = { EPERM: "CAP_NET_ADMIN is missing: run as root, or inside `unshare --user --map-root-user --net`" };

export interface PacketSocketOptions {
  /** Our own hardware address on the device's network. */
  mac: Uint8Array;
  /** Where the device is, such as /proc/PID/ns/net; the calling thread's network without it. */
  namespacePath?: string;
}

/** Opens a socket on a device and answers its non-blocking descriptor. The device is left when that is closed. */
export function openPacketSocket(name: string, options: PacketSocketOptions): number {
  const open = (): number => openSocket(name, options.mac);
  return options.namespacePath === undefined ? open() : inNamespace(options.namespacePath, open);
}

/**
 * Lets sockets of one device share its frames: each goes to one of them, which a program chooses (setFanoutProgram) or
 * the kernel, by the flow. They are numbered as they stand here.
 */
export function shareFrames(sockets: readonly number[], isSteered: boolean): void {
  const kind = (isSteered ? FANOUT_EBPF : FANOUT_HASH) | FANOUT_IGNORE_OUTGOING;
  let group = 0;
  sockets.forEach((fd, index) => {
    // The first asks for a group that nobody has.
    const how = index === 0 ? kind | FANOUT_UNIQUE : kind;
    set(fd, SOL_PACKET, PACKET_FANOUT, word(((how << 16) | group) >>> 0), "share a device's frames");
    if (index === 0) group = groupOf(fd);
  });
}

function groupOf(fd: number): number {
  const value = word(0);
  const bytes = word(value.length);
  checked(getsockopt(fd, SOL_PACKET, PACKET_FANOUT, addressOf(value), addressOf(bytes)), "share a device's frames");
  return value.readUInt16LE(0);
}

/** Lets a program (its descriptor) choose the socket of each frame, for all that share; it replaces the one before. */
export function setFanoutProgram(fd: number, program: number): void {
  set(fd, SOL_PACKET, PACKET_FANOUT_DATA, word(program), "steer the frames of a packet socket");
}

/** True when a socket's device has been taken away, not merely set down. False for what is no packet socket. */
export function hasLostDevice(fd: number): boolean {
  return (deviceIndexOf(fd) ?? 0) < 0;
}

export function isPacketSocket(fd: number): boolean {
  return deviceIndexOf(fd) !== undefined;
}

/** The number of a packet socket's device, -1 when it is gone; undefined of what is no packet socket. */
function deviceIndexOf(fd: number): number | undefined {
  const address = Buffer.alloc(ADDRESS_BYTES);
  const bytes = word(ADDRESS_BYTES);
  const isNamed = getsockname(fd, addressOf(address), addressOf(bytes)) === 0 && address.readUInt16LE(0) === AF_PACKET;
  return isNamed ? address.readInt32LE(4) : undefined;
}

function openSocket(name: string, mac: Uint8Array): number {
  const index = interfaceIndex(name);
  if (index === 0) throw new Error(`there is no network device ${name}`);
  const fd = checked(socket(AF_PACKET, SOCK_RAW | O_NONBLOCK | O_CLOEXEC, 0), "open a packet socket", HINTS);
  try {
    set(fd, SOL_PACKET, PACKET_VNET_HDR, word(1), "ask for virtio headers");
    set(fd, SOL_PACKET, PACKET_QDISC_BYPASS, word(1), "send past the queue");
    set(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, word(1), "leave out what is sent (Linux 4.20)");
    set(fd, SOL_SOCKET, SO_RCVBUFFORCE, word(RECEIVE_BYTES), "ask for room", ROOM_HINTS);
    set(fd, SOL_SOCKET, SO_SNDBUFFORCE, word(SEND_BYTES), "ask for room", ROOM_HINTS);
    filter(fd, mac);
    join(fd, index, MEMBER_UNICAST, mac);
    join(fd, index, MEMBER_ALL_MULTICAST, new Uint8Array(MAC_BYTES));
    const address = Buffer.alloc(ADDRESS_BYTES);
    address.writeUInt16LE(AF_PACKET, 0);
    address.writeUInt16BE(ETH_P_ALL, 2);
    address.writeInt32LE(index, 4);
    checked(bind(fd, addressOf(address), ADDRESS_BYTES), `take frames from ${name}`, { ENETDOWN: `the device is down: ip link set ${name} up` });
    return fd;
  } catch (error) {
    close(fd);
    throw error;
  }
}

function set(fd: number, level: number, option: number, value: Buffer, what: string, hints: Hints = HINTS): void {
  checked(setsockopt(fd, level, option, addressOf(value), value.length), what, hints);
}

function word(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

/** The device has to let frames for this address in, by its own filter or by listening to all. */
function join(fd: number, index: number, kind: number, mac: Uint8Array): void {
  const request = Buffer.alloc(MEMBER_BYTES);
  request.writeInt32LE(index, 0);
  request.writeUInt16LE(kind, 4);
  request.writeUInt16LE(MAC_BYTES, 6);
  request.set(mac, 8);
  set(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, request, "listen to a hardware address");
}

/** Lets in what is sent to our address or to many: all else is the kernel's alone. */
function filter(fd: number, mac: Uint8Array): void {
  const address = Buffer.from(mac);
  const instructions: readonly (readonly [number, number, number, number])[] = [
    [0x30, 0, 0, 0], //                         the first byte
    [0x45, 4, 0, 1], //                         to many: take
    [0x28, 0, 0, 0], //                         the first two
    [0x15, 0, 3, address.readUInt16BE(0)], //   not ours: leave
    [0x20, 0, 0, 2], //                         the other four
    [0x15, 0, 1, address.readUInt32BE(2)], //   not ours: leave
    [0x06, 0, 0, 0xffffffff], //                take, whole
    [0x06, 0, 0, 0], //                         leave
  ];
  const code = Buffer.alloc(instructions.length * 8);
  instructions.forEach(([operation, yes, no, value], index) => {
    code.writeUInt16LE(operation, index * 8);
    code.writeUInt8(yes, index * 8 + 2);
    code.writeUInt8(no, index * 8 + 3);
    code.writeUInt32LE(value, index * 8 + 4);
  });
  const program = Buffer.alloc(16); // struct sock_fprog
  program.writeUInt16LE(instructions.length, 0);
  program.writeBigUInt64LE(BigInt(addressOf(code)), 8);
  set(fd, SOL_SOCKET, SO_ATTACH_FILTER, program, "filter a packet socket");
}
