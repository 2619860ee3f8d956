// Addresses as the engine keeps them: 16 bytes, IPv4 as ::ffff:a.b.c.d.

export interface Address {
  family: 4 | 6;
  bytes: Uint8Array;
}

function parse4(text: string): number[] | undefined {
  const parts = text.split(".");
  if (parts.length !== 4 || !parts.every((part) => /^\d{1,3}$/.test(part) && Number(part) <= 255)) return undefined;
  return parts.map(Number);
}

function parse6(text: string): number[] | undefined {
  if (!/^[0-9a-fA-F:.]+$/.test(text)) return undefined;
  const dotted = text.lastIndexOf(":") >= 0 && text.includes(".") ? parse4(text.slice(text.lastIndexOf(":") + 1)) : [];
  if (dotted === undefined) return undefined;
  const plain = dotted.length ? text.slice(0, text.lastIndexOf(":") + 1) + "0:0" : text;
  const halves = plain.split("::");
  if (halves.length > 2) return undefined;
  const words = (half: string): string[] => (half === "" ? [] : half.split(":"));
  const head = words(halves[0] ?? "");
  const tail = words(halves[1] ?? "");
  const missing = 8 - head.length - tail.length;
  if (halves.length === 1 ? missing !== 0 : missing < 1) return undefined;
  const all = [...head, ...Array<string>(halves.length === 2 ? missing : 0).fill("0"), ...tail];
  if (!all.every((word) => /^[0-9a-fA-F]{1,4}$/.test(word))) return undefined;
  const bytes = all.flatMap((word) => [parseInt(word, 16) >> 8, parseInt(word, 16) & 255]);
  if (dotted.length) bytes.splice(12, 4, ...dotted);
  return bytes;
}

/** Reads an IPv4 or IPv6 address; undefined when it is neither. */
export function parseAddress(text: string): Address | undefined {
  const four = parse4(text);
  if (four) return { family: 4, bytes: mapAddress(four) };
  const six = text.includes(":") ? parse6(text) : undefined;
  return six && { family: 6, bytes: Uint8Array.from(six) };
}

/** An IPv4 address of four bytes as the engine keeps it. */
export function mapAddress(short: Iterable<number>): Uint8Array {
  return new Uint8Array([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, ...short]);
}

/** True when 16 bytes are an IPv4 address. */
export function isMapped(bytes: Uint8Array): boolean {
  return bytes.every((byte, at) => at >= 12 || byte === (at < 10 ? 0 : 255));
}

/** Writes an address as people do (RFC 5952 for IPv6). */
export function formatAddress(family: number, bytes: Uint8Array): string {
  if (family === 4) return bytes.slice(12, 16).join(".");
  const words = Array.from({ length: 8 }, (_, i) => (((bytes[2 * i] ?? 0) << 8) | (bytes[2 * i + 1] ?? 0)).toString(16));
  let best = { at: -1, count: 1 };
  for (let at = 0; at < 8; at++) {
    let count = 0;
    while (at + count < 8 && words[at + count] === "0") count++;
    if (count > best.count) best = { at, count };
  }
  if (best.at < 0) return words.join(":");
  // RFC 5952 section 5: an IPv4 address inside is shown as one.
  if (best.at === 0 && (best.count === 6 || (best.count === 5 && words[5] === "ffff"))) {
    return `::${best.count === 5 ? "ffff:" : ""}${bytes.slice(12, 16).join(".")}`;
  }
  return `${words.slice(0, best.at).join(":")}::${words.slice(best.at + best.count).join(":")}`;
}

export function parseMac(text: string): Uint8Array | undefined {
  if (!/^([0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}$/.test(text)) return undefined;
  return Uint8Array.from(text.split(":").map((part) => parseInt(part, 16)));
}

export function formatMac(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(":");
}

/** True for a multicast address. */
export function isGroup(text: string): boolean {
  const address = parseAddress(text);
  return address?.family === 4 ? ((address.bytes[12] ?? 0) & 0xf0) === 0xe0 : address?.bytes[0] === 0xff;
}
