// Routers tell the director itself when what it said was too big for them. Nobody here sends anything large but echoes,
// yet what is told of the way to a target is known of all that is sent there (as the kernel: recordings path_mtu4, path_mtu6).

import { STATE_EMBEDDED } from "../abi/layout";
import { Protocol } from "../abi/enums";
import { isLocal } from "../link/local";
import { rememberPath } from "../link/path";
import { state } from "../memory";
import { Packet, standIn } from "../packet/packet";
import { readQuoted6 } from "../packet/parse";
import { get16, get32, mapAddress } from "../wire/field";

const UNREACHABLE: u8 = 3;
const FRAGMENTATION_NEEDED: u8 = 4;
const ECHO_REPLY: u8 = 0;
const TOO_BIG6: u8 = 2;
const ICMP_BYTES: usize = 8;
const IPV4_BYTES: usize = 20;

/** An ICMP message to the director, whose checksum is right. */
export function heedTooBig(packet: Packet): void {
  let message = <usize>packet.l4;
  let quoted = message + ICMP_BYTES;
  if (packet.family == 6) {
    if (load<u8>(message) == TOO_BIG6) heed6(packet, quoted, get32(message + 4));
  } else if (load<u8>(message) == UNREACHABLE && load<u8>(message, 1) == FRAGMENTATION_NEEDED) {
    heed4(packet, quoted, get16(message + 6));
  }
}

/** Of IPv4 only who sent the quoted packet learns of it: for echo replies that is the director. */
function heed4(packet: Packet, quoted: usize, mtu: u32): void {
  if (quoted + IPV4_BYTES > <usize>packet.end) return;
  let headerBytes = (<usize>load<u8>(quoted) & 15) << 2;
  let inner = quoted + headerBytes;
  if (headerBytes < IPV4_BYTES || inner + ICMP_BYTES > <usize>packet.end) return;
  if (load<u8>(quoted, 9) == <u8>Protocol.Icmp && load<u8>(inner) == ECHO_REPLY) rememberPath4(quoted, mtu);
}

/** Of IPv6 whatever ICMPv6 message is quoted is believed to be ours. */
function heed6(packet: Packet, at: usize, mtu: u32): void {
  let quoted = standIn(packet);
  if (!readQuoted6(quoted, at) || quoted.protocol != <u8>Protocol.Icmpv6) return;
  if (<usize>quoted.l4 + ICMP_BYTES <= <usize>packet.end) rememberPath(6, at + 24, mtu);
}

/** A router has told what the way to the target of the IPv4 packet quoted at `quoted` carries; answers what is known of it now. */
export function rememberPath4(quoted: usize, mtu: u32): u32 {
  let source = state + STATE_EMBEDDED;
  mapAddress(source, load<u32>(quoted, 12));
  mapAddress(source + 16, load<u32>(quoted, 16));
  return isLocal(source) ? rememberPath(4, source + 16, mtu) : mtu;
}
