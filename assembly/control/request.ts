// The request record, read: who is meant, by address, port or mark.

import {
  REQUEST_ADDRESS, REQUEST_BASE, REQUEST_FAMILY, REQUEST_FLAGS, REQUEST_FWMARK, REQUEST_INTERFACE, REQUEST_PORT,
  REQUEST_PROTOCOL, REQUEST_VALUES,
} from "../abi/layout";
import { ServiceFlag } from "../abi/enums";
import { isLocal } from "../link/local";
import { isBroadcast } from "../link/route";
import { findExact } from "../service/service";
import { isZeroAddress } from "../wire/field";

const R: usize = REQUEST_BASE;

export function family(): u32 {
  return load<u8>(R, REQUEST_FAMILY);
}

export function isFamily(value: u32): bool {
  return value == 4 || value == 6;
}

export function inbound(): u32 {
  return load<u32>(R, REQUEST_INTERFACE);
}

/** A prefix length of the request, counted in 128. */
export function bits(offset: usize): u32 {
  return min<u32>(load<u32>(R + offset), 128) + (family() == 4 ? 96 : 0);
}

export function requestMark(): u32 {
  return load<u32>(R, REQUEST_FLAGS) & <u32>ServiceFlag.Fwmark ? load<u32>(R, REQUEST_FWMARK) : 0;
}

export function requested(): u32 {
  return findExact(family(), requestMark(), load<u8>(R, REQUEST_PROTOCOL), R + REQUEST_ADDRESS, load<u16>(R, REQUEST_PORT));
}

/** True for an address of one host: no net's, no group's, and of IPv6's link-local ones only the director's own. */
export function isUnicast(family: u32, address: usize): bool {
  let mapped = load<u64>(address) == 0 && load<u32>(address, 8) == 0xffff0000;
  if (family == 4) {
    let word = load<u32>(address, 12);
    return mapped && word != 0 && word != 0xffffffff && (word & 0xf0) != 0xe0 && !isBroadcast(address);
  }
  if (mapped) return false;
  if (load<u16>(address) == 0x80fe) return isLocal(address);
  return load<u8>(address) != 0xff && !isZeroAddress(address);
}

export function value(place: usize): u32 {
  return load<u32>(R + REQUEST_VALUES + (place << 2));
}
