// The shortcut of a port that shares its NIC by a packet socket: an XDP program that takes IP sent to the port's own
// hardware address past the kernel's stack, to AF_XDP sockets. Everything else, and whatever the sockets have no room
// for in size, goes on to the kernel, and so to the packet socket.
//
// A flow that has had a long frame keeps to the packet socket, short frames too, until the pump has read and sent all that
// was in the socket: so its frames can never overtake each other. The program remembers when each flow last had a frame
// there, by a hash of it; the pump says since when the socket holds nothing older (emptied.ts).
//
// The shortcut may be shut and opened again at any time: frames then come by the socket, or by the shortcut. Where there is
// no wire (veth) the program runs in generic mode: in the driver it would forbid the other end long segments.

import { Assembler, type Register } from "./sys/assembler.js";
import { attachXdp, loadXdp, makeMap, MapKind, setInMap, XdpPlace, type Instruction } from "./sys/bpf.js";
import { close } from "./sys/libc.js";
import { inNamespace } from "./sys/netns.js";
import type { Nic } from "./sys/nic.js";
import { numbersBelow, WITHOUT_WIRE, type NicPlace } from "./nic.js";
import { chunkBytesFor, roomOf } from "./umem.js";

// struct xdp_md
const DATA = 0;
const DATA_END = 4;
const QUEUE = 16;
const HELPER_REDIRECT_MAP = 51;
const HELPER_COARSE_CLOCK = 160; // nanoseconds, of the last tick; Linux 5.11
const XDP_PASS = 2;

// Offsets in a frame, and what is found there as a little-endian machine reads it.
const LINK_BYTES = 14;
const TYPE_AT = 12;
const TYPE_IPV4 = 0x0008;
const TYPE_IPV6 = 0xdd86;
const IPV4 = { first: 14, fragment: 20, source: 26, target: 30, ports: 34 };
const IPV4_PLAIN = 0x45;
const IPV4_PIECE = 0xff3f;
const IPV6 = { addresses: [22, 30, 38, 46], ports: 54 };
const PORTS_BYTES = 4;

/**
 * So much later than a flow's last frame in the socket the reading must have begun that found the socket empty: longer than the
 * kernel needs from this program to the socket's queue, and two ticks of its coarse clock.
 */
export const REST_MS = 20;
const REST_NANOS = REST_MS * 1e6;
/** Flows are told apart by so many bits; those of one value share their luck. */
const FLOW_BITS = 13;
const STAMP_BYTES = 8;
const FACTOR = 0x61c88647;

const SEEN: Register = 6;
const FRAME: Register = 7;
const END: Register = 8;
const CONTEXT: Register = 9;
const HASH: Register = 4;
const SCRATCH: Register = 3;

/** Maps by descriptor: sockets by queue; one value with all flows' times; one with the time since when the packet socket holds nothing older. */
export interface ShortcutMaps { sockets: number; flows: number; emptied: number }

/** Takes IP packets to a hardware address that fit a chunk. */
export function shortcutProgram(mac: Uint8Array, { sockets, flows, emptied }: ShortcutMaps, bytesMax: number): Instruction[] {
  const code = new Assembler()
    .move(CONTEXT, 1)
    .load(4, FRAME, 1, DATA)
    .load(4, END, 1, DATA_END)
    .move(SCRATCH, FRAME).addValue(SCRATCH, LINK_BYTES).jumpIfGreater(SCRATCH, END, "pass");
  [0, 2, 4].forEach((at) => {
    const [low = 0, high = 0] = mac.subarray(at, at + 2);
    code.load(2, SCRATCH, FRAME, at).jumpIfNotEqual(SCRATCH, low | (high << 8), "pass");
  });
  code.load(2, SCRATCH, FRAME, TYPE_AT).jumpIfEqual(SCRATCH, TYPE_IPV4, "four").jumpIfNotEqual(SCRATCH, TYPE_IPV6, "pass");
  hashSix(code);
  hashFour(code.label("four"));
  code.label("flow").multiply(HASH, FACTOR).right(HASH, 64 - FLOW_BITS).multiply(HASH, STAMP_BYTES).loadMapValue(SEEN, flows).plus(SEEN, HASH)
    .move(SCRATCH, FRAME).addValue(SCRATCH, bytesMax).jumpIfGreater(END, SCRATCH, "stay")
    .load(STAMP_BYTES, 2, SEEN, 0).addValue(2, REST_NANOS).loadMapValue(1, emptied).load(STAMP_BYTES, 1, 1, 0).jumpIfGreater(2, 1, "stay").jump("take")
    .label("stay").call(HELPER_COARSE_CLOCK).store(STAMP_BYTES, SEEN, 0, 0).jump("pass");
  // To the socket of the queue it came in by; where there is none, to the kernel.
  return code.label("take").load(4, 2, CONTEXT, QUEUE).loadMap(1, sockets).set(3, XDP_PASS).call(HELPER_REDIRECT_MAP).exit()
    .label("pass").set(0, XDP_PASS).exit()
    .finish();
}

/** What is too short for ports has no flow. */
function reach(code: Assembler, bytes: number): void {
  code.move(SCRATCH, FRAME).addValue(SCRATCH, bytes).jumpIfGreater(SCRATCH, END, "take");
}

function mix(code: Assembler, width: 4 | 8, at: number): void {
  code.load(width, SCRATCH, FRAME, at).multiply(HASH, FACTOR).xor(HASH, SCRATCH);
}

function hashSix(code: Assembler): void {
  reach(code, IPV6.ports + PORTS_BYTES);
  code.set(HASH, 0);
  for (const at of IPV6.addresses) mix(code, 8, at);
  mix(code, PORTS_BYTES, IPV6.ports);
  code.jump("flow");
}

/** Pieces, and packets with options, are told apart by their addresses. */
function hashFour(code: Assembler): void {
  reach(code, IPV4.ports + PORTS_BYTES);
  code.load(4, HASH, FRAME, IPV4.source);
  mix(code, 4, IPV4.target);
  code.load(1, SCRATCH, FRAME, IPV4.first).jumpIfNotEqual(SCRATCH, IPV4_PLAIN, "flow")
    .load(2, SCRATCH, FRAME, IPV4.fragment).and(SCRATCH, IPV4_PIECE).jumpIfNotEqual(SCRATCH, 0, "flow");
  mix(code, PORTS_BYTES, IPV4.ports);
}

export interface ShortcutOptions { name: string; namespacePath: string | undefined; mac: Uint8Array; mtu: number }

/** A program that is ready to be hung on a NIC, by the driver. */
export class Shortcut {
  private constructor(readonly place: NicPlace) {}

  static load({ name, mac, mtu, namespacePath }: ShortcutOptions, nic: Nic & { served: number }): Shortcut {
    const sockets = makeMap(MapKind.Sockets, 4, 4, nic.queues);
    try {
      const chunkBytes = chunkBytesFor(mtu);
      const hasNoWire = WITHOUT_WIRE.has(nic.driver);
      const { program, emptied } = loadProgram(mac, sockets, roomOf(chunkBytes));
      return new Shortcut({
        interfaceIndex: nic.index, namespacePath, queues: numbersBelow(nic.served), chunkBytes, sockets,
        isDriverMode: !hasNoWire, mode: hasNoWire ? "generic" : "auto",
        why: "long segments by the socket", isUnfinished: hasNoWire, shortcut: { name, program, emptied },
      });
    } catch (error) {
      close(sockets);
      throw error;
    }
  }

  close(): void {
    const { shortcut, sockets } = this.place;
    for (const descriptor of [...(shortcut ? [shortcut.program, shortcut.emptied] : []), sockets]) close(descriptor);
  }
}

/** The program keeps its flows alive. */
function loadProgram(mac: Uint8Array, sockets: number, bytesMax: number): { program: number; emptied: number } {
  const flows = makeMap(MapKind.Array, 4, STAMP_BYTES << FLOW_BITS, 1);
  let emptied = -1;
  try {
    emptied = makeMap(MapKind.Array, 4, STAMP_BYTES, 1);
    return { program: loadXdp(shortcutProgram(mac, { sockets, flows, emptied }, bytesMax)), emptied };
  } catch (error) {
    if (emptied >= 0) close(emptied);
    throw error;
  } finally {
    close(flows);
  }
}

/** Lets a NIC's frames in by its shortcut, but nobody's until the socket is said to be empty; a link, which shuts it when it is closed. */
export function openShortcut(nic: NicPlace): number {
  const { interfaceIndex, namespacePath, isDriverMode, shortcut } = nic;
  if (!shortcut) return -1;
  tellEmptied(nic, 0n);
  const make = (): number => attachXdp(shortcut.program, shortcut.name, interfaceIndex, isDriverMode ? XdpPlace.Driver : XdpPlace.Generic);
  return namespacePath === undefined ? make() : inNamespace(namespacePath, make);
}

/** The packet socket holds nothing older than this time of the kernel's monotonic clock, in nanoseconds. */
export function tellEmptied({ shortcut }: NicPlace, sinceNs: bigint): void {
  if (!shortcut) return;
  const value = Buffer.alloc(STAMP_BYTES);
  value.writeBigUInt64LE(sinceNs);
  setInMap(shortcut.emptied, Buffer.alloc(4), value);
}
