// Whose packet is it? A connection is compared with an ordinary packet without a loop and without a branch.

import {
  CONNECTION_CLIENT, CONNECTION_CLIENT16, CONNECTION_CLIENT_PORT, CONNECTION_FLAGS, CONNECTION_PROTOCOL, CONNECTION_SERVER16,
  CONNECTION_SERVER_ADDRESS, CONNECTION_SERVER_PORT, CONNECTION_VIRTUAL16,
} from "../../abi/layout";
import { ConnectionFlag } from "../../abi/enums";
import { Connection } from "../../connection/connection";
import { FROM_CLIENT } from "../../connection/table";
import { Packet } from "../../packet/packet";
import { sourceAt, targetAt, transportAt } from "./fields";

/**
 * What differs between a packet's addresses and ports and those of one side of a connection: 0 when it is that side's.
 *
 * Both keys of a connection, the client's and the server's, lie in the order in which a packet of that side has
 * its addresses and ports.
 */
@inline
export function difference(frame: usize, connection: usize, family: u32, side: u32): u64 {
  let ports = load<u32>(connection + (side == FROM_CLIENT ? CONNECTION_CLIENT_PORT : CONNECTION_SERVER_PORT)) ^
    load<u32>(frame + transportAt(family));
  if (family == 4) {
    return load<u64>(connection + (side == FROM_CLIENT ? CONNECTION_CLIENT : CONNECTION_SERVER_ADDRESS)) ^
      load<u64>(frame + sourceAt(4)) | <u64>ports;
  }
  let source = v128.xor(v128.load(connection + (side == FROM_CLIENT ? CONNECTION_CLIENT16 : CONNECTION_SERVER16)),
    v128.load(frame + sourceAt(6)));
  let target = v128.xor(v128.load(connection + (side == FROM_CLIENT ? CONNECTION_VIRTUAL16 : CONNECTION_CLIENT16)),
    v128.load(frame + targetAt(6)));
  return <u64>(ports | <u32>v128.any_true(v128.or(source, target)));
}

const ORDINARY_FLAGS: u32 = <u32>ConnectionFlag.Template | <u32>ConnectionFlag.Ipv6 | <u32>ConnectionFlag.Helped |
  <u32>ConnectionFlag.Retired;

/** True when an ordinary packet is of this side of this connection, and nobody wants to read its text. */
export function isOf(packet: Packet, connection: Connection, side: u32): bool {
  let frame = <usize>packet.frame;
  let record = changetype<usize>(connection);
  let kind = load<u32>(record, CONNECTION_PROTOCOL) & (0xff | ORDINARY_FLAGS << 16);
  if (packet.family == 4) return ((<u64>(kind ^ <u32>packet.protocol)) | difference(frame, record, 4, side)) == 0;
  return ((<u64>(kind ^ (<u32>packet.protocol | <u32>ConnectionFlag.Ipv6 << 16))) | difference(frame, record, 6, side)) == 0;
}
if (CONNECTION_FLAGS != CONNECTION_PROTOCOL + 2) ERROR("protocol, state and flags of a connection are no longer one word");

const METHOD: u32 = <u32>ConnectionFlag.ForwardMask;
/** A server's first packet through NAT is still news. */
const NO_OUTPUT: u32 = <u32>ConnectionFlag.NoOutput;

/** What differs between a connection's protocol, state and flags and what a steady packet wants them to be. */
@inline
export function unsteady(kind: u32, packet: Packet, family: u32, side: u32, method: u32): u32 {
  let wanted = packet.steady | ((method | (family == 4 ? 0 : <u32>ConnectionFlag.Ipv6)) << 16);
  return (kind ^ wanted) & (0xffff | (ORDINARY_FLAGS | METHOD | (side == FROM_CLIENT ? 0 : NO_OUTPUT)) << 16);
}
