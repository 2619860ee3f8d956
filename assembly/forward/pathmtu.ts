// What a path to a tunnel's end carries, as far as routers on the way have told.

import { now, since } from "../memory";
import { Server } from "../service/server";

/** Smaller ones are not believed (RFC 1191 section 7.1; 552 is what Linux takes as the least). */
const PATH_MTU_MIN: u32 = 552;
/** A path may have changed after ten minutes (RFC 1191 section 6.3). */
const PATH_MTU_MS: u32 = 600000;

/** The MTU to a tunnel's end: the port's, or what a router on the way has told. */
export function pathMtu(server: Server, mtu: u32): u32 {
  if (server.pathMtu == 0 || since(server.pathMtuMs) >= PATH_MTU_MS) return mtu;
  return min(mtu, server.pathMtu);
}

/** A router on the way to a tunnel's end has told what it can carry. */
export function rememberPathMtu(server: Server, mtu: u32): void {
  // One that is larger again is not believed before the time is over, as in the kernel.
  if (server.pathMtu != 0 && since(server.pathMtuMs) < PATH_MTU_MS && mtu > server.pathMtu) return;
  server.pathMtu = max(mtu, PATH_MTU_MIN);
  server.pathMtuMs = now;
}
