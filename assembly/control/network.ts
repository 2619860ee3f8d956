// Ports, addresses, routes, neighbours, and rules that mark packets.

import {
  CONTROL_BASE, CONTROL_MARKS_USED, MARKS_BASE, MARK_BYTES, MARK_FAMILY, MARK_INTERFACE, MARK_PORT_HIGH,
  MARK_PORT_LOW, MARK_PROTOCOL, MARK_SOURCE, MARK_SOURCE_BITS, MARK_TARGET, MARK_TARGET_BITS, MARK_VALUE, PORT_FLAGS,
  PORT_MAC, PORT_MTU, PORT_PEER_MAC, REQUEST_ADDRESS, REQUEST_BASE, REQUEST_FLAGS, REQUEST_MAC, REQUEST_PEER_MAC,
  REQUEST_PREFIX, REQUEST_PROTOCOL, REQUEST_SERVER_ADDRESS, REQUEST_SOURCE, REQUEST_SOURCE_BITS,
} from "../abi/layout";
import { ControlError, LocalKind } from "../abi/enums";
import { MARKS_MAX, PORTS_MAX } from "../abi/limits";
import { bits, family, inbound, isFamily, value } from "./request";
import { announce } from "../link/ask";
import { routesChanged } from "../link/generation";
import { addLocal, findLocal, portAt, removeLocal } from "../link/local";
import { refreshPorts } from "../link/neighbor";
import { addPermanent } from "../link/transmit";
import { addRoute } from "../link/route";
import { copyAddress, isZeroAddress } from "../wire/field";

const R: usize = REQUEST_BASE;

export function portSet(): i32 {
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

export function localAdd(): i32 {
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

export function localDelete(): i32 {
  let index = findLocal(R + REQUEST_ADDRESS);
  if (index == 0) return <i32>ControlError.NotFound;
  removeLocal(index);
  routesChanged();
  return 0;
}

export function routeAdd(): i32 {
  let port = inbound();
  if (!isFamily(family()) || port == 0 || port >= PORTS_MAX) return <i32>ControlError.Invalid;
  return addRoute(family(), R + REQUEST_ADDRESS, bits(REQUEST_PREFIX), R + REQUEST_SERVER_ADDRESS, port);
}

export function neighborAdd(): i32 {
  let port = inbound();
  if (!isFamily(family()) || port == 0 || port >= PORTS_MAX || isZeroAddress(R + REQUEST_ADDRESS)) return <i32>ControlError.Invalid;
  return addPermanent(family(), port, R + REQUEST_ADDRESS, R + REQUEST_MAC);
}

/** Without a prefix any address will do: then not even the bits that say "IPv4" are compared. */
function markBits(offset: usize): u8 {
  return load<u32>(R + offset) == 0 ? 0 : <u8>bits(offset);
}

export function markAdd(): i32 {
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

export function markClear(): i32 {
  store<u32>(CONTROL_BASE, 0, CONTROL_MARKS_USED);
  return 0;
}

export function announcePorts(): i32 {
  let only = inbound();
  for (let port: u32 = 1; port < PORTS_MAX; port++) if (only == 0 || only == port) announce(port);
  return 0;
}
