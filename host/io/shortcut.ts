// The shortcut of a port that shares its NIC by a packet socket: an XDP program that takes IP sent to the port's own
// hardware address past the kernel's stack, to AF_XDP sockets. Everything else, and whatever the sockets have no room
// for in size, goes on to the kernel, and so to the packet socket.
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
const XDP_PASS = 2;
const LINK_BYTES = 14;
const TYPE_AT = 12;
const TYPE_IPV4 = 0x0008; // as a little-endian machine reads them
const TYPE_IPV6 = 0xdd86;

const FRAME: Register = 7;
const END: Register = 8;

/** Takes IP packets to a hardware address that fit a chunk. */
export function shortcutProgram(mac: Uint8Array, sockets: number, bytesMax: number): Instruction[] {
  const code = new Assembler()
    .load(4, FRAME, 1, DATA)
    .load(4, END, 1, DATA_END)
    .load(4, 2, 1, QUEUE)
    .move(3, FRAME).addValue(3, LINK_BYTES).jumpIfGreater(3, END, "pass")
    .move(3, FRAME).addValue(3, bytesMax).jumpIfGreater(END, 3, "pass");
  [0, 2, 4].forEach((at) => {
    const [low = 0, high = 0] = mac.subarray(at, at + 2);
    code.load(2, 3, FRAME, at).jumpIfNotEqual(3, low | (high << 8), "pass");
  });
  return code.load(2, 3, FRAME, TYPE_AT)
    .jumpIfEqual(3, TYPE_IPV4, "take")
    .jumpIfNotEqual(3, TYPE_IPV6, "pass")
    // To the socket of the queue it came in by; where there is none, to the kernel.
    .label("take").loadMap(1, sockets).set(3, XDP_PASS).call(HELPER_REDIRECT_MAP).exit()
    .label("pass").set(0, XDP_PASS).exit()
    .finish();
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
      const program = loadXdp(shortcutProgram(mac, sockets, roomOf(chunkBytes)));
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

/** Lets a NIC's frames in by its shortcut; a link, which shuts it when it is closed. */
export function openShortcut({ interfaceIndex, namespacePath, isDriverMode, shortcut }: NicPlace): number {
  if (!shortcut) return -1;
  const make = (): number => attachXdp(shortcut.program, shortcut.name, interfaceIndex, isDriverMode ? XdpPlace.Driver : XdpPlace.Generic);
  return namespacePath === undefined ? make() : inNamespace(namespacePath, make);
}
