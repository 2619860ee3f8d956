// A real server of one virtual service. A removed server's record stays while connections name it,
// so that adding the same server again takes them back (as the kernel: recording limits).

import {
  CONTROL_BASE, CONTROL_SERVERS_FREE, CONTROL_SERVERS_USED, SERVERS_BASE, SERVER_ACTIVE, SERVER_BYTES, SERVER_CHAIN, SERVER_FLAGS, SERVER_LOAD_PLACE,
  SERVER_NEXT_NAMED, SERVER_ORDER, SERVER_PLACE, SERVER_REFERENCES, SERVER_TUNNEL_PORT, SERVER_VIRTUAL, SERVER_WEIGHT,
} from "../abi/layout";
import { ServerFlag } from "../abi/enums";
import { SERVERS_MAX } from "../abi/limits";

@unmanaged
export class Server {
  addressHigh: u64; //      0
  addressLow: u64; //       8
  port: u16; //            16  network order
  family: u8; //           18  4, 6; 0 free
  forward: u8; //          19  a Forward
  flags: u32; //           20  ServerFlag
  weight: u32; //          24  0 means draining
  active: u32; //          28
  inactive: u32; //        32
  persistent: u32; //      36  templates
  upper: u32; //           40
  lower: u32; //           44
  service: u32; //         48  0 when removed
  next: u32; //            52
  references: u32; //      56
  loadPlace: u32; //       60  among its service's loads
  virtualHigh: u64; //     64
  virtualLow: u64; //      72
  virtualPort: u16; //     80
  protocol: u8; //         82
  virtualFamily: u8; //    83
  fwmark: u32; //          84
  tunnelType: u8; //       88
  tunnelFlags: u8; //      89
  tunnelPort: u16; //      90
  idleMs: u32; //          92
  chain: u32; //           96
  order: u32; //          100
  place: u32; //          104  mh: only while its table is filled
  step: u32; //           108
  turns: u32; //          112
  nextNamed: u32; //      116
  spare: u32; //          120
  lastWeight: u32; //     124  last weight that was not 0

  static at(index: u32): Server {
    return changetype<Server>(<usize>SERVERS_BASE + <usize>index * SERVER_BYTES);
  }
  /** Where the 16-byte address lies. */
  get address(): usize {
    return changetype<usize>(this);
  }
  get virtualAddress(): usize {
    return changetype<usize>(this) + SERVER_VIRTUAL;
  }
  /** Connections that count for the thresholds. */
  get total(): u32 {
    return this.active + this.inactive;
  }
  get available(): bool {
    return (this.flags & <u32>ServerFlag.Available) != 0;
  }
  get overloaded(): bool {
    return (this.flags & <u32>ServerFlag.Overload) != 0;
  }
  /** An established connection costs 256 times an idle one. */
  get overhead(): u64 {
    return (<u64>this.active << 8) + <u64>this.inactive;
  }
}
if (offsetof<Server>() != SERVER_BYTES) ERROR("Server no longer fills SERVER_BYTES");
if (offsetof<Server>("flags") != SERVER_FLAGS) ERROR("flags moved: update SERVER_FLAGS");
if (offsetof<Server>("weight") != SERVER_WEIGHT) ERROR("weight moved: update SERVER_WEIGHT");
if (offsetof<Server>("active") != SERVER_ACTIVE) ERROR("active moved: update SERVER_ACTIVE");
if (offsetof<Server>("references") != SERVER_REFERENCES) ERROR("references moved: update SERVER_REFERENCES");
if (offsetof<Server>("tunnelPort") != SERVER_TUNNEL_PORT) ERROR("tunnelPort moved: update SERVER_TUNNEL_PORT");
if (offsetof<Server>("chain") != SERVER_CHAIN) ERROR("chain moved: update SERVER_CHAIN");
if (offsetof<Server>("order") != SERVER_ORDER) ERROR("order moved: update SERVER_ORDER");
if (offsetof<Server>("loadPlace") != SERVER_LOAD_PLACE) ERROR("loadPlace moved: update SERVER_LOAD_PLACE");
if (offsetof<Server>("place") != SERVER_PLACE) ERROR("place moved: update SERVER_PLACE");
if (offsetof<Server>("nextNamed") != SERVER_NEXT_NAMED) ERROR("nextNamed moved: update SERVER_NEXT_NAMED");

/** The first free record, 0 when all are in use. */
export function takeServer(): u32 {
  let used = max<u32>(load<u32>(CONTROL_BASE, CONTROL_SERVERS_USED), 1);
  let index = max<u32>(load<u32>(CONTROL_BASE, CONTROL_SERVERS_FREE), 1);
  while (index < used && Server.at(index).family != 0) index++;
  store<u32>(CONTROL_BASE, index, CONTROL_SERVERS_FREE);
  if (index == SERVERS_MAX) return 0;
  if (index == used) store<u32>(CONTROL_BASE, used + 1, CONTROL_SERVERS_USED);
  memory.fill(changetype<usize>(Server.at(index)), 0, SERVER_BYTES);
  return index;
}

/** Gives a record back. takeServer() clears the rest of it. */
export function giveServer(index: u32): void {
  Server.at(index).family = 0;
  if (index < load<u32>(CONTROL_BASE, CONTROL_SERVERS_FREE)) store<u32>(CONTROL_BASE, index, CONTROL_SERVERS_FREE);
}
