// What an operator may change: validate, then change the tables. An invalid request changes nothing.

import {
  CONTROL_ABI, CONTROL_BASE, CONTROL_BUCKET_BITS, CONTROL_LAYOUT, CONTROL_MAGIC, CONTROL_MARKS_USED, CONTROL_NOW_MS,
  CONTROL_ORDER, CONTROL_SERVERS_USED, CONTROL_SERVICES_USED, CONTROL_WORKERS, ABI_VERSION, LAYOUT_VERSION, MAGIC, COUNTERS_BASE,
  COUNTERS_WORKER_BYTES, COUNTER_BYTES, MARKS_BASE, MARK_BYTES, MARK_FAMILY, MARK_INTERFACE,
  MARK_PORT_HIGH, MARK_PORT_LOW, MARK_PROTOCOL, MARK_SOURCE, MARK_SOURCE_BITS, MARK_TARGET, MARK_TARGET_BITS,
  MARK_VALUE, PORT_FLAGS, PORT_MAC, PORT_MTU, PORT_PEER_MAC, RATES_BASE, RATE_BYTES, RATE_ZERO, REQUEST_ADDRESS,
  REQUEST_BASE, REQUEST_ENGINE, REQUEST_FAMILY, REQUEST_FLAGS, REQUEST_FORWARD, REQUEST_FWMARK, REQUEST_INTERFACE,
  REQUEST_LOWER, REQUEST_MAC, REQUEST_PEER_MAC, REQUEST_PORT, REQUEST_PREFIX, REQUEST_PROTOCOL, REQUEST_SCHEDULER,
  REQUEST_SERVER_ADDRESS, REQUEST_SERVER_FAMILY, REQUEST_SERVER_PORT, REQUEST_SOURCE, REQUEST_SOURCE_BITS,
  REQUEST_TIMEOUT_S, REQUEST_TUNNEL_FLAGS, REQUEST_TUNNEL_PORT, REQUEST_TUNNEL_TYPE, REQUEST_UPPER, REQUEST_VALUES,
  REQUEST_WEIGHT, RATE_VALUE, SERVER_BYTES, SERVICE_BYTES, STATE_CAUSE,
} from "./abi/layout";
import { MARKS_MAX, PORTS_MAX, SERVICES_MAX, WORKERS_MAX, BUCKET_BITS_MAX, BUCKET_BITS_MIN } from "./abi/limits";
import { ControlError, Forward, LocalKind, Operation, ServerFlag, ServiceFlag, Sysctl, TcpState, UdpState } from "./abi/enums";
import { TIMEOUTS_UDP } from "./abi/layout";
import { decideDefences, DEFENCE_MODE_MAX, isDefence } from "./defence/level";
import { addLocal, findLocal, portAt, removeLocal } from "./link/local";
import { addPermanent, refreshPorts, removeNeighbor } from "./link/neighbor";
import { addRoute, removeRoute, routesChanged } from "./link/route";
import { announceArp } from "./link/arp";
import { beginSchedule, endSchedule, isScheduler, scheduleChanged, scheduleRemoved } from "./schedule/table";
import { initSctp } from "./state/sctp";
import { initTcp } from "./state/tcp";
import { initTimeouts, setTimeoutMs } from "./state/timeouts";
import { initHelpers, setHelperPorts } from "./helper/table";
import { findExact, Service, serviceHead } from "./service/service";
import { linkServer, Server, takeServer, unlinkServer } from "./service/server";
import { beginBatch, NO_CAUSE } from "./packet/slot";
import { initSysctls, setSysctl } from "./sysctl";
import { copyAddress, isZeroAddress, sameAddress } from "./wire/field";
import { now, setNow, state } from "./memory";

const R: usize = REQUEST_BASE;
/** A removed server without connections is forgotten after this long, as in the kernel. */
const REMOVED_MS: u32 = 120000;

/** Prepares a fresh memory. The host has written workers, bits, seed and the tables' place. */
export function init(): i32 {
  let bits = load<u32>(CONTROL_BASE, CONTROL_BUCKET_BITS);
  let workers = load<u32>(CONTROL_BASE, CONTROL_WORKERS);
  if (bits < BUCKET_BITS_MIN || bits > BUCKET_BITS_MAX) return <i32>ControlError.Range;
  if (workers == 0 || workers > WORKERS_MAX) return <i32>ControlError.Range;
  store<u32>(CONTROL_BASE, ABI_VERSION, CONTROL_ABI);
  store<u32>(CONTROL_BASE, LAYOUT_VERSION, CONTROL_LAYOUT);
  initSysctls();
  initTimeouts();
  initTcp();
  initSctp();
  initHelpers();
  store<u32>(CONTROL_BASE, MAGIC, CONTROL_MAGIC);
  return 0;
}

/** Does one operation with the arguments of the request record; below zero is a ControlError. */
export function control(operation: u32): i32 {
  setNow(load<u32>(CONTROL_BASE, CONTROL_NOW_MS));
  beginBatch();
  store<u32>(state, NO_CAUSE, STATE_CAUSE);
  switch (<i32>operation) {
    case Operation.ServiceAdd: return serviceAdd();
    case Operation.ServiceEdit: return serviceEdit();
    case Operation.ServiceDelete: return serviceDelete();
    case Operation.ServerAdd: return serverAdd();
    case Operation.ServerEdit: return serverEdit();
    case Operation.ServerDelete: return serverDelete();
    case Operation.Flush: return flush();
    case Operation.Zero: return zero();
    case Operation.TimeoutsSet: return timeoutsSet();
    case Operation.SysctlSet: return sysctlSet();
    case Operation.PortSet: return portSet();
    case Operation.LocalAdd: return localAdd();
    case Operation.LocalDelete: return localDelete();
    case Operation.RouteAdd: return routeAdd();
    case Operation.RouteDelete: return removeRoute(family(), R + REQUEST_ADDRESS, bits(REQUEST_PREFIX));
    case Operation.NeighborAdd: return neighborAdd();
    case Operation.NeighborDelete: return removeNeighbor(family(), inbound(), R + REQUEST_ADDRESS);
    case Operation.MarkAdd: return markAdd();
    case Operation.MarkClear: return markClear();
    case Operation.Announce: return announce();
    case Operation.HelperPortsSet: return setHelperPorts(R + REQUEST_VALUES);
    default: return <i32>ControlError.Unsupported;
  }
}

function family(): u32 {
  return load<u8>(R, REQUEST_FAMILY);
}

function isFamily(value: u32): bool {
  return value == 4 || value == 6;
}

function inbound(): u32 {
  return load<u32>(R, REQUEST_INTERFACE);
}

/** A prefix length of the request, counted in 128. */
function bits(offset: usize): u32 {
  return min<u32>(load<u32>(R + offset), 128) + (family() == 4 ? 96 : 0);
}

function nextOrder(): u32 {
  let order = load<u32>(CONTROL_BASE, CONTROL_ORDER) + 1;
  store<u32>(CONTROL_BASE, order, CONTROL_ORDER);
  return order;
}

// ------------------------------------------------------------------------------------- services

function requestMark(): u32 {
  return load<u32>(R, REQUEST_FLAGS) & <u32>ServiceFlag.Fwmark ? load<u32>(R, REQUEST_FWMARK) : 0;
}

function requested(): u32 {
  return findExact(family(), requestMark(), load<u8>(R, REQUEST_PROTOCOL), R + REQUEST_ADDRESS, load<u16>(R, REQUEST_PORT));
}

function isUnicast(address: usize): bool {
  if (load<u64>(address) == 0 && load<u32>(address, 8) == 0xffff0000) return (load<u8>(address, 12) & 0xe0) != 0xe0;
  return load<u8>(address) != 0xff;
}

function checkService(): i32 {
  if (!isFamily(family())) return <i32>ControlError.Invalid;
  if (!isScheduler(load<u32>(R, REQUEST_SCHEDULER)) || load<u32>(R, REQUEST_ENGINE) != 0) return <i32>ControlError.NoScheduler;
  return 0;
}

function serviceAdd(): i32 {
  if (requested() != 0) return <i32>ControlError.Exists;
  let error = checkService();
  if (error < 0) return error;
  let used = max<u32>(load<u32>(CONTROL_BASE, CONTROL_SERVICES_USED), 1);
  let index: u32 = 1;
  while (index < used && Service.at(index).family != 0) index++;
  if (index == SERVICES_MAX) return <i32>ControlError.Full;
  let service = Service.at(index);
  memory.fill(changetype<usize>(service), 0, SERVICE_BYTES);
  clearCounters(index);
  copyAddress(service.address, R + REQUEST_ADDRESS);
  service.fwmark = requestMark();
  service.port = load<u16>(R, REQUEST_PORT);
  service.protocol = load<u8>(R, REQUEST_PROTOCOL);
  service.family = <u8>family();
  service.order = nextOrder();
  if (!writeService(service, index)) {
    memory.fill(changetype<usize>(service), 0, SERVICE_BYTES);
    return <i32>ControlError.Full;
  }
  let head = serviceHead(service.family, service.fwmark, service.protocol, service.address, service.port);
  service.next = load<u32>(head);
  store<u32>(head, index);
  if (index == used) store<u32>(CONTROL_BASE, used + 1, CONTROL_SERVICES_USED);
  return <i32>index;
}

/** False, and nothing changed, when the scheduler has no room for another table. */
function writeService(service: Service, index: u32): bool {
  if (!beginSchedule(index, load<u32>(R, REQUEST_SCHEDULER))) return false;
  service.flags = load<u32>(R, REQUEST_FLAGS);
  service.timeoutS = load<u32>(R, REQUEST_TIMEOUT_S);
  service.prefix = load<u32>(R, REQUEST_PREFIX);
  service.engine = load<u32>(R, REQUEST_ENGINE);
  return true;
}

function serviceEdit(): i32 {
  let error = checkService();
  if (error < 0) return error;
  let index = requested();
  if (index == 0) return <i32>ControlError.NoService;
  return writeService(Service.at(index), index) ? 0 : <i32>ControlError.Full;
}

function serviceDelete(): i32 {
  let index = requested();
  if (index == 0) return <i32>ControlError.NoService;
  dropService(index);
  return 0;
}

function dropService(index: u32): void {
  let service = Service.at(index);
  endSchedule(index);
  while (service.servers != 0) detach(index, service.servers);
  let at = serviceHead(service.family, service.fwmark, service.protocol, service.address, service.port);
  while (load<u32>(at) != index) at = changetype<usize>(Service.at(load<u32>(at))) + offsetof<Service>("next");
  store<u32>(at, service.next);
  memory.fill(changetype<usize>(service), 0, SERVICE_BYTES);
}

function flush(): i32 {
  let used = load<u32>(CONTROL_BASE, CONTROL_SERVICES_USED);
  for (let index: u32 = 1; index < used; index++) if (Service.at(index).family != 0) dropService(index);
  return 0;
}

// -------------------------------------------------------------------------------------- servers

function checkServer(service: Service): i32 {
  let kind = <u32>load<u8>(R, REQUEST_SERVER_FAMILY);
  let forward = <u32>load<u8>(R, REQUEST_FORWARD);
  if (!isFamily(kind) || forward > <u32>Forward.Direct || !isUnicast(R + REQUEST_SERVER_ADDRESS)) return <i32>ControlError.Invalid;
  if (kind != <u32>service.family && forward != <u32>Forward.Tunnel) return <i32>ControlError.AddressFamily;
  if (load<u32>(R, REQUEST_WEIGHT) > <u32>i32.MAX_VALUE) return <i32>ControlError.Range;
  if (load<u32>(R, REQUEST_LOWER) > load<u32>(R, REQUEST_UPPER)) return <i32>ControlError.Range;
  return 0;
}

function isRequested(server: Server): bool {
  return server.port == load<u16>(R, REQUEST_SERVER_PORT) && server.family == load<u8>(R, REQUEST_SERVER_FAMILY) &&
    sameAddress(server.address, R + REQUEST_SERVER_ADDRESS);
}

function listed(service: Service): u32 {
  let at = service.servers;
  while (at != 0 && !isRequested(Server.at(at))) at = Server.at(at).next;
  return at;
}

function serverAdd(): i32 {
  let index = requested();
  if (index == 0) return <i32>ControlError.NoService;
  let service = Service.at(index);
  let error = checkServer(service);
  if (error < 0) return error;
  if (listed(service) != 0) return <i32>ControlError.ServerExists;
  let at = removed(service);
  if (at == 0) {
    at = takeServer();
    if (at == 0) return <i32>ControlError.Full;
    clearCounters(SERVICES_MAX + at);
    let fresh = Server.at(at);
    copyAddress(fresh.address, R + REQUEST_SERVER_ADDRESS);
    fresh.port = load<u16>(R, REQUEST_SERVER_PORT);
    fresh.family = load<u8>(R, REQUEST_SERVER_FAMILY);
    copyAddress(fresh.virtualAddress, service.address);
    fresh.virtualPort = service.port;
    fresh.protocol = service.protocol;
    fresh.virtualFamily = service.family;
    fresh.fwmark = service.fwmark;
    linkServer(at);
  }
  let server = Server.at(at);
  writeServer(server);
  // Added anew, it begins with the weight it has now, though its record may remember another (mh).
  server.lastWeight = server.weight;
  server.flags = <u32>ServerFlag.Available;
  server.idleMs = 0;
  server.service = index;
  server.order = nextOrder();
  server.next = service.servers;
  service.servers = at;
  service.serversCount++;
  scheduleChanged(index);
  return <i32>at;
}

/** A record of the same server, removed earlier and kept for its connections. */
function removed(service: Service): u32 {
  let used = load<u32>(CONTROL_BASE, CONTROL_SERVERS_USED);
  for (let at: u32 = 1; at < used; at++) {
    let server = Server.at(at);
    if (server.family == 0 || server.service != 0 || !isRequested(server)) continue;
    if (server.protocol != service.protocol || server.fwmark != service.fwmark || server.virtualFamily != service.family) continue;
    if (service.fwmark != 0 || (server.virtualPort == service.port && sameAddress(server.virtualAddress, service.address))) return at;
  }
  return 0;
}

function writeServer(server: Server): void {
  server.forward = load<u8>(R, REQUEST_FORWARD);
  server.weight = load<u32>(R, REQUEST_WEIGHT);
  if (server.weight != 0) server.lastWeight = server.weight;
  server.upper = load<u32>(R, REQUEST_UPPER);
  server.lower = load<u32>(R, REQUEST_LOWER);
  server.tunnelType = load<u8>(R, REQUEST_TUNNEL_TYPE);
  server.tunnelFlags = load<u8>(R, REQUEST_TUNNEL_FLAGS);
  server.tunnelPort = load<u16>(R, REQUEST_TUNNEL_PORT);
  if (server.upper == 0 || server.total < server.upper) server.flags &= ~<u32>ServerFlag.Overload;
}

function serverEdit(): i32 {
  let index = requested();
  if (index == 0) return <i32>ControlError.NoService;
  let service = Service.at(index);
  let error = checkServer(service);
  if (error < 0) return error;
  let at = listed(service);
  if (at == 0) return <i32>ControlError.NoServer;
  writeServer(Server.at(at));
  scheduleChanged(index);
  return 0;
}

function serverDelete(): i32 {
  let index = requested();
  if (index == 0) return <i32>ControlError.NoService;
  let at = listed(Service.at(index));
  if (at == 0) return <i32>ControlError.NoServer;
  detach(index, at);
  return 0;
}

/** Takes a server from its service. The record stays while connections name it. */
function detach(index: u32, at: u32): void {
  let service = Service.at(index);
  let server = Server.at(at);
  scheduleRemoved(index, at);
  if (service.servers == at) {
    service.servers = server.next;
  } else {
    let before = service.servers;
    while (Server.at(before).next != at) before = Server.at(before).next;
    Server.at(before).next = server.next;
  }
  service.serversCount--;
  server.next = 0;
  server.service = 0;
  server.flags = 0;
  scheduleChanged(index);
}

/** Each tick: removed servers that nobody names any more are forgotten after two minutes. */
export function releaseServers(): void {
  let used = load<u32>(CONTROL_BASE, CONTROL_SERVERS_USED);
  for (let at: u32 = 1; at < used; at++) {
    let server = Server.at(at);
    if (server.family == 0 || server.service != 0) continue;
    if (server.references != 0) server.idleMs = 0;
    else if (server.idleMs == 0) server.idleMs = now | 1;
    else if (now - server.idleMs >= REMOVED_MS) {
      unlinkServer(at);
      memory.fill(changetype<usize>(server), 0, SERVER_BYTES);
    }
  }
}

// ----------------------------------------------------------------------------------- statistics

function counterSum(place: u32, counter: usize): u64 {
  let sum: u64 = 0;
  for (let worker: u32 = 0; worker < load<u32>(CONTROL_BASE, CONTROL_WORKERS); worker++) {
    sum += load<u64>(<usize>COUNTERS_BASE + <usize>worker * COUNTERS_WORKER_BYTES + <usize>place * COUNTER_BYTES + counter);
  }
  return sum;
}

/** A record is used anew: its counters begin at zero. */
function clearCounters(place: u32): void {
  for (let worker: u32 = 0; worker < load<u32>(CONTROL_BASE, CONTROL_WORKERS); worker++) {
    memory.fill(<usize>COUNTERS_BASE + <usize>worker * COUNTERS_WORKER_BYTES + <usize>place * COUNTER_BYTES, 0, COUNTER_BYTES);
  }
  memory.fill(<usize>RATES_BASE + <usize>place * RATE_BYTES, 0, RATE_BYTES);
}

/** -Z: what has been counted so far is subtracted from now on. */
function zeroPlace(place: u32): void {
  let rate = <usize>RATES_BASE + <usize>place * RATE_BYTES;
  for (let counter: usize = 0; counter < 40; counter += 8) {
    store<u64>(rate + counter, counterSum(place, counter), RATE_ZERO);
    store<u64>(rate + counter, 0, RATE_VALUE);
  }
}

function zeroService(index: u32): void {
  zeroPlace(index);
  for (let at = Service.at(index).servers; at != 0; at = Server.at(at).next) zeroPlace(SERVICES_MAX + at);
}

function zero(): i32 {
  if (load<u8>(R, REQUEST_PROTOCOL) != 0 || requestMark() != 0) {
    let index = requested();
    if (index == 0) return <i32>ControlError.NoService;
    zeroService(index);
    return 0;
  }
  zeroPlace(0);
  let used = load<u32>(CONTROL_BASE, CONTROL_SERVICES_USED);
  for (let index: u32 = 1; index < used; index++) if (Service.at(index).family != 0) zeroService(index);
  return 0;
}

// ------------------------------------------------------------------------------------- settings

function value(place: usize): u32 {
  return load<u32>(R + REQUEST_VALUES + (place << 2));
}

function timeoutsSet(): i32 {
  if (value(0) != 0) setTimeoutMs(<u32>TcpState.Established, value(0));
  if (value(1) != 0) setTimeoutMs(<u32>TcpState.FinWait, value(1));
  if (value(2) != 0) setTimeoutMs(TIMEOUTS_UDP + <u32>UdpState.Normal, value(2));
  return 0;
}

function sysctlSet(): i32 {
  if (value(0) >= <u32>Sysctl.Last) return <i32>ControlError.NotFound;
  if (!isDefence(value(0))) {
    setSysctl(value(0), value(1));
    return 0;
  }
  if (value(1) > DEFENCE_MODE_MAX) return <i32>ControlError.Invalid;
  setSysctl(value(0), value(1));
  decideDefences();
  return 0;
}

function portSet(): i32 {
  let port = inbound();
  if (port == 0 || port >= PORTS_MAX || value(0) < 68) return <i32>ControlError.Invalid;
  let record = portAt(port);
  memory.copy(record + PORT_MAC, R + REQUEST_MAC, 6);
  store<u16>(record, 0, PORT_MAC + 6);
  store<u32>(record, load<u32>(R, REQUEST_FLAGS), PORT_FLAGS);
  store<u32>(record, value(0), PORT_MTU);
  memory.copy(record + PORT_PEER_MAC, R + REQUEST_PEER_MAC, 6);
  refreshPorts(port);
  return 0;
}

function localAdd(): i32 {
  let port = inbound();
  if (!isFamily(family()) || port >= PORTS_MAX) return <i32>ControlError.Invalid;
  let address = R + REQUEST_ADDRESS;
  let kind = load<u32>(R, REQUEST_FLAGS) & 3;
  if (kind > <u32>LocalKind.Transparent) return <i32>ControlError.Invalid;
  if (kind == <u32>LocalKind.Address && findLocal(address) != 0) return <i32>ControlError.Exists;
  let index = addLocal(family(), address, bits(REQUEST_PREFIX), port, kind);
  if (index == 0) return <i32>ControlError.Full;
  routesChanged();
  if (kind != <u32>LocalKind.Address || port == 0 || bits(REQUEST_PREFIX) == 128) return <i32>index;
  // As in a kernel, an address brings the route to its subnet.
  memory.fill(R + REQUEST_SERVER_ADDRESS, 0, 16);
  let route = addRoute(family(), address, bits(REQUEST_PREFIX), R + REQUEST_SERVER_ADDRESS, port);
  return route < 0 ? route : <i32>index;
}

function localDelete(): i32 {
  let index = findLocal(R + REQUEST_ADDRESS);
  if (index == 0) return <i32>ControlError.NotFound;
  removeLocal(index);
  routesChanged();
  return 0;
}

function routeAdd(): i32 {
  let port = inbound();
  if (!isFamily(family()) || port == 0 || port >= PORTS_MAX) return <i32>ControlError.Invalid;
  return addRoute(family(), R + REQUEST_ADDRESS, bits(REQUEST_PREFIX), R + REQUEST_SERVER_ADDRESS, port);
}

function neighborAdd(): i32 {
  let port = inbound();
  if (!isFamily(family()) || port == 0 || port >= PORTS_MAX || isZeroAddress(R + REQUEST_ADDRESS)) return <i32>ControlError.Invalid;
  return addPermanent(family(), port, R + REQUEST_ADDRESS, R + REQUEST_MAC);
}

/** Without a prefix any address will do: then not even the bits that say "IPv4" are compared. */
function markBits(offset: usize): u8 {
  return load<u32>(R + offset) == 0 ? 0 : <u8>bits(offset);
}

function markAdd(): i32 {
  let used = load<u32>(CONTROL_BASE, CONTROL_MARKS_USED);
  if (used == MARKS_MAX) return <i32>ControlError.Full;
  if (!isFamily(family())) return <i32>ControlError.Invalid;
  let rule = <usize>MARKS_BASE + <usize>used * MARK_BYTES;
  copyAddress(rule + MARK_TARGET, R + REQUEST_ADDRESS);
  copyAddress(rule + MARK_SOURCE, R + REQUEST_SOURCE);
  store<u8>(rule, markBits(REQUEST_PREFIX), MARK_TARGET_BITS);
  store<u8>(rule, markBits(REQUEST_SOURCE_BITS), MARK_SOURCE_BITS);
  store<u8>(rule, <u8>family(), MARK_FAMILY);
  store<u8>(rule, load<u8>(R, REQUEST_PROTOCOL), MARK_PROTOCOL);
  store<u16>(rule, <u16>value(0), MARK_PORT_LOW);
  store<u16>(rule, <u16>value(1), MARK_PORT_HIGH);
  store<u32>(rule, inbound(), MARK_INTERFACE);
  store<u32>(rule, value(2), MARK_VALUE);
  store<u32>(CONTROL_BASE, used + 1, CONTROL_MARKS_USED);
  return 0;
}

function markClear(): i32 {
  store<u32>(CONTROL_BASE, 0, CONTROL_MARKS_USED);
  return 0;
}

function announce(): i32 {
  let only = inbound();
  for (let port: u32 = 1; port < PORTS_MAX; port++) if (only == 0 || only == port) announceArp(port);
  return 0;
}
