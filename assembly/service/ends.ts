// Where listed servers are reached, as frames name it: those behind NAT by address and port, tunnels by their end's address and
// port (0 for tunnels without one). Nothing is looked for by the address of the others.

import { SERVERS_HASH, SERVERS_HASH_PLACES, SERVER_CHAIN } from "../abi/layout";
import { Forward, TunnelType } from "../abi/enums";
import { foldAddress, mix } from "../base/hash";
import { sameAddress } from "../wire/field";
import { Server } from "./server";

function endsAt(address: usize, port: u32): usize {
  return SERVERS_HASH + (mix(foldAddress(address), port, 4) & (SERVERS_HASH_PLACES - 1)) * 4;
}

/** Network order. */
function portOf(server: Server): u32 {
  if (server.forward == <u8>Forward.Nat) return server.port;
  return server.tunnelType == <u8>TunnelType.Gue ? server.tunnelPort : 0;
}

/** A server that is listed, or reached elsewhere, from now on. Of several at one place the last to come is found first, as in the kernel. */
export function linkEnd(index: u32): void {
  let server = Server.at(index);
  if (server.forward != <u8>Forward.Nat && server.forward != <u8>Forward.Tunnel) return;
  let head = endsAt(server.address, portOf(server));
  server.chain = load<u32>(head);
  store<u32>(head, index);
}

/** A server that is no longer listed, or will be reached elsewhere. Whoever walks the chain without the lock finds his way on. */
export function unlinkEnd(index: u32): void {
  let server = Server.at(index);
  let at = endsAt(server.address, portOf(server));
  while (load<u32>(at) != index && load<u32>(at) != 0) at = changetype<usize>(Server.at(load<u32>(at))) + SERVER_CHAIN;
  if (load<u32>(at) == index) store<u32>(at, server.chain);
}

/** The listed server behind NAT with this address and port, of any service; 0 when there is none. */
export function natServerAt(family: u32, protocol: u32, address: usize, port: u32): u32 {
  let index = load<u32>(endsAt(address, port));
  for (; index != 0; index = Server.at(index).chain) {
    let server = Server.at(index);
    if (server.forward == <u8>Forward.Nat && <u32>server.family == family && <u32>server.port == port &&
      <u32>server.protocol == protocol && sameAddress(server.address, address)) break;
  }
  return index;
}

/**
 * A listed server that is the end of a tunnel there, 0 when there is none. `port` is 0 for tunnels without one: of several kinds
 * to one address only the last to come is known (as the kernel: recording tunnels_to_one).
 */
export function tunnelAt(family: u32, address: usize, port: u32): u32 {
  let index = load<u32>(endsAt(address, port));
  for (; index != 0; index = Server.at(index).chain) {
    let server = Server.at(index);
    if (server.forward == <u8>Forward.Tunnel && <u32>server.family == family && portOf(server) == port && sameAddress(server.address, address)) break;
  }
  return index;
}
