// Servers by their names: address and port, and those of their virtual service. A name has one record, listed or removed, since
// a removed server comes back when it is added again. Walking a service's list instead would make adding thousands quadratic.

import { SERVERS_NAMED, SERVERS_NAMED_PLACES, SERVER_NEXT_NAMED } from "../abi/layout";
import { foldAddress, mix } from "../base/hash";
import { sameAddress } from "../wire/field";
import { Server } from "./server";
import { Service } from "./service";

/** Of a service by mark the mark is the name, whatever else it has. */
function chainOf(fwmark: u32, virtual: usize, virtualPort: u32, address: usize, port: u32): usize {
  let service = fwmark != 0 ? fwmark : mix(foldAddress(virtual), virtualPort, 7);
  return SERVERS_NAMED + (mix(service ^ foldAddress(address), port, 8) & (SERVERS_NAMED_PLACES - 1)) * 4;
}

function chainOfServer(server: Server): usize {
  return chainOf(server.fwmark, server.virtualAddress, server.virtualPort, server.address, server.port);
}

function isOf(server: Server, service: Service): bool {
  if (server.protocol != service.protocol || server.fwmark != service.fwmark || server.virtualFamily != service.family) return false;
  return service.fwmark != 0 || (server.virtualPort == service.port && sameAddress(server.virtualAddress, service.address));
}

/** The record of a service's server with this address (16 bytes) and port (network order), listed or removed; 0 when there is none. */
export function findServer(service: Service, family: u32, address: usize, port: u32): u32 {
  let index = load<u32>(chainOf(service.fwmark, service.address, service.port, address, port));
  for (; index != 0; index = Server.at(index).nextNamed) {
    let server = Server.at(index);
    if (<u32>server.port == port && <u32>server.family == family && sameAddress(server.address, address) && isOf(server, service)) break;
  }
  return index;
}

/** The same of a server that is listed. */
export function findListed(service: Service, family: u32, address: usize, port: u32): u32 {
  let index = findServer(service, family, address, port);
  return index != 0 && Server.at(index).service != 0 ? index : 0;
}

/** A record that has its name from now on. */
export function linkName(index: u32): void {
  let head = chainOfServer(Server.at(index));
  Server.at(index).nextNamed = load<u32>(head);
  store<u32>(head, index);
}

/** Before a record is given up. */
export function unlinkName(index: u32): void {
  let at = chainOfServer(Server.at(index));
  while (load<u32>(at) != index) at = changetype<usize>(Server.at(load<u32>(at))) + SERVER_NEXT_NAMED;
  store<u32>(at, Server.at(index).nextNamed);
}
