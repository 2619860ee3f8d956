// What the express road writes into a packet: one hop less, and by NAT another address and port.

import {
  CONNECTION_IP_DELTA_IN, CONNECTION_IP_DELTA_OUT, CONNECTION_L4_DELTA_IN, CONNECTION_L4_DELTA_OUT, CONNECTION_SERVER16,
  CONNECTION_SERVER_ADDRESS, CONNECTION_SERVER_PORT, CONNECTION_VIRTUAL, CONNECTION_VIRTUAL16, CONNECTION_VIRTUAL_PORT,
} from "../../abi/layout";
import { FROM_CLIENT } from "../../connection/table";
import { amend } from "../../wire/checksum";
import { hopsAt, IP, sourceAt, TARGET_PORT, targetAt, TCP_CHECKSUM, transportAt, UDP_CHECKSUM } from "./fields";

const IPV4_CHECKSUM: usize = IP + 10;

/** One hop less. An IPv4 connection's difference of the header's sum knows of that hop, by whatever method. */
@inline
export function takeHop(frame: usize, connection: usize, hops: u32, family: u32, side: u32): void {
  store<u8>(frame + hopsAt(family), <u8>(hops - 1));
  if (family == 6) return;
  amend(frame + IPV4_CHECKSUM, load<u16>(connection + (side == FROM_CLIENT ? CONNECTION_IP_DELTA_IN : CONNECTION_IP_DELTA_OUT)));
}

/** VS-NAT: the target becomes the server (of a client's packet), the source the virtual address (of a server's). */
@inline
export function translate(frame: usize, connection: usize, family: u32, side: u32): void {
  let address = frame + (side == FROM_CLIENT ? targetAt(family) : sourceAt(family));
  if (family == 4) {
    store<u32>(address, load<u32>(connection + (side == FROM_CLIENT ? CONNECTION_SERVER_ADDRESS : CONNECTION_VIRTUAL)));
  } else {
    v128.store(address, v128.load(connection + (side == FROM_CLIENT ? CONNECTION_SERVER16 : CONNECTION_VIRTUAL16)));
  }
  store<u16>(frame + transportAt(family) + (side == FROM_CLIENT ? TARGET_PORT : 0),
    load<u16>(connection + (side == FROM_CLIENT ? CONNECTION_SERVER_PORT : CONNECTION_VIRTUAL_PORT)));
}

@inline
export function amendTcp(frame: usize, connection: usize, family: u32, side: u32): void {
  amend(frame + transportAt(family) + TCP_CHECKSUM, transportChange(connection, side));
}

@inline
export function amendUdp(frame: usize, connection: usize, family: u32, side: u32): void {
  let field = frame + transportAt(family) + UDP_CHECKSUM;
  amend(field, transportChange(connection, side));
  // Zero in UDP means "none" (RFC 768).
  if (load<u16>(field) == 0) store<u16>(field, 0xffff);
}

@inline
function transportChange(connection: usize, side: u32): u32 {
  return load<u16>(connection + (side == FROM_CLIENT ? CONNECTION_L4_DELTA_IN : CONNECTION_L4_DELTA_OUT));
}
