// Real servers of a service: added, edited, deleted; a removed one comes back to its connections.

import {
  REQUEST_BASE, REQUEST_FORWARD, REQUEST_LOWER, REQUEST_SERVER_ADDRESS,
  REQUEST_SERVER_FAMILY, REQUEST_SERVER_PORT, REQUEST_TUNNEL_FLAGS, REQUEST_TUNNEL_PORT, REQUEST_TUNNEL_TYPE,
  REQUEST_UPPER, REQUEST_WEIGHT,
} from "../abi/layout";
import { ControlError, Forward, ServerFlag } from "../abi/enums";
import { SERVICES_MAX } from "../abi/limits";
import { clearCounters, zeroPlace } from "./counters";
import { family, isFamily, isUnicast, requested } from "./request";
import { routesChanged } from "../link/generation";
import { scheduleChanged } from "../schedule/table";
import { nextOrder } from "../service/order";
import { linkEnd, unlinkEnd } from "../service/ends";
import { findListed, findServer, linkName } from "../service/named";
import { countRemoved, detach } from "../service/removed";
import { Server, takeServer } from "../service/server";
import { beginTracking, FTP_CONTROL, Service } from "../service/service";
import { isBackup, isMaster } from "../sync/daemon";
import { copyAddress } from "../wire/field";

const R: usize = REQUEST_BASE;

function checkServer(service: Service): i32 {
  let kind = <u32>load<u8>(R, REQUEST_SERVER_FAMILY);
  let forward = <u32>load<u8>(R, REQUEST_FORWARD);
  if (!isFamily(kind) || forward > <u32>Forward.Direct || !isUnicast(kind, R + REQUEST_SERVER_ADDRESS)) return <i32>ControlError.Invalid;
  if (kind != <u32>service.family && forward != <u32>Forward.Tunnel) return <i32>ControlError.AddressFamily;
  // A sync message has one family for all its addresses.
  if (kind != <u32>service.family && (isMaster() || isBackup())) return <i32>ControlError.Invalid;
  if (load<u32>(R, REQUEST_WEIGHT) > <u32>i32.MAX_VALUE) return <i32>ControlError.Range;
  if (load<u32>(R, REQUEST_LOWER) > load<u32>(R, REQUEST_UPPER)) return <i32>ControlError.Range;
  return 0;
}

function listed(service: Service): u32 {
  return findListed(service, load<u8>(R, REQUEST_SERVER_FAMILY), R + REQUEST_SERVER_ADDRESS, load<u16>(R, REQUEST_SERVER_PORT));
}

export function serverAdd(): i32 {
  let index = requested();
  if (index == 0) return <i32>ControlError.NoService;
  let service = Service.at(index);
  let error = checkServer(service);
  if (error < 0) return error;
  let at = findServer(service, load<u8>(R, REQUEST_SERVER_FAMILY), R + REQUEST_SERVER_ADDRESS, load<u16>(R, REQUEST_SERVER_PORT));
  if (at != 0 && Server.at(at).service != 0) return <i32>ControlError.ServerExists;
  if (at == 0) {
    at = enter(service);
    if (at == 0) return <i32>ControlError.Full;
  } else {
    countRemoved(-1);
    // It was another service's, an earlier one with this name (as the kernel: recording figures_readded).
    if (Server.at(at).order < service.order) zeroPlace(SERVICES_MAX + at);
  }
  let server = Server.at(at);
  writeServer(service, at);
  // Added anew, it begins with the weight it has now, though its record may remember another (mh).
  server.lastWeight = server.weight;
  server.flags |= <u32>ServerFlag.Available;
  server.idleMs = 0;
  server.service = index;
  server.order = nextOrder();
  server.next = service.servers;
  service.servers = at;
  service.serversCount++;
  scheduleChanged(index);
  return <i32>at;
}

/** A record that has the requested name; 0 when all are in use. */
function enter(service: Service): u32 {
  let at = takeServer();
  if (at == 0) return 0;
  clearCounters(SERVICES_MAX + at);
  let server = Server.at(at);
  copyAddress(server.address, R + REQUEST_SERVER_ADDRESS);
  server.port = load<u16>(R, REQUEST_SERVER_PORT);
  server.family = load<u8>(R, REQUEST_SERVER_FAMILY);
  copyAddress(server.virtualAddress, service.address);
  server.virtualPort = service.port;
  server.protocol = service.protocol;
  server.virtualFamily = service.family;
  server.fwmark = service.fwmark;
  linkName(at);
  return at;
}

/**
 * What is prepared for a tunnel is out of date when the tunnel changes, its way when anything of it is written, and where the server is
 * reached with its method or tunnel.
 */
function writeServer(service: Service, at: u32): void {
  let server = Server.at(at);
  let stays = server.available && server.forward == load<u8>(R, REQUEST_FORWARD) && server.tunnelType == load<u8>(R, REQUEST_TUNNEL_TYPE) &&
    server.tunnelPort == load<u16>(R, REQUEST_TUNNEL_PORT);
  if (!stays && server.available) unlinkEnd(at);
  if (!server.available || server.tunnelType != load<u8>(R, REQUEST_TUNNEL_TYPE) ||
    server.tunnelFlags != load<u8>(R, REQUEST_TUNNEL_FLAGS) || server.tunnelPort != load<u16>(R, REQUEST_TUNNEL_PORT) ||
    (server.flags & <u32>ServerFlag.Reached) != 0) {
    routesChanged();
  }
  server.flags &= ~(<u32>ServerFlag.Reached | <u32>ServerFlag.KeepsWay);
  // Only a higher threshold, or none, lets an overloaded server take more at once (as the kernel: recording churn_dh).
  let upper = load<u32>(R, REQUEST_UPPER);
  if (upper == 0 || upper > server.upper) server.flags &= ~<u32>ServerFlag.Overload;
  server.forward = load<u8>(R, REQUEST_FORWARD);
  if (service.port == <u16>FTP_CONTROL && server.forward == <u8>Forward.Nat) beginTracking(service);
  server.weight = load<u32>(R, REQUEST_WEIGHT);
  if (server.weight != 0) server.lastWeight = server.weight;
  server.upper = upper;
  server.lower = load<u32>(R, REQUEST_LOWER);
  server.tunnelType = load<u8>(R, REQUEST_TUNNEL_TYPE);
  server.tunnelFlags = load<u8>(R, REQUEST_TUNNEL_FLAGS);
  server.tunnelPort = load<u16>(R, REQUEST_TUNNEL_PORT);
  if (!stays) linkEnd(at);
}

export function serverEdit(): i32 {
  let index = requested();
  if (index == 0) return <i32>ControlError.NoService;
  let service = Service.at(index);
  let error = checkServer(service);
  if (error < 0) return error;
  let at = listed(service);
  if (at == 0) return <i32>ControlError.NoServer;
  writeServer(service, at);
  scheduleChanged(index);
  return 0;
}

export function serverDelete(): i32 {
  let index = requested();
  if (index == 0) return <i32>ControlError.NoService;
  let at = listed(Service.at(index));
  if (at == 0) return <i32>ControlError.NoServer;
  detach(index, at);
  return 0;
}
