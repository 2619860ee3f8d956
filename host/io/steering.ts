// Which frames of a NIC are the director's, decided in the kernel before anything else sees them: a small XDP
// program. Everything that is not the director's goes on to the kernel's own stack, untouched.
//
//   to an address of the director (fragments and ICMP too)        taken
//   ARP, and neighbour solicitations, about such an address       taken
//   on a port that is the servers' gateway: to the NIC's own
//   hardware address, and not to an address of the kernel         taken
//   anything else, with a VLAN tag too                            passed

import { parseAddress } from "../engine/address.js";
import { Assembler, type Register } from "./sys/assembler.js";
import { makeMap, MapKind, removeFromMap, setInMap, type Instruction } from "./sys/bpf.js";

/** More than an engine's addresses and a host's own. */
const ADDRESSES_MAX = 8192;
const KEY_BYTES = 16;
/** Whose an address is. */
const OF_DIRECTOR = 1;
const OF_KERNEL = 2;

// struct xdp_md
const DATA = 0;
const DATA_END = 4;
const QUEUE = 16;
const HELPER_LOOKUP = 1;
const HELPER_REDIRECT_MAP = 51;
const XDP_PASS = 2;

// Offsets in a frame. Ethernet types as a little-endian machine reads them.
const TYPE_AT = 12;
const TYPE_IPV4 = 0x0008;
const TYPE_IPV6 = 0xdd86;
const TYPE_ARP = 0x0608;
const IPV4_TARGET_AT = 14 + 16;
const ARP_TARGET_AT = 14 + 24;
const IPV6_NEXT_AT = 14 + 6;
const IPV6_TARGET_AT = 14 + 24;
const SOLICITATION_AT = 14 + 40;
const SOLICITATION_TARGET_AT = SOLICITATION_AT + 8;
const ICMPV6 = 58;
const SOLICITATION = 135;

/** The key on the stack: an address in 16 bytes, IPv4 as ::ffff:a.b.c.d. */
const KEY = -KEY_BYTES;
const CONTEXT: Register = 6;
const FRAME: Register = 7;
const END: Register = 8;
const STACK: Register = 10;

export interface Steering {
  /** Maps by descriptor. */
  addresses: number;
  sockets: number;
  /** The NIC's hardware address on a port that is the servers' gateway. */
  gatewayMac: Uint8Array | undefined;
}

/** The program for one NIC. */
export function steeringProgram(steering: Steering): Instruction[] {
  const code = new Assembler()
    .move(CONTEXT, 1)
    .load(4, FRAME, CONTEXT, DATA)
    .load(4, END, CONTEXT, DATA_END);
  needBytes(code, 14, "pass");
  code.load(2, 3, FRAME, TYPE_AT)
    .jumpIfEqual(3, TYPE_IPV4, "ipv4")
    .jumpIfEqual(3, TYPE_IPV6, "ipv6")
    .jumpIfNotEqual(3, TYPE_ARP, "pass");

  needBytes(code, ARP_TARGET_AT + 4, "pass");
  key4(code, ARP_TARGET_AT);
  findOwner(code, steering);
  code.jumpIfEqual(1, OF_DIRECTOR, "take").jump("pass");

  code.label("ipv4");
  needBytes(code, IPV4_TARGET_AT + 4, "pass");
  key4(code, IPV4_TARGET_AT);
  findOwner(code, steering);
  code.jumpIfEqual(1, OF_DIRECTOR, "take").jump("other");

  code.label("ipv6");
  needBytes(code, SOLICITATION_AT, "pass");
  key6(code, IPV6_TARGET_AT);
  findOwner(code, steering);
  code.jumpIfEqual(1, OF_DIRECTOR, "take")
    .load(1, 3, FRAME, IPV6_NEXT_AT).jumpIfNotEqual(3, ICMPV6, "other");
  needBytes(code, SOLICITATION_TARGET_AT + KEY_BYTES, "other");
  code.load(1, 3, FRAME, SOLICITATION_AT).jumpIfNotEqual(3, SOLICITATION, "other");
  key6(code, SOLICITATION_TARGET_AT);
  findOwner(code, steering);
  code.jumpIfEqual(1, OF_DIRECTOR, "take");
  // One that asks a single host for somebody else's address goes its way as any packet does.
  key6(code, IPV6_TARGET_AT);
  findOwner(code, steering);

  // Not to an address of the director; r1 says whether it is to one of the kernel's.
  code.label("other");
  if (steering.gatewayMac) {
    code.jumpIfEqual(1, OF_KERNEL, "pass");
    [0, 2, 4].forEach((at) => {
      const [low = 0, high = 0] = steering.gatewayMac?.subarray(at, at + 2) ?? [];
      code.load(2, 3, FRAME, at).jumpIfNotEqual(3, low | (high << 8), "pass");
    });
    code.jump("take");
  }
  code.label("pass").set(0, XDP_PASS).exit();

  // To the socket of the queue it came in by; where there is none, to the kernel.
  return code.label("take")
    .loadMap(1, steering.sockets)
    .load(4, 2, CONTEXT, QUEUE)
    .set(3, XDP_PASS)
    .call(HELPER_REDIRECT_MAP)
    .exit()
    .finish();
}

/** Goes on only when the frame has so many bytes: the verifier lets nobody read beyond. */
function needBytes(code: Assembler, bytes: number, otherwise: string): void {
  code.move(2, FRAME).addValue(2, bytes).jumpIfGreater(2, END, otherwise);
}

/** Puts an IPv4 address of the frame on the stack. */
function key4(code: Assembler, at: number): void {
  code.storeValue(8, STACK, KEY, 0)
    .storeValue(4, STACK, KEY + 8, 0xffff0000)
    .load(2, 3, FRAME, at).store(2, STACK, KEY + 12, 3)
    .load(2, 3, FRAME, at + 2).store(2, STACK, KEY + 14, 3);
}

/** Puts an IPv6 address of the frame on the stack. */
function key6(code: Assembler, at: number): void {
  for (let part = 0; part < KEY_BYTES; part += 2) code.load(2, 3, FRAME, at + part).store(2, STACK, KEY + part, 3);
}

/** r1 = whose the address on the stack is, 0 nobody's. */
function findOwner(code: Assembler, steering: Steering): void {
  code.loadMap(1, steering.addresses)
    .move(2, STACK).addValue(2, KEY)
    .call(HELPER_LOOKUP)
    .set(1, 0)
    .skipIfEqual(0, 0, 1)
    .load(4, 1, 0, 0);
}

/** Whose addresses are whose, as the programs see it; changed while they run. */
export class SteeringTable {
  readonly map = makeMap(MapKind.Hash, KEY_BYTES, 4, ADDRESSES_MAX);
  private known = new Map<string, number>();

  /** Sets all addresses at once; what is both belongs to the director. Addresses may have a prefix length. */
  set(director: readonly string[], kernel: readonly string[]): void {
    const wanted = new Map<string, number>();
    for (const address of kernel) enter(wanted, address, OF_KERNEL);
    for (const address of director) enter(wanted, address, OF_DIRECTOR);
    for (const [key, owner] of wanted) {
      if (this.known.get(key) !== owner) setInMap(this.map, Buffer.from(key, "hex"), Buffer.from([owner, 0, 0, 0]));
    }
    for (const key of this.known.keys()) if (!wanted.has(key)) removeFromMap(this.map, Buffer.from(key, "hex"));
    this.known = wanted;
  }
}

function enter(table: Map<string, number>, address: string, owner: number): void {
  const parsed = parseAddress(address.replace(/[/%].*$/, ""));
  if (parsed) table.set(Buffer.from(parsed.bytes).toString("hex"), owner);
}
