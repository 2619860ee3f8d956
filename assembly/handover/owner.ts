// Whose a packet is: of the worker that its client's hash names. Both directions of a connection, and errors about
// it, have the same client, so one worker has them all.

import { isLocal } from "../link/local";
import { ownerByClient } from "../connection/owner";
import { clientsPacket } from "../errors/tunnelled";
import { state } from "../memory";
import { Packet, PacketFlag, standIn } from "../packet/packet";
import { isBalanced, PORTS_BYTES, readQuoted6 } from "../packet/parse";
import { copyAddress, mapAddress } from "../wire/field";
import { STATE_EMBEDDED } from "../abi/layout";

const IPV4_BYTES: u32 = 20;
const NOBODY: u32 = 0xffffffff;

/** The owner of a packet with ports, whose addresses are filled and whose target is known to be ours or not. */
export function ownerOfPacket(packet: Packet): u32 {
  if (packet.has(PacketFlag.ToLocal)) return ownerByClient(packet.source, packet.sourcePort, packet.protocol);
  return ownerByClient(packet.target, packet.targetPort, packet.protocol);
}

/** The owner of an ICMP error: that of the packet inside it. `none` when it is about no connection. */
export function ownerOfError(packet: Packet, none: u32): u32 {
  let inner = <usize>packet.l4 + 8;
  if (packet.family == 6) return ownerOfQuoted6(packet, inner, none);
  if (packet.has(PacketFlag.ToLocal) && inner + IPV4_BYTES <= packet.end && isWhole4(inner)) {
    // About a tunnel of ours: then it quotes a client's packet within its own.
    let travelling = clientsPacket(inner, packet.end);
    if (travelling != 0 && isWhole4(travelling)) {
      // Not `none`, which may be its very owner: two workers would hand it to each other for ever.
      let owner = ownerOfQuoted4(travelling, packet.end, NOBODY);
      if (owner != NOBODY && isLocal(state + STATE_EMBEDDED + 16)) return owner;
    }
  }
  return ownerOfQuoted4(inner, packet.end, none);
}

/** True for a quoted header that is as long as one must be. */
function isWhole4(header: usize): bool {
  return ((<u32>load<u8>(header) & 15) << 2) >= IPV4_BYTES;
}

function ownerOfQuoted4(at: usize, end: usize, none: u32): u32 {
  if (at + IPV4_BYTES > end) return none;
  let headerBytes = (<u32>load<u8>(at) & 15) << 2;
  let protocol = <u32>load<u8>(at, 9);
  if (!isBalanced(protocol) || at + headerBytes + PORTS_BYTES > end) return none;
  mapAddress(state + STATE_EMBEDDED, load<u32>(at, 12));
  mapAddress(state + STATE_EMBEDDED + 16, load<u32>(at, 16));
  return ownerOfQuoted(protocol, at + headerBytes);
}

function ownerOfQuoted6(packet: Packet, at: usize, none: u32): u32 {
  let quoted = standIn(packet);
  if (!readQuoted6(quoted, at) || !isBalanced(quoted.protocol) || quoted.l4 + PORTS_BYTES > quoted.end) return none;
  copyAddress(state + STATE_EMBEDDED, at + 8);
  copyAddress(state + STATE_EMBEDDED + 16, at + 24);
  return ownerOfQuoted(quoted.protocol, quoted.l4);
}

/** The quoted packet went to the client when its source is ours, else it came from there. */
function ownerOfQuoted(protocol: u32, ports: usize): u32 {
  let source = state + STATE_EMBEDDED;
  if (isLocal(source)) return ownerByClient(source + 16, load<u16>(ports, 2), protocol);
  return ownerByClient(source, load<u16>(ports), protocol);
}
