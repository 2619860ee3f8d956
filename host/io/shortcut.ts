// The shortcut of a port that shares its NIC by a packet socket: an XDP program that takes IP sent to the port's own
// hardware address past the kernel's stack, to AF_XDP sockets. Everything else, and whatever the sockets have no room
// for in size, goes on to the kernel, and so to the packet socket.
//
// A flow that has had a long frame keeps to the packet socket, short frames too, until it has rested: so its frames can
// never overtake each other. The program remembers when each flow was seen last, by a hash of it.
//
// The shortcut may be shut and opened again at any time: frames then come by the socket, or by the shortcut. Where there is
// no wire (veth) the program runs in generic mode: in the driver it would forbid the other end long segments.

import { Assembler, type Register } from "./sys/assembler.js";
import { attachXdp, loadXdp, makeMap, MapKind, XdpPlace, type Instruction } from "./sys/bpf.js";
import { close } from "./sys/libc.js";
import { inNamespace } from "./sys/netns.js";
import type { Nic } from "./sys/nic.js";
import { WITHOUT_WIRE, type NicPlace } from "./nic.js";
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

/** So long a flow rests before its short frames are taken again: longer than a frame waits in the packet socket, even when others hold the pump up. */
const REST_NANOS = 1_000_000_000;
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

/** Takes IP packets to a hardware address that fit a chunk. Maps by descriptor: sockets by queue; one value with all flows' times. */
export function shortcutProgram(mac: Uint8Array, sockets: number, flows: number, bytesMax: number): Instruction[] {
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
    // The clock is asked only for flows that have had a long frame.
    .load(STAMP_BYTES, SCRATCH, SEEN, 0).jumpIfEqual(SCRATCH, 0, "take")
    .call(HELPER_COARSE_CLOCK).move(1, 0).load(STAMP_BYTES, 2, SEEN, 0).minus(1, 2).set(2, REST_NANOS).jumpIfGreater(1, 2, "forget")
    .store(STAMP_BYTES, SEEN, 0, 0).jump("pass")
    .label("stay").call(HELPER_COARSE_CLOCK).store(STAMP_BYTES, SEEN, 0, 0).jump("pass")
    .label("forget").storeValue(STAMP_BYTES, SEEN, 0, 0);
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
      const program = loadProgram(mac, sockets, roomOf(chunkBytes));
      return new Shortcut({
        interfaceIndex: nic.index, namespacePath, queues: nic.served, chunkBytes, sockets, isDriverMode: !hasNoWire, mode: hasNoWire ? "generic" : "auto",
        why: "long segments by the socket", isUnfinished: hasNoWire, shortcut: { name, program },
      });
    } catch (error) {
      close(sockets);
      throw error;
    }
  }

  close(): void {
    const { shortcut, sockets } = this.place;
    if (shortcut) close(shortcut.program);
    close(sockets);
  }
}

/** The program keeps its flows alive. */
function loadProgram(mac: Uint8Array, sockets: number, bytesMax: number): number {
  const flows = makeMap(MapKind.Array, 4, STAMP_BYTES << FLOW_BITS, 1);
  try {
    return loadXdp(shortcutProgram(mac, sockets, flows, bytesMax));
  } finally {
    close(flows);
  }
}

/** Lets a NIC's frames in by its shortcut; a link, which shuts it when it is closed. */
export function openShortcut({ interfaceIndex, namespacePath, isDriverMode, shortcut }: NicPlace): number {
  if (!shortcut) return -1;
  const make = (): number => attachXdp(shortcut.program, shortcut.name, interfaceIndex, isDriverMode ? XdpPlace.Driver : XdpPlace.Generic);
  return namespacePath === undefined ? make() : inNamespace(namespacePath, make);
}
