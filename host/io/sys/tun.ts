// TAP and TUN devices: network interfaces whose other end is a file descriptor.

import { O_CLOEXEC, O_NONBLOCK, O_RDWR, addressOf, checked, close, errno, ioctl, open } from "./libc.js";
import { SystemError } from "./error.js";
import { inNamespace } from "./netns.js";

const DEVICE = "/dev/net/tun";
const IFF_TUN = 1;
const IFF_TAP = 2;
const IFF_MULTI_QUEUE = 0x0100;
const IFF_NO_PI = 0x1000;
const IFF_VNET_HDR = 0x4000;
const TUNSETIFF = 0x400454ca;
const TUNSETOFFLOAD = 0x400454d0;
const TUNSETVNETHDRSZ = 0x400454d8;
const TUNGETIFF = 0x800454d2;
const TUNSETSTEERINGEBPF = 0x800454e0;

// TUN_F_CSUM 1, TSO4 2, TSO6 4, ECN 8; USO4 32 and USO6 64 came with Linux 6.2.
const OFFLOADS = 0x6f;
const OFFLOADS_BEFORE_6_2 = 0x0f;
const EINVAL = 22;
const EBADFD = 77;

/** The virtio header before every frame of a device opened with `vnetHeader`. */
export const VNET_HEADER_BYTES = 10;

const REQUEST_BYTES = 40; // struct ifreq: 16 of name, then here 2 of flags
const REQUEST_FLAGS_AT = 16;
const NAME_BYTES_MAX = 15;

export interface TapOptions {
  /** Each frame is preceded by a virtio header of 10 bytes. */
  vnetHeader: boolean;
  /** The kernel may hand over frames of up to 64 KB and unfinished checksums. Needs `vnetHeader`. */
  offloads: boolean;
  /** One of several queues: each further call with the same name adds one. */
  multiQueue?: boolean;
  /** Where the interface shall appear, such as /proc/PID/ns/net; the calling thread's without it. */
  namespacePath?: string;
}

/**
 * Makes a TAP interface and answers its non-blocking descriptor; the interface goes when that is
 * closed. It comes up down: somebody has to `ip link set NAME up`.
 */
export function openTap(name: string, options: TapOptions): number {
  return openDevice(name, IFF_TAP, options);
}

/** As openTap, but for bare IP packets without an Ethernet header. */
export function openTun(name: string, options: TapOptions): number {
  return openDevice(name, IFF_TUN, options);
}

function openDevice(name: string, kind: number, options: TapOptions): number {
  if (name.length === 0 || Buffer.byteLength(name) > NAME_BYTES_MAX) {
    throw new RangeError(`interface name "${name}": 1 to ${NAME_BYTES_MAX} bytes`);
  }
  if (options.offloads && !options.vnetHeader) {
    throw new RangeError("offloads need the virtio header: without it nobody knows how to cut a long frame");
  }
  const path = options.namespacePath;
  const make = (): number => createDevice(name, kind, options);
  // The device appears where the thread is when the descriptor is opened.
  return path === undefined ? make() : inNamespace(path, make);
}

function createDevice(name: string, kind: number, options: TapOptions): number {
  const fd = checked(open(DEVICE, O_RDWR | O_NONBLOCK | O_CLOEXEC), `open ${DEVICE}`, {
    ENOENT: "this kernel or container has no TUN driver: `modprobe tun`, or `docker run --device /dev/net/tun`",
    ENODEV: "the TUN driver is not loaded: `modprobe tun`",
    EPERM: "the container does not allow the device: `docker run --device /dev/net/tun`",
    EACCES: "the device is not open to this user: run as root, or `chmod 666 /dev/net/tun`",
  });
  try {
    register(fd, name, kind | IFF_NO_PI | (options.vnetHeader ? IFF_VNET_HDR : 0) | (options.multiQueue ? IFF_MULTI_QUEUE : 0));
    if (options.vnetHeader) setHeaderBytes(fd, name);
    if (options.offloads) setOffloads(fd, name);
    return fd;
  } catch (error) {
    close(fd);
    throw error;
  }
}

function register(fd: number, name: string, flags: number): void {
  const request = Buffer.alloc(REQUEST_BYTES);
  request.write(name);
  request.writeUInt16LE(flags, REQUEST_FLAGS_AT);
  checked(ioctl(fd, TUNSETIFF, addressOf(request)), `make interface ${name}`, {
    EPERM: "CAP_NET_ADMIN is missing: run as root, or inside `unshare --user --map-root-user --net`",
    EBUSY: "another program has it open",
    EINVAL: "an interface of this name exists and is of another kind, or has one queue where several are wanted (or the other way round)",
  });
}

function setHeaderBytes(fd: number, name: string): void {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(VNET_HEADER_BYTES);
  checked(ioctl(fd, TUNSETVNETHDRSZ, addressOf(bytes)), `set the virtio header of ${name}`);
}

function setOffloads(fd: number, name: string): void {
  if (ioctl(fd, TUNSETOFFLOAD, OFFLOADS) >= 0) return;
  const failure = errno();
  if (failure !== EINVAL) throw new SystemError(`set the offloads of ${name}`, failure);
  checked(ioctl(fd, TUNSETOFFLOAD, OFFLOADS_BEFORE_6_2), `set the offloads of ${name}`);
}

/** True when this descriptor's interface was taken away. */
export function isLostTap(fd: number): boolean {
  return ioctl(fd, TUNGETIFF, addressOf(Buffer.alloc(REQUEST_BYTES))) < 0 && errno() === EBADFD;
}

/** Lets a program (its descriptor) choose the queue of each frame; it replaces the one before. */
export function setSteering(fd: number, program: number): void {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(program);
  checked(ioctl(fd, TUNSETSTEERINGEBPF, addressOf(bytes)), "steer the frames of a TAP");
}
