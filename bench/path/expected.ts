// What must come out, built from nothing by each method's rule: no incremental checksum is trusted here.

import { ACK, buildFrame, HOPS, wireAddress, writeEthernet, writeIpv4 } from "./frames.js";
import { clientPortWire, clientWord, CLIENTS6 } from "./flows.js";
import { GATEWAY_MAC, GUE_PORT, INSIDE_MAC, OUTSIDE_MAC, SEED, SERVER_PORT, serverMac, VIRTUAL_PORT, type World } from "./world.js";

const IP_IN_IP = 4;
const IPV6 = 41;
const UDP = 17;
const GUE_BYTES = 4;
const UDP_BYTES = 8;

export type Expected = (world: World, flow: number, server: number, payloadBytes?: number, flags?: number) => Uint8Array;

/** VS-NAT: the target becomes the server. */
export const natIn: Expected = (world, flow, server, payloadBytes, flags = ACK) => buildFrame({
  ...world.fromClient(flow, flags, payloadBytes), macTo: serverMac(server), macFrom: INSIDE_MAC, hops: HOPS - 1,
  target: wireAddress(world.addresses.server(server)), targetPort: SERVER_PORT,
});

/** VS-NAT, the way back: the source becomes the virtual address. */
export const natOut: Expected = (world, flow, server, payloadBytes) => buildFrame({
  ...world.fromServer(flow, server, ACK, payloadBytes), macTo: GATEWAY_MAC, macFrom: OUTSIDE_MAC, hops: HOPS - 1,
  source: wireAddress(world.addresses.virtual), sourcePort: VIRTUAL_PORT,
});

/** VS-DR: only hardware addresses and the hop count change. */
export const direct: Expected = (world, flow, server, payloadBytes) =>
  buildFrame({ ...world.fromClient(flow, ACK, payloadBytes), macTo: serverMac(server), macFrom: INSIDE_MAC, hops: HOPS - 1 });

/** VS-TUN: the packet, one hop older, within one from the director to the server (RFC 2003, RFC 2473). */
export const tunnel: Expected = (world, flow, server, payloadBytes) =>
  wrap(world, server, world.plan.family === 4 ? IP_IN_IP : IPV6, innerPacket(world, flow, payloadBytes));

/** VS-TUN by GUE: a UDP header without a sum, then four bytes that name the inner protocol. */
export const tunnelGue: Expected = (world, flow, server, payloadBytes) => {
  const inner = innerPacket(world, flow, payloadBytes);
  const rest = new Uint8Array(UDP_BYTES + GUE_BYTES + inner.length);
  const view = new DataView(rest.buffer);
  view.setUint16(0, 0xc000 | (flowHash(world, flow) & 0x3fff));
  view.setUint16(2, GUE_PORT);
  view.setUint16(4, rest.length);
  rest[UDP_BYTES + 1] = world.plan.family === 4 ? IP_IN_IP : IPV6;
  rest.set(inner, UDP_BYTES + GUE_BYTES);
  return wrap(world, server, UDP, rest);
};

function innerPacket(world: World, flow: number, payloadBytes: number | undefined): Uint8Array {
  return buildFrame({ ...world.fromClient(flow, ACK, payloadBytes), hops: HOPS - 1 }).subarray(14);
}

/** The outer headers: from the director's inside address to the server. */
function wrap(world: World, server: number, protocol: number, rest: Uint8Array): Uint8Array {
  const { addresses, plan } = world;
  const header = plan.family === 4 ? 20 : 40;
  const frame = new Uint8Array(14 + header + rest.length);
  const [source, target] = [wireAddress(addresses.inside.split("/")[0] ?? ""), wireAddress(addresses.server(server))];
  writeEthernet(frame, serverMac(server), INSIDE_MAC, plan.family);
  if (plan.family === 4) writeIpv4(frame.subarray(14), header + rest.length, protocol, HOPS - 1, source, target, 0);
  else {
    frame.set([0x60, 0, 0, 0, rest.length >> 8, rest.length & 255, protocol, HOPS - 1], 14);
    frame.set(source, 22);
    frame.set(target, 38);
  }
  frame.set(rest, 14 + header);
  return frame;
}

const U64 = (value: bigint): bigint => BigInt.asUintN(64, value);

/** The engine's hash of a flow, written once more: GUE's source port is a part of it. */
function flowHash(world: World, flow: number): number {
  const low = (BigInt(clientPortWire(flow)) << 16n) | BigInt(((VIRTUAL_PORT & 255) << 8) | (VIRTUAL_PORT >> 8));
  const value = U64((((BigInt(clientFold(world, flow)) ^ BigInt(SEED)) << 32n) | low) * 0x9e3779b97f4a7c15n);
  return Number(U64((value ^ (value >> 32n)) * 0xd6e8feb86659fd93n) >> 32n);
}

/** The client's address in one word: IPv6's is folded. */
function clientFold(world: World, flow: number): number {
  if (world.plan.family === 4) return clientWord(flow);
  const bytes = wireAddress(CLIENTS6);
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  view.setUint32(12, clientWord(flow), true);
  const low = view.getBigUint64(8, true);
  const value = U64((view.getBigUint64(0, true) ^ U64((low << 29n) | (low >> 35n))) * 0xff51afd7ed558ccdn);
  return Number((value >> 32n) ^ (value & 0xffffffffn));
}
