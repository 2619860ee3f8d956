// Requests of host/protocol.ts as operations of the engine: the one place that knows both.

import {
  HELPER_PORTS_COUNT, REQUEST_ADDRESS, REQUEST_FAMILY, REQUEST_FLAGS, REQUEST_FORWARD, REQUEST_FWMARK,
  REQUEST_INTERFACE, REQUEST_LOWER,
  REQUEST_MAC, REQUEST_PORT, REQUEST_PREFIX, REQUEST_PROTOCOL, REQUEST_SCHEDULER, REQUEST_SERVER_ADDRESS,
  REQUEST_SERVER_FAMILY, REQUEST_SERVER_PORT, REQUEST_TIMEOUT_S, REQUEST_TUNNEL_FLAGS, REQUEST_TUNNEL_PORT,
  REQUEST_TUNNEL_TYPE, REQUEST_UPPER, REQUEST_VALUES, REQUEST_WEIGHT,
} from "../../assembly/abi/layout.js";
import { Forward, Operation, PortFlag, Protocol, Scheduler, ServiceFlag, TunnelType } from "../../assembly/abi/enums.js";
import type { ServerKey, ServerSpec, ServiceKey, ServiceSpec } from "../protocol.js";
import { parseAddress, parseMac } from "./address.js";
import type { Engine } from "./engine.js";

const PROTOCOLS = { tcp: Protocol.Tcp, udp: Protocol.Udp, sctp: Protocol.Sctp, fwmark: 0 };
const FORWARDS = { masq: Forward.Nat, local: Forward.Local, tunnel: Forward.Tunnel, route: Forward.Direct };
const TUNNELS = { ipip: TunnelType.IpIp, gue: TunnelType.Gue, gre: TunnelType.Gre };
/** A scheduler the engine does not have: it answers "no scheduler". */
const NO_SCHEDULER = 255;

function writeAddress(bytes: Uint8Array, offset: number, text: string): number {
  const address = parseAddress(text);
  if (!address) throw new RangeError(`not an IP address: "${text}"`);
  bytes.set(address.bytes, offset);
  return address.family;
}

function writeKey(record: DataView, bytes: Uint8Array, key: ServiceKey): void {
  record.setUint8(REQUEST_FAMILY, key.family);
  record.setUint8(REQUEST_PROTOCOL, PROTOCOLS[key.protocol]);
  record.setUint16(REQUEST_PORT, key.port);
  if (key.protocol === "fwmark") {
    record.setUint32(REQUEST_FWMARK, key.fwmark, true);
    record.setUint32(REQUEST_FLAGS, ServiceFlag.Fwmark, true);
  } else writeAddress(bytes, REQUEST_ADDRESS, key.address);
}

function writeService(record: DataView, bytes: Uint8Array, service: ServiceSpec): void {
  writeKey(record, bytes, service);
  const flags = record.getUint32(REQUEST_FLAGS, true) | service.schedulerFlags |
    (service.persistent ? ServiceFlag.Persistent : 0) | (service.onePacket ? ServiceFlag.OnePacket : 0);
  record.setUint32(REQUEST_FLAGS, flags, true);
  const scheduler = Object.entries(Scheduler).find(([name]) => name.toLowerCase() === service.scheduler)?.[1];
  record.setUint32(REQUEST_SCHEDULER, typeof scheduler === "number" ? scheduler : NO_SCHEDULER, true);
  record.setUint32(REQUEST_TIMEOUT_S, service.timeoutSeconds, true);
  const mask = service.family === 4 ? parseAddress(service.netmask)?.bytes.slice(12) : undefined;
  if (mask) bytes.set(mask, REQUEST_PREFIX);
  else record.setUint32(REQUEST_PREFIX, Number(service.netmask), true);
}

function writeServer(record: DataView, bytes: Uint8Array, server: ServerKey): void {
  record.setUint8(REQUEST_SERVER_FAMILY, writeAddress(bytes, REQUEST_SERVER_ADDRESS, server.address));
  record.setUint16(REQUEST_SERVER_PORT, server.port);
}

function writeServerSpec(record: DataView, server: ServerSpec): void {
  record.setUint8(REQUEST_FORWARD, FORWARDS[server.forward]);
  record.setUint32(REQUEST_WEIGHT, server.weight, true);
  record.setUint32(REQUEST_UPPER, server.upperThreshold, true);
  record.setUint32(REQUEST_LOWER, server.lowerThreshold, true);
  record.setUint8(REQUEST_TUNNEL_TYPE, TUNNELS[server.tunnel]);
  record.setUint8(REQUEST_TUNNEL_FLAGS, server.tunnelFlags);
  record.setUint16(REQUEST_TUNNEL_PORT, server.tunnelPort);
}

/** Adds a virtual service; below zero is a ControlError. */
export function addService(engine: Engine, service: ServiceSpec): number {
  return engine.control(Operation.ServiceAdd, (record, bytes) => writeService(record, bytes, service));
}

export function deleteService(engine: Engine, service: ServiceKey): number {
  return engine.control(Operation.ServiceDelete, (record, bytes) => writeKey(record, bytes, service));
}

/** Adds a real server, or edits the one with the same address and port. */
export function setServer(engine: Engine, operation: Operation.ServerAdd | Operation.ServerEdit, service: ServiceKey, server: ServerSpec): number {
  return engine.control(operation, (record, bytes) => {
    writeKey(record, bytes, service);
    writeServer(record, bytes, server);
    writeServerSpec(record, server);
  });
}

export function deleteServer(engine: Engine, service: ServiceKey, server: ServerKey): number {
  return engine.control(Operation.ServerDelete, (record, bytes) => {
    writeKey(record, bytes, service);
    writeServer(record, bytes, server);
  });
}

/** Describes a port: index from 1, hardware address, MTU. */
export function setPort(engine: Engine, port: number, mac: string, mtu: number, flags = PortFlag.Up): number {
  return engine.control(Operation.PortSet, (record, bytes) => {
    record.setUint32(REQUEST_INTERFACE, port, true);
    bytes.set(parseMac(mac) ?? new Uint8Array(6), REQUEST_MAC);
    record.setUint32(REQUEST_FLAGS, flags, true);
    record.setUint32(REQUEST_VALUES, mtu, true);
  });
}

function writePrefix(record: DataView, bytes: Uint8Array, prefix: string, port: number): void {
  const [address = "", bits] = prefix.split("/");
  const family = writeAddress(bytes, REQUEST_ADDRESS, address);
  record.setUint8(REQUEST_FAMILY, family);
  record.setUint32(REQUEST_PREFIX, bits === undefined ? (family === 4 ? 32 : 128) : Number(bits), true);
  record.setUint32(REQUEST_INTERFACE, port, true);
}

/** Gives the director an address ("10.0.1.1/24"), with the route to its subnet. */
export function addLocal(engine: Engine, port: number, prefix: string): number {
  return engine.control(Operation.LocalAdd, (record, bytes) => writePrefix(record, bytes, prefix, port));
}

export function addRoute(engine: Engine, port: number, prefix: string, gateway?: string): number {
  return engine.control(Operation.RouteAdd, (record, bytes) => {
    writePrefix(record, bytes, prefix, port);
    if (gateway) writeAddress(bytes, REQUEST_SERVER_ADDRESS, gateway);
  });
}

export function addNeighbor(engine: Engine, port: number, address: string, mac: string): number {
  return engine.control(Operation.NeighborAdd, (record, bytes) => {
    writePrefix(record, bytes, address, port);
    bytes.set(parseMac(mac) ?? new Uint8Array(6), REQUEST_MAC);
  });
}

/** The virtual ports (at most eight) whose connections behind NAT are FTP; 21 unless told otherwise. */
export function setHelperPorts(engine: Engine, ports: number[]): number {
  if (ports.length > HELPER_PORTS_COUNT) throw new RangeError(`at most ${HELPER_PORTS_COUNT} FTP ports, not ${ports.length}`);
  return engine.control(Operation.HelperPortsSet, (record) => {
    ports.forEach((port, place) => record.setUint16(REQUEST_VALUES + place * 2, port));
  });
}
