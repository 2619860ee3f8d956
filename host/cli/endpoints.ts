// Addresses with ports, as operators type them: 10.0.0.1:80, www:http, [fd00::1]:80, fd00::1.

import { parseAddress, formatAddress } from "../engine/address.js";
import type { Names } from "./context.js";

export interface Endpoint { family: 4 | 6; address: string; port: number }

/** A whole number in digits between two bounds, undefined otherwise. */
export function wholeNumber(text: string, least: number, most: number): number | undefined {
  if (!/^[+-]?\d+$/.test(text)) return undefined;
  const value = Number(text);
  return value >= least && value <= most ? value : undefined;
}

async function readPort(text: string, protocol: string, names: Names): Promise<number | undefined> {
  return wholeNumber(text, 0, 65535) ?? (/^\d+$/.test(text) ? undefined : names.portOf(text, protocol));
}

function canonical(text: string): { family: 4 | 6; address: string } | undefined {
  const address = parseAddress(text);
  return address && { family: address.family, address: formatAddress(address.family, address.bytes) };
}

/** Undefined when the text is no address with an optional port. Without a port it is 0. */
export async function readEndpoint(text: string, protocol: string, names: Names): Promise<Endpoint | undefined> {
  if (text.startsWith("[")) {
    const parts = /^\[([^\]]+)\]:(.+)$/.exec(text);
    const host = parts && canonical(parts[1] ?? "");
    const port = parts ? await readPort(parts[2] ?? "", protocol, names) : undefined;
    return host && host.family === 6 && port !== undefined ? { ...host, port } : undefined;
  }
  const whole = canonical(text);
  if (whole?.family === 6) return { ...whole, port: 0 };
  const colon = text.lastIndexOf(":");
  const host = colon < 0 ? text : text.slice(0, colon);
  const port = colon < 0 ? 0 : await readPort(text.slice(colon + 1), protocol, names);
  if (port === undefined || host === "") return undefined;
  const literal = canonical(host);
  if (literal) return { ...literal, port };
  // Digits and dots that are no address are a mistake, not a name.
  if (/^[\d.]+$/.test(host)) return undefined;
  const named = await names.addressOf(host, 0);
  const found = named === undefined ? undefined : canonical(named);
  return found && { ...found, port };
}
