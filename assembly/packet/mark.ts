// Firewall marks: rules that give packets a number, in the order they were added; the last match wins.

import {
  CONTROL_BASE, CONTROL_MARKS_USED, MARKS_BASE, MARK_BYTES, MARK_FAMILY, MARK_INTERFACE, MARK_PORT_HIGH,
  MARK_PORT_LOW, MARK_PROTOCOL, MARK_SOURCE, MARK_SOURCE_BITS, MARK_TARGET, MARK_TARGET_BITS, MARK_VALUE,
} from "../abi/layout";
import { samePrefix } from "../wire/field";
import { Packet } from "./packet";

/** The mark of a packet whose addresses and ports are known, 0 when no rule matches. */
export function markOf(packet: Packet): u32 {
  let used = load<u32>(CONTROL_BASE, CONTROL_MARKS_USED);
  let mark: u32 = 0;
  let port = <u32>bswap<u16>(packet.targetPort);
  for (let index: u32 = 0; index < used; index++) {
    let rule = <usize>MARKS_BASE + <usize>index * MARK_BYTES;
    if (load<u8>(rule, MARK_FAMILY) != packet.family) continue;
    let protocol = load<u8>(rule, MARK_PROTOCOL);
    if (protocol != 0 && protocol != packet.protocol) continue;
    if (port < <u32>load<u16>(rule, MARK_PORT_LOW) || port > <u32>load<u16>(rule, MARK_PORT_HIGH)) continue;
    let inbound = load<u32>(rule, MARK_INTERFACE);
    if (inbound != 0 && inbound != <u32>packet.port) continue;
    if (!samePrefix(rule + MARK_TARGET, packet.target, load<u8>(rule, MARK_TARGET_BITS))) continue;
    if (!samePrefix(rule + MARK_SOURCE, packet.source, load<u8>(rule, MARK_SOURCE_BITS))) continue;
    mark = load<u32>(rule, MARK_VALUE);
  }
  return mark;
}
