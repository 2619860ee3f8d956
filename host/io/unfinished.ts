// Checksums that a sender left unfinished. Between kernels on one machine (veth, bridges) nobody computes the sum of
// a TCP or UDP packet: the field holds the pseudo-header's sum, for a card that is not there. An ordinary driver gets
// a note about it; AF_XDP passes on bytes alone.
//
// So the field is compared with what a sender would have left in it. A complete checksum has this very value once
// in 65536 packets: then the whole sum decides, and is what belongs there.

const IP_AT = 14;
const TYPE_IPV4 = 0x0008; // as a machine with the small end first reads it
const TYPE_IPV6 = 0xdd86;
const TCP = 6;
const UDP = 17;
const FRAGMENT = 0xff3f;

/** The engine's memory, by bytes and by halves of words in the machine's order: a sum does not mind the order. */
export interface Halves { bytes: Uint8Array; halves: Uint16Array }

/** Finishes a packet's checksum where it was only begun; true when it was. The frame begins at an even place. */
export function finishChecksum(memory: Halves, frame: number, bytes: number): boolean {
  if (bytes < IP_AT + 28) return false;
  const { halves } = memory;
  const type = halves[(frame + 12) >>> 1];
  const ip = frame + IP_AT;
  if (type === TYPE_IPV4) {
    if (((halves[(ip + 6) >>> 1] ?? 0) & FRAGMENT) !== 0) return false;
    const headerBytes = ((memory.bytes[ip] ?? 0) & 15) * 4;
    return finish(memory, ip + 12, 8, memory.bytes[ip + 9] ?? 0, ip + headerBytes, turned(halves[(ip + 2) >>> 1] ?? 0) - headerBytes, frame + bytes);
  }
  if (type !== TYPE_IPV6 || bytes < IP_AT + 48) return false;
  return finish(memory, ip + 8, 32, memory.bytes[ip + 6] ?? 0, ip + 40, turned(halves[(ip + 4) >>> 1] ?? 0), frame + bytes);
}

function finish(memory: Halves, addresses: number, addressBytes: number, protocol: number, transport: number, transportBytes: number, end: number): boolean {
  const field = protocol === TCP ? 16 : protocol === UDP ? 6 : 0;
  if (field === 0 || transportBytes < field + 2 || transport + transportBytes > end) return false;
  const { halves } = memory;
  const begun = fold(sum(halves, addresses, addressBytes) + turned(protocol) + turned(transportBytes));
  const at = (transport + field) >>> 1;
  if (halves[at] !== begun) return false;
  const odd = transportBytes & 1;
  const last = odd === 0 ? 0 : memory.bytes[transport + transportBytes - 1] ?? 0;
  const whole = fold(begun + sum(halves, transport, transportBytes - odd) + last);
  if (whole === 0xffff) return false;
  // The field was part of the sum: it stood for the pseudo-header there. Zero would mean "no checksum" to UDP.
  const complete = ~fold(whole + (~begun & 0xffff)) & 0xffff;
  halves[at] = complete === 0 && protocol === UDP ? 0xffff : complete;
  return true;
}

function sum(halves: Uint16Array, at: number, bytes: number): number {
  let total = 0;
  const end = (at + bytes) >>> 1;
  for (let half = at >>> 1; half < end; half++) total += halves[half] ?? 0;
  return total;
}

function turned(half: number): number {
  return ((half & 0xff) << 8) | (half >>> 8);
}

function fold(total: number): number {
  const once = (total & 0xffff) + (total >>> 16);
  return (once & 0xffff) + (once >>> 16);
}
