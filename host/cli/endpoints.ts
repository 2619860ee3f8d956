// Addresses with ports, as operators type them: 10.0.0.1:80, www:http, [fd00::1]:80, fd00::1.

import { parseAddress, formatAddress } from "../engine/address.js";
import type { Names } from "./context.js";

export interface Endpoint { family: 4 | 6; address: string; port: number; portGiven: boolean }

/** A whole number in digits (as strtol takes it, with space before it) between two bounds, undefined otherwise. */
export function wholeNumber(text: string, least: number, most: number): number | undefined {
  if (!/^\s*[+-]?\d+$/.test(text)) return undefined;
  const value = Number(text);
  return value >= least && value <= most ? value : undefined;
}

/** One to four numbers, decimal, octal or hexadecimal; the last one fills what the others left (inet_aton(3)). */
export function readAddress4(text: string): string | undefined {
  const parts = text.trimEnd().split(".");
  if (/^\s/.test(text) || parts.length > 4 || !parts.every((part) => /^(0[xX][0-9a-fA-F]+|0[0-7]*|[1-9]\d*)$/.test(part))) return undefined;
  const values = parts.map((part) => (/^0\d/.test(part) ? parseInt(part, 8) : Number(part)));
  const last = values.pop() ?? 0;
  if (values.some((value) => value > 255) || last >= 256 ** (4 - values.length)) return undefined;
  const rest = Array.from({ length: 4 - values.length }, (_, at) => Math.floor(last / 256 ** (3 - values.length - at)) % 256);
  return [...values, ...rest].join(".");
}

async function readPort(text: string, protocol: string, names: Names): Promise<number | undefined> {
  return wholeNumber(text, 0, 65535) ?? (/^\d+$/.test(text) ? undefined : names.portOf(text, protocol));
}

function canonical(text: string): { family: 4 | 6; address: string } | undefined {
  const address = parseAddress(readAddress4(text) ?? text);
  return address && { family: address.family, address: formatAddress(address.family, address.bytes) };
}

/** Undefined when the text is no address with an optional port. Without a port it is 0. */
export async function readEndpoint(text: string, protocol: string, names: Names): Promise<Endpoint | undefined> {
  if (text.startsWith("[")) {
    const parts = /^\[([^\]]+)\]:(.*)$/.exec(text);
    if (!parts) return undefined;
    const host = canonical(parts[1] ?? "");
    // Of what is not IPv6 only the inside of the brackets is read.
    if (host?.family !== 6) return readEndpoint(parts[1] ?? "", protocol, names);
    const port = await readPort(parts[2] ?? "", protocol, names);
    return port === undefined ? undefined : { ...host, port, portGiven: true };
  }
  const whole = canonical(text);
  if (whole?.family === 6) return { ...whole, port: 0, portGiven: false };
  const colon = text.lastIndexOf(":");
  // Digits alone are a port whose address was left out.
  if (/^\d+$/.test(text)) return undefined;
  const host = colon < 0 ? text : text.slice(0, colon);
  const port = colon < 0 ? 0 : await readPort(text.slice(colon + 1), protocol, names);
  if (port === undefined || host === "") return undefined;
  const literal = canonical(host);
  // Of IPv6 without brackets nobody could tell the port from the address.
  if (literal?.family === 6) return undefined;
  if (literal) return { ...literal, port, portGiven: colon >= 0 };
  // Digits and dots that are no address are a mistake, not a name.
  if (/^[\d.]+$/.test(host) || host.includes("[") || host.includes("]")) return undefined;
  const named = await names.addressOf(host);
  const found = named === undefined ? undefined : canonical(named);
  return found && { ...found, port, portGiven: colon >= 0 };
}
