// Outer headers of tunnels, prepared for each server when its first packet goes the long road: the source is
// found once, and what is the same in every header is summed once. They are of one generation of routes, which
// changes with addresses, neighbours and the servers' tunnels too.

import {
  CONTROL_BASE, CONTROL_ROUTE_GENERATION, STATE_IDENTIFICATION, TUNNEL_BYTES, TUNNEL_GENERATION, TUNNEL_OUTER_BYTES,
  TUNNEL_PROTOCOL, TUNNEL_SOURCE, TUNNEL_SUM, TUNNEL_TARGET,
} from "../../abi/layout";
import { Sysctl, TunnelType } from "../../abi/enums";
import { Connection } from "../../connection/connection";
import { state, tunnels } from "../../memory";
import { Server } from "../../service/server";
import { sysctl } from "../../sysctl";
import { fold32, fold64 } from "../../wire/checksum";
import { copyAddress } from "../../wire/field";
import { outerProtocol, outerService, shimBytes, writeGre, writeGue } from "../shim";
import { IP } from "./fields";

/** Version and header length of an IPv4 header without options, as its first byte. */
const VERSION4: u32 = 0x45;
const DONT_FRAGMENT: u32 = 0x0040; // network order

/** Where a server's prepared header lies. */
@inline
export function outerOf(server: usize): usize {
  return tunnels + server * TUNNEL_BYTES;
}

/** Prepares a server's outer header, unless that is done. `source` is a place of 16 bytes, `inner` a family. */
export function prepareOuter(index: u32, source: usize, inner: u32): void {
  let outer = outerOf(index);
  let generation = load<u32>(CONTROL_BASE, CONTROL_ROUTE_GENERATION);
  if (load<u32>(outer, TUNNEL_GENERATION) == generation) return;
  let server = Server.at(index);
  let protocol = outerProtocol(server, inner);
  store<u32>(outer, generation, TUNNEL_GENERATION);
  store<u32>(outer, shimBytes(server) + (server.family == 4 ? 20 : 40), TUNNEL_OUTER_BYTES);
  store<u32>(outer, protocol, TUNNEL_PROTOCOL);
  copyAddress(outer + TUNNEL_SOURCE, source);
  copyAddress(outer + TUNNEL_TARGET, server.address);
  if (server.family != 4) return;
  let addresses = <u64>load<u32>(outer, TUNNEL_SOURCE + 12) + <u64>load<u32>(outer, TUNNEL_TARGET + 12);
  store<u32>(outer, fold64(addresses + VERSION4 + (protocol << 8)), TUNNEL_SUM);
}

/** Bytes of a packet of `bytes` bytes inside a server's tunnel; more than any port takes when its header is not prepared. */
@inline
export function wrappedBytes(server: u32, bytes: u32, generation: u32): u32 {
  let outer = outerOf(server);
  if (load<u32>(outer, TUNNEL_GENERATION) != generation) return u32.MAX_VALUE;
  return bytes + load<u32>(outer, TUNNEL_OUTER_BYTES);
}

/**
 * Writes the outer headers before an ordinary packet of `bytes` bytes, whose hop has been taken; answers where the
 * frame begins now.
 */
@inline
export function wrap(
  frame: usize, bytes: u32, outer: usize, server: Server, connection: Connection, hops: u32, family: u32,
): usize {
  let l3 = frame + IP;
  let end = l3 + bytes;
  let outerBytes = load<u32>(outer, TUNNEL_OUTER_BYTES);
  let at = l3 - outerBytes;
  let type = server.tunnelType;
  if (type == <u8>TunnelType.Gre) writeGre(l3, end, server, family);
  let service = family == 4 ? <u32>load<u8>(frame, IP + 1) : (turned(load<u16>(frame, IP)) >> 4) & 0xff;
  if (server.family == 4) {
    // Around IPv6 an outer IPv4 header always may be cut (as the kernel: recording tunnels-4).
    let whole = family == 4 && sysctl(Sysctl.PmtuDisc) != 0 && (load<u8>(frame, IP + 6) & 0x40) != 0;
    writeOuter4(at, bytes + outerBytes, outerService(service), hops, whole ? DONT_FRAGMENT << 16 : nextIdentification(), outer);
  } else {
    writeOuter6(at, bytes + outerBytes - 40, outerService(service), hops, outer);
  }
  if (type == <u8>TunnelType.Gue) writeGue(l3, end, server, family, outer + TUNNEL_SOURCE, connection);
  return at - IP;
}

/** `middle` is identification, flags and offset, as they lie in the header. */
@inline
function writeOuter4(at: usize, totalBytes: u32, service: u32, hops: u32, middle: u32, outer: usize): void {
  let first = VERSION4 | (service << 8) | (turned(totalBytes) << 16);
  let sum = load<u32>(outer, TUNNEL_SUM) + (service << 8) + (first >> 16) + (middle & 0xffff) + (middle >> 16) + hops;
  store<u16>(at - 2, 0x0008);
  store<u32>(at, first);
  store<u32>(at, middle, 4);
  store<u32>(at, hops | (load<u32>(outer, TUNNEL_PROTOCOL) << 8) | (~fold32(sum) << 16), 8);
  store<u32>(at, load<u32>(outer, TUNNEL_SOURCE + 12), 12);
  store<u32>(at, load<u32>(outer, TUNNEL_TARGET + 12), 16);
}

@inline
function writeOuter6(at: usize, payloadBytes: u32, service: u32, hops: u32, outer: usize): void {
  store<u16>(at - 2, 0xdd86);
  store<u32>(at, 0x60 | (service >> 4) | ((service & 0x0f) << 12));
  store<u32>(at, turned(payloadBytes) | (load<u32>(outer, TUNNEL_PROTOCOL) << 16) | (hops << 24), 4);
  v128.store(at, v128.load(outer, TUNNEL_SOURCE), 8);
  v128.store(at, v128.load(outer, TUNNEL_TARGET), 24);
}

/** Only a packet that may be cut needs a name for its pieces. */
function nextIdentification(): u32 {
  let identification = load<u32>(state, STATE_IDENTIFICATION) + 1;
  store<u32>(state, identification, STATE_IDENTIFICATION);
  return turned(identification & 0xffff);
}

/** Two bytes turned; Wasm has no instruction for a word's bytes. */
@inline
function turned(value: u32): u32 {
  return (value >> 8 & 0xff) | ((value & 0xff) << 8);
}
