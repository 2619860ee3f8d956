// What must come out, built from nothing by each method's rule: no incremental checksum is trusted here.

import { buildFrame, HOPS, wireAddress, writeEthernet, writeIpv4, ACK } from "./frames.js";
import { GATEWAY_MAC, INSIDE_MAC, OUTSIDE_MAC, SERVER_PORT, serverMac, VIRTUAL_PORT, type World } from "./world.js";

const IP_IN_IP = 4;
const DIRECTOR_INSIDE = "10.0.2.1";

/** VS-NAT: the target becomes the server. */
export function natIn(world: World, flow: number, server: number, flags = ACK): Uint8Array {
  return buildFrame({
    ...world.fromClient(flow, flags), macTo: serverMac(server), macFrom: INSIDE_MAC, hops: HOPS - 1,
    target: wireAddress(world.addresses.server(server)), targetPort: SERVER_PORT,
  });
}

/** VS-NAT, the way back: the source becomes the virtual address. */
export function natOut(world: World, flow: number, server: number): Uint8Array {
  return buildFrame({
    ...world.fromServer(flow, server, ACK), macTo: GATEWAY_MAC, macFrom: OUTSIDE_MAC, hops: HOPS - 1,
    source: wireAddress(world.addresses.virtual), sourcePort: VIRTUAL_PORT,
  });
}

/** VS-DR: only hardware addresses and the hop count change. */
export function direct(world: World, flow: number, server: number): Uint8Array {
  return buildFrame({ ...world.fromClient(flow, ACK), macTo: serverMac(server), macFrom: INSIDE_MAC, hops: HOPS - 1 });
}

/** VS-TUN: the packet, one hop older, within one from the director to the server (RFC 2003). */
export function tunnel(world: World, flow: number, server: number): Uint8Array {
  const inner = buildFrame({ ...world.fromClient(flow, ACK), hops: HOPS - 1 }).subarray(14);
  const frame = new Uint8Array(14 + 20 + inner.length);
  writeEthernet(frame, serverMac(server), INSIDE_MAC, 4);
  writeIpv4(frame.subarray(14), 20 + inner.length, IP_IN_IP, HOPS - 1, wireAddress(DIRECTOR_INSIDE), wireAddress(world.addresses.server(server)), 0);
  frame.set(inner, 34);
  return frame;
}
