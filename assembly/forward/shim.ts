// What stands between a tunnel's outer IP header and the inner packet: nothing, GRE, or UDP and GUE.

import { Protocol, TunnelFlag, TunnelType } from "../abi/enums";
import { mix } from "../base/hash";
import { Connection } from "../connection/connection";
import { seed } from "../memory";
import { Server } from "../service/server";
import { checksum, fold64, pseudo4, pseudo6, sum } from "../wire/checksum";
import { set16 } from "../wire/field";

/** Bytes of the header between the outer IP header and the inner packet. */
export function shimBytes(server: Server): u32 {
  if (server.tunnelType == <u8>TunnelType.Gue) return 8 + 4;
  if (server.tunnelType == <u8>TunnelType.Gre) return server.tunnelFlags & <u8>TunnelFlag.Checksum ? 8 : 4;
  return 0;
}

/** What the outer IP header says it carries. */
export function outerProtocol(server: Server, inner: u32): u32 {
  if (server.tunnelType == <u8>TunnelType.Gue) return <u32>Protocol.Udp;
  if (server.tunnelType == <u8>TunnelType.Gre) return <u32>Protocol.Gre;
  return inner == 4 ? <u32>Protocol.IpIp : <u32>Protocol.Ipv6;
}

/** The inner packet's service; where that met congestion already, the outer one may still meet some (RFC 3168 section 9.1.1). */
export function outerService(inner: u32): u32 {
  return (inner & 3) == 3 ? inner - 1 : inner;
}

/** GRE (RFC 2784) before the inner header: flags, protocol, and the checksum over header and payload when asked for. */
export function writeGre(l3: usize, end: usize, server: Server, inner: u32): void {
  let type: u32 = inner == 4 ? 0x0008 : 0xdd86;
  if ((server.tunnelFlags & <u8>TunnelFlag.Checksum) == 0) {
    store<u32>(l3 - 4, type << 16);
    return;
  }
  let at = l3 - 8;
  store<u32>(at, 0x0080 | (type << 16));
  store<u32>(at, 0, 4);
  store<u16>(at, <u16>checksum(at, <u32>(end - at)), 4);
}

/** GUE variant 0: UDP, then four bytes naming the inner protocol. Its source port is a hash of the flow. */
export function writeGue(
  l3: usize, end: usize, server: Server, inner: u32, source: usize, connection: Connection,
): void {
  store<u32>(l3 - 4, <u32>(inner == 4 ? Protocol.IpIp : Protocol.Ipv6) << 8);
  let udp = l3 - 12;
  let bytes = <u32>(end - udp);
  let flow = mix(connection.client, (<u32>connection.clientPort << 16) | connection.virtualPort, seed);
  set16(udp, 0xc000 | (flow & 0x3fff));
  store<u16>(udp, server.tunnelPort, 2);
  set16(udp + 4, bytes);
  store<u16>(udp, 0, 6);
  if (server.tunnelFlags == <u8>TunnelFlag.None) return;
  let pseudo = server.family == 4
    ? pseudo4(load<u32>(source, 12), load<u32>(server.address, 12), <u32>Protocol.Udp, bytes)
    : pseudo6(source, server.address, <u32>Protocol.Udp, bytes);
  let value = ~fold64(sum(udp, bytes) + pseudo) & 0xffff;
  store<u16>(udp, <u16>(value == 0 ? 0xffff : value), 6);
}
