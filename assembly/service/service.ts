// A virtual service: an address and port of the director (or a firewall mark) that servers stand behind.

import {
  CONTROL_BASE, CONTROL_JOINING6, CONTROL_SERVICES_USED, CONTROL_SERVING, CONTROL_TRACKING4, SERVICES_BASE, SERVICES_HASH,
  SERVICES_HASH_PLACES, SERVICE_BYTES, SERVICE_CURRENT, SERVICE_CURSOR, SERVICE_FLAGS, SERVICE_NEXT, SERVICE_RANDOM,
  SERVICE_SERVERS, SERVICE_SLAB,
} from "../abi/layout";
import { Protocol, ServiceFlag } from "../abi/enums";
import { foldAddress, mix } from "../base/hash";
import { sameAddress } from "../wire/field";

@unmanaged
export class Service {
  addressHigh: u64; //      0
  addressLow: u64; //       8
  fwmark: u32; //          16
  port: u16; //            20  network order
  protocol: u8; //         22
  family: u8; //           23  4, 6; 0 free
  flags: u32; //           24  ServiceFlag
  scheduler: u32; //       28  a Scheduler
  timeoutS: u32; //        32
  prefix: u32; //          36
  engine: u32; //          40
  servers: u32; //         44  newest first
  serversCount: u32; //    48
  next: u32; //            52
  order: u32; //           56
  cursor: u32; //          60
  current: i32; //         64
  maximum: u32; //         68
  divisor: u32; //         72
  slab: u32; //            76
  random: u32; //          80
  tracking: u32; //        84  1: FTP behind NAT
  spare1: u64; //          88
  spare2: u64; //          96
  spare3: u64; //         104
  spare4: u64; //         112
  spare5: u64; //         120

  static at(index: u32): Service {
    return changetype<Service>(<usize>SERVICES_BASE + <usize>index * SERVICE_BYTES);
  }
  get address(): usize {
    return changetype<usize>(this);
  }
  has(flag: ServiceFlag): bool {
    return (this.flags & <u32>flag) != 0;
  }
}
if (offsetof<Service>() != SERVICE_BYTES) ERROR("Service no longer fills SERVICE_BYTES");
if (offsetof<Service>("flags") != SERVICE_FLAGS) ERROR("flags moved: update SERVICE_FLAGS");
if (offsetof<Service>("servers") != SERVICE_SERVERS) ERROR("servers moved: update SERVICE_SERVERS");
if (offsetof<Service>("next") != SERVICE_NEXT) ERROR("next moved: update SERVICE_NEXT");
if (offsetof<Service>("cursor") != SERVICE_CURSOR) ERROR("cursor moved: update SERVICE_CURSOR");
if (offsetof<Service>("current") != SERVICE_CURRENT) ERROR("current moved: update SERVICE_CURRENT");
if (offsetof<Service>("slab") != SERVICE_SLAB) ERROR("slab moved: update SERVICE_SLAB");
if (offsetof<Service>("random") != SERVICE_RANDOM) ERROR("random moved: update SERVICE_RANDOM");

/** The port of FTP's command connections, in network order. */
export const FTP_CONTROL: u32 = 21 << 8;

/** Where the services of a family are counted. */
function servingAt(family: u32): usize {
  return CONTROL_BASE + CONTROL_SERVING + (family == 6 ? 4 : 0);
}

/**
 * True while there is a service of this family. Without one a kernel's IPVS does not look at the family's packets at
 * all, whatever connections it still knows (recording no_service).
 */
export function isServing(family: u32): bool {
  return load<u32>(servingAt(family)) != 0;
}

export function countServing(family: u32, change: i32): void {
  store<u32>(servingAt(family), load<u32>(servingAt(family)) + change);
  if (family == 6) store<u32>(CONTROL_BASE, 1, CONTROL_JOINING6);
}

/** True when fragments that are only passing have to be whole for IPVS to look at them: for IPv6 as soon as it ever had to. */
export function isJoining(family: u32): bool {
  return family == 6 ? load<u32>(CONTROL_BASE, CONTROL_JOINING6) != 0 : isServing(4);
}

/**
 * FTP behind NAT needs connection tracking in a kernel, which puts every IPv4 fragment together before anything else
 * looks at it, until the service goes (recording tracked_fragments).
 */
export function beginTracking(service: Service): void {
  if (service.tracking != 0 || service.family != 4) return;
  service.tracking = 1;
  store<u32>(CONTROL_BASE, load<u32>(CONTROL_BASE, CONTROL_TRACKING4) + 1, CONTROL_TRACKING4);
}

export function endTracking(service: Service): void {
  if (service.tracking != 0) store<u32>(CONTROL_BASE, load<u32>(CONTROL_BASE, CONTROL_TRACKING4) - 1, CONTROL_TRACKING4);
}

/** True while there is a service that makes a kernel put all fragments of IPv4 together. */
export function isTracking4(): bool {
  return load<u32>(CONTROL_BASE, CONTROL_TRACKING4) != 0;
}

/** The hash chain a service with these keys is on. */
export function serviceHead(family: u32, fwmark: u32, protocol: u32, address: usize, port: u32): usize {
  let key = fwmark != 0 ? mix(fwmark, family, 1) : mix(foldAddress(address), (protocol << 16) | port, 2);
  return SERVICES_HASH + (key & (SERVICES_HASH_PLACES - 1)) * 4;
}

/** The service with exactly these keys, 0 when there is none. */
export function findExact(family: u32, fwmark: u32, protocol: u32, address: usize, port: u32): u32 {
  let index = load<u32>(serviceHead(family, fwmark, protocol, address, port));
  while (index != 0) {
    let service = Service.at(index);
    if (fwmark != 0) {
      if (service.fwmark == fwmark && <u32>service.family == family) return index;
    } else if (service.fwmark == 0 && <u32>service.port == port && <u32>service.protocol == protocol &&
      <u32>service.family == family && sameAddress(service.address, address)) {
      return index;
    }
    index = service.next;
  }
  return 0;
}

const FTP_DATA: u32 = 20 << 8;
const UNPRIVILEGED: u32 = 1024;

/**
 * The service a packet to address and port belongs to, 0 when none does. `address` is 16 bytes.
 *
 * The mark is asked first, then address and port, then the FTP service for its data connections,
 * then the service of all ports (port 0), as the kernel does.
 */
export function findService(family: u32, mark: u32, protocol: u32, address: usize, port: u32): u32 {
  if (load<u32>(CONTROL_BASE, CONTROL_SERVICES_USED) == 0) return 0;
  if (mark != 0) {
    let marked = findExact(family, mark, 0, 0, 0);
    if (marked != 0) return marked;
  }
  let index = findExact(family, 0, protocol, address, port);
  if (index != 0) return index;
  if (protocol == <u32>Protocol.Tcp && (port == FTP_DATA || <u32>bswap<u16>(<u16>port) >= UNPRIVILEGED)) {
    index = findExact(family, 0, protocol, address, FTP_CONTROL);
    if (index != 0) return index;
  }
  return findExact(family, 0, protocol, address, 0);
}
