// Requests of host/protocol.ts as operations of the engine: the one place that knows both.

import {
  HELPER_PORTS_COUNT, REQUEST_ADDRESS, REQUEST_BYTES, REQUEST_ENGINE, REQUEST_FAMILY, REQUEST_FLAGS, REQUEST_FORWARD, REQUEST_FWMARK,
  REQUEST_INTERFACE, REQUEST_LOWER,
  REQUEST_MAC, REQUEST_PORT, REQUEST_PREFIX, REQUEST_PROTOCOL, REQUEST_SCHEDULER, REQUEST_SERVER_ADDRESS,
  REQUEST_PEER_MAC, REQUEST_SERVER_FAMILY, REQUEST_SERVER_PORT, REQUEST_SOURCE, REQUEST_SOURCE_BITS, REQUEST_TIMEOUT_S,
  REQUEST_TUNNEL_FLAGS, REQUEST_TUNNEL_PORT,
  REQUEST_TUNNEL_TYPE, REQUEST_UPPER, REQUEST_VALUES, REQUEST_WEIGHT,
} from "../../assembly/abi/layout.js";
import { Forward, type LocalKind, Operation, PortFlag, Protocol, Scheduler, ServiceFlag, SyncRole, type Sysctl, TunnelType } from "../../assembly/abi/enums.js";
import type { DaemonRole, DaemonSpec, MarkRule, ServerKey, ServerSpec, ServiceKey, ServiceSpec, Timeouts } from "../protocol.js";
import { parseAddress, parseMac } from "./address.js";
import type { EngineRequest, Performer } from "./engine.js";

const PROTOCOLS = { tcp: Protocol.Tcp, udp: Protocol.Udp, sctp: Protocol.Sctp, fwmark: 0 };
const FORWARDS = { masq: Forward.Nat, local: Forward.Local, tunnel: Forward.Tunnel, route: Forward.Direct };
const TUNNELS = { ipip: TunnelType.IpIp, gue: TunnelType.Gue, gre: TunnelType.Gre };
const ENGINES: ReadonlyMap<string, number> = new Map([["", 0], ["sip", 1]]);
/** A scheduler or persistence engine that does not exist: the engine answers "no scheduler". */
const NO_SCHEDULER = 255;

type Fill = (record: DataView, bytes: Uint8Array) => void;

/** A request record with its arguments written into it. */
function encode(operation: Operation, fill: Fill): EngineRequest {
  const record = new Uint8Array(REQUEST_BYTES);
  fill(new DataView(record.buffer), record);
  return { operation, record };
}

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
  record.setUint32(REQUEST_ENGINE, ENGINES.get(service.persistenceEngine) ?? NO_SCHEDULER, true);
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

const keyOf = (service: ServiceKey): Fill => (record, bytes) => writeKey(record, bytes, service);

/** Adds a virtual service; below zero is a ControlError. */
export function addService<A>(to: Performer<A>, service: ServiceSpec): A {
  return to.perform(encode(Operation.ServiceAdd, (record, bytes) => writeService(record, bytes, service)));
}

export function editService<A>(to: Performer<A>, service: ServiceSpec): A {
  return to.perform(encode(Operation.ServiceEdit, (record, bytes) => writeService(record, bytes, service)));
}

export function deleteService<A>(to: Performer<A>, service: ServiceKey): A {
  return to.perform(encode(Operation.ServiceDelete, keyOf(service)));
}

/** Adds a real server, or edits the one with the same address and port. */
export function setServer<A>(to: Performer<A>, operation: Operation.ServerAdd | Operation.ServerEdit, service: ServiceKey, server: ServerSpec): A {
  return to.perform(encode(operation, (record, bytes) => {
    writeKey(record, bytes, service);
    writeServer(record, bytes, server);
    writeServerSpec(record, server);
  }));
}

export function deleteServer<A>(to: Performer<A>, service: ServiceKey, server: ServerKey): A {
  return to.perform(encode(Operation.ServerDelete, (record, bytes) => {
    writeKey(record, bytes, service);
    writeServer(record, bytes, server);
  }));
}

export function flush<A>(to: Performer<A>): A {
  return to.perform(encode(Operation.Flush, () => undefined));
}

/** Counters begin at zero again: of one service and its servers, or of all. */
export function zero<A>(to: Performer<A>, service?: ServiceKey): A {
  return to.perform(encode(Operation.Zero, service ? keyOf(service) : () => undefined));
}

/** Timeouts in seconds; 0 leaves one as it is. */
export function setTimeouts<A>(to: Performer<A>, timeouts: Timeouts): A {
  return to.perform(encode(Operation.TimeoutsSet, (record) => {
    [timeouts.tcp, timeouts.tcpfin, timeouts.udp].forEach((seconds, index) =>
      record.setUint32(REQUEST_VALUES + 4 * index, seconds * 1000, true));
  }));
}

/** `period` is the second number of sync_threshold. */
export function setSysctl<A>(to: Performer<A>, sysctl: Sysctl, value: number, period = 0): A {
  return to.perform(encode(Operation.SysctlSet, (record) => {
    [sysctl, value, period].forEach((one, index) => record.setUint32(REQUEST_VALUES + 4 * index, one, true));
  }));
}

const ROLES: Record<DaemonRole, SyncRole> = { master: SyncRole.Master, backup: SyncRole.Backup };

/** Starts a sync daemon on a port, by the port's index. */
export function startDaemon<A>(to: Performer<A>, daemon: DaemonSpec, port: number): A {
  return to.perform(encode(Operation.SyncStart, (record, bytes) => {
    record.setUint32(REQUEST_FLAGS, ROLES[daemon.role], true);
    record.setUint8(REQUEST_FAMILY, writeAddress(bytes, REQUEST_ADDRESS, daemon.group));
    record.setUint16(REQUEST_PORT, daemon.udpPort);
    record.setUint32(REQUEST_INTERFACE, port, true);
    [daemon.syncId, daemon.messageBytes, daemon.timeToLive].forEach((one, index) => record.setUint32(REQUEST_VALUES + 4 * index, one, true));
  }));
}

export function stopDaemon<A>(to: Performer<A>, role: DaemonRole): A {
  return to.perform(encode(Operation.SyncStop, (record) => record.setUint32(REQUEST_FLAGS, ROLES[role], true)));
}

/** Describes a port: index from 1, hardware address, MTU; of a Host port also its kernel side's address. */
export function setPort<A>(to: Performer<A>, port: number, mac: string, mtu: number, flags = PortFlag.Up, peerMac?: string): A {
  return to.perform(encode(Operation.PortSet, (record, bytes) => {
    record.setUint32(REQUEST_INTERFACE, port, true);
    bytes.set(parseMac(mac) ?? new Uint8Array(6), REQUEST_MAC);
    record.setUint32(REQUEST_FLAGS, flags, true);
    record.setUint32(REQUEST_VALUES, mtu, true);
    if (peerMac !== undefined) bytes.set(parseMac(peerMac) ?? new Uint8Array(6), REQUEST_PEER_MAC);
  }));
}

function writePrefix(record: DataView, bytes: Uint8Array, prefix: string, port: number): void {
  const [address = "", bits] = prefix.split("/");
  const family = writeAddress(bytes, REQUEST_ADDRESS, address);
  record.setUint8(REQUEST_FAMILY, family);
  record.setUint32(REQUEST_PREFIX, bits === undefined ? (family === 4 ? 32 : 128) : Number(bits), true);
  record.setUint32(REQUEST_INTERFACE, port, true);
}

const prefixOf = (prefix: string, port: number): Fill => (record, bytes) => writePrefix(record, bytes, prefix, port);

/** Gives the director an address ("10.0.1.1/24"), with the route to its subnet. */
export function addLocal<A>(to: Performer<A>, port: number, prefix: string): A {
  return to.perform(encode(Operation.LocalAdd, prefixOf(prefix, port)));
}

/** Takes in packets to a whole subnet: the director's own, or others' for firewall marks to serve. */
export function addLocalSubnet<A>(to: Performer<A>, port: number, prefix: string, kind: LocalKind.Whole | LocalKind.Transparent): A {
  return to.perform(encode(Operation.LocalAdd, (record, bytes) => {
    writePrefix(record, bytes, prefix, port);
    record.setUint32(REQUEST_FLAGS, kind, true);
  }));
}

export function deleteLocal<A>(to: Performer<A>, port: number, prefix: string): A {
  return to.perform(encode(Operation.LocalDelete, prefixOf(prefix, port)));
}

export function addRoute<A>(to: Performer<A>, port: number, prefix: string, gateway?: string): A {
  return to.perform(encode(Operation.RouteAdd, (record, bytes) => {
    writePrefix(record, bytes, prefix, port);
    if (gateway) writeAddress(bytes, REQUEST_SERVER_ADDRESS, gateway);
  }));
}

export function deleteRoute<A>(to: Performer<A>, port: number, prefix: string): A {
  return to.perform(encode(Operation.RouteDelete, prefixOf(prefix, port)));
}

export function addNeighbor<A>(to: Performer<A>, port: number, address: string, mac: string): A {
  return to.perform(encode(Operation.NeighborAdd, (record, bytes) => {
    writePrefix(record, bytes, address, port);
    bytes.set(parseMac(mac) ?? new Uint8Array(6), REQUEST_MAC);
  }));
}

export function deleteNeighbor<A>(to: Performer<A>, port: number, address: string): A {
  return to.perform(encode(Operation.NeighborDelete, prefixOf(address, port)));
}

/** Gratuitous ARP for every address of a port; 0 means of all ports. */
export function announce<A>(to: Performer<A>, port = 0): A {
  return to.perform(encode(Operation.Announce, (record) => record.setUint32(REQUEST_INTERFACE, port, true)));
}

const MARK_PROTOCOLS = { "": 0, tcp: Protocol.Tcp, udp: Protocol.Udp, sctp: Protocol.Sctp, icmp: Protocol.Icmp };

function writeNet(record: DataView, bytes: Uint8Array, net: string, address: number, bits: number): void {
  if (net === "") return;
  const [text = "", prefix] = net.split("/");
  const family = writeAddress(bytes, address, text);
  record.setUint32(bits, prefix === undefined ? (family === 4 ? 32 : 128) : Number(prefix), true);
}

/** Marks packets for fwmark services. `port` is the port's index, 0 for any. */
export function addMark<A>(to: Performer<A>, rule: MarkRule, port: number): A {
  return to.perform(encode(Operation.MarkAdd, (record, bytes) => {
    record.setUint8(REQUEST_FAMILY, rule.family);
    record.setUint8(REQUEST_PROTOCOL, MARK_PROTOCOLS[rule.protocol]);
    record.setUint32(REQUEST_INTERFACE, port, true);
    writeNet(record, bytes, rule.destination, REQUEST_ADDRESS, REQUEST_PREFIX);
    writeNet(record, bytes, rule.source, REQUEST_SOURCE, REQUEST_SOURCE_BITS);
    [rule.portLow, rule.portHigh, rule.mark].forEach((value, index) => record.setUint32(REQUEST_VALUES + 4 * index, value, true));
  }));
}

export function clearMarks<A>(to: Performer<A>): A {
  return to.perform(encode(Operation.MarkClear, () => undefined));
}

/** The virtual ports (at most eight) whose connections behind NAT are FTP; 21 unless told otherwise. */
export function setHelperPorts<A>(to: Performer<A>, ports: readonly number[]): A {
  if (ports.length > HELPER_PORTS_COUNT) throw new RangeError(`at most ${HELPER_PORTS_COUNT} FTP ports, not ${ports.length}`);
  return to.perform(encode(Operation.HelperPortsSet, (record) => {
    ports.forEach((port, place) => record.setUint16(REQUEST_VALUES + place * 2, port));
  }));
}
