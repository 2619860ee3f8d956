// Checksums that a sender left unfinished. Between kernels on one machine (veth, bridges) nobody computes the sum of
// a TCP or UDP packet: the field holds the pseudo-header's sum, for a card that is not there. An ordinary driver gets
// a note about it; AF_XDP passes on bytes alone.
//
// So the field is compared with what a sender would have left in it. A complete checksum has this very value once
// in 65536 packets: then the whole sum decides.

const IP_AT = 14;
const TYPE_IPV4 = 0x0800;
const TYPE_IPV6 = 0x86dd;
const TCP = 6;
const UDP = 17;
const FRAGMENT = 0x3fff;

/** True when the packet's checksum is only begun, and the engine shall finish it. */
export function isUnfinished(memory: DataView, frame: number, bytes: number): boolean {
  if (bytes < IP_AT + 28) return false;
  const type = memory.getUint16(frame + 12);
  const ip = frame + IP_AT;
  if (type === TYPE_IPV4) {
    if ((memory.getUint16(ip + 6) & FRAGMENT) !== 0) return false;
    const headerBytes = (memory.getUint8(ip) & 15) * 4;
    return compare(memory, ip + 12, 8, memory.getUint8(ip + 9), ip + headerBytes, memory.getUint16(ip + 2) - headerBytes, frame + bytes);
  }
  if (type !== TYPE_IPV6 || bytes < IP_AT + 48) return false;
  return compare(memory, ip + 8, 32, memory.getUint8(ip + 6), ip + 40, memory.getUint16(ip + 4), frame + bytes);
}

function compare(memory: DataView, addresses: number, addressBytes: number, protocol: number, transport: number, transportBytes: number, end: number): boolean {
  const field = protocol === TCP ? 16 : protocol === UDP ? 6 : 0;
  if (field === 0 || transportBytes < field + 2 || transport + transportBytes > end) return false;
  const pseudo = fold(sum(memory, addresses, addressBytes) + protocol + transportBytes);
  if (memory.getUint16(transport + field) !== pseudo) return false;
  const odd = transportBytes & 1;
  const last = odd === 0 ? 0 : memory.getUint8(transport + transportBytes - 1) << 8;
  return fold(pseudo + sum(memory, transport, transportBytes - odd) + last) !== 0xffff;
}

function sum(memory: DataView, at: number, bytes: number): number {
  let total = 0;
  for (let word = at; word < at + bytes; word += 2) total += memory.getUint16(word);
  return total;
}

function fold(total: number): number {
  const once = (total & 0xffff) + (total >>> 16);
  return (once & 0xffff) + (once >>> 16);
}
