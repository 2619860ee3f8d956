// One driver on a real device, and the other end of its wire, for the promises that every driver makes.

import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { FrameFlag } from "../../assembly/abi/enums.js";
import type { SentFrame } from "../../host/engine/engine.js";
import { chooseDriver } from "../../host/io/choose.js";
import type { Driver, DriverChoice, Place } from "../../host/io/driver.js";
import { OpenNic, readyNic, type NicPlace } from "../../host/io/nic.js";
import { Shortcut } from "../../host/io/shortcut.js";
import { SLOTS, SLOT_BYTES } from "../../host/io/slots.js";
import { SteeringTable } from "../../host/io/steering.js";
import { addressOf, checked, close, eventfd, write } from "../../host/io/sys/libc.js";
import { openPacketSocket } from "../../host/io/sys/packetsocket.js";
import { openTap } from "../../host/io/sys/tun.js";
import { arenaBytesFor, Chunks } from "../../host/io/umem.js";
import { Namespace } from "../../host/lab/namespace.js";
import { TapEnd } from "./tapend.js";

export const PORT = 3;
export const ARENA_AT = 65536;
/** Frames of an engine's own lie before the arena. */
export const OWN_AT = 1024;
const FRAME_BYTES = 64;
/** An IPv4 address of nobody else; a number follows it. */
const TARGET = "10.77.77.77";
const TARGET_AT = 14 + 16;
const NUMBER_AT = TARGET_AT + 4;
const ETHERTYPE_IPV4 = 0x0800;
/** Frames of NICs go to a chunk for each. */
export const CHUNK_BYTES = 2048;

/** Drivers of TAPs, that of NICs, and both on one device. */
export type Tried = Exclude<DriverChoice, "auto"> | "afxdp" | "both";
/** The driven port's own hardware address. */
const OWN_MAC = "020000000077";
const EFD_NONBLOCK = 0x800;
export const TURNS_MAX = 200;
const ANSWER_MS = 20_000;

/** A frame with a number, for whoever is at the other end. */
export function numbered(number: number): Buffer {
  const frame = Buffer.alloc(FRAME_BYTES, 0x5a);
  frame.write(`${OWN_MAC}020000000009`, 0, "hex");
  frame.writeUInt16BE(ETHERTYPE_IPV4, 12);
  frame.set(TARGET.split(".").map(Number), TARGET_AT);
  frame.writeUInt32BE(number, NUMBER_AT);
  return frame;
}

export const numberOf = (frame: Buffer): number => frame.readUInt32BE(NUMBER_AT);
export const isNumbered = (frame: Buffer): boolean => frame.readUInt16BE(12) === ETHERTYPE_IPV4
  && frame.subarray(TARGET_AT, NUMBER_AT).join(".") === TARGET;
export const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index);

/** An engine's memory and its lists, filled and read by the test. */
class Lists {
  readonly memory = new WebAssembly.Memory({ initial: 1 + Math.ceil(arenaBytesFor(1, CHUNK_BYTES) / 65536), maximum: 512, shared: true });
  readonly bytes = new Uint8Array(this.memory.buffer);
  readonly arenaBase = ARENA_AT;
  entered: Buffer[] = [];
  places: { frame: number; bytes: number }[] = [];
  sending: SentFrame[] = [];

  constructor(private readonly flags: readonly FrameFlag[]) {}

  enter(index: number, frame: number, bytes: number, port: number, flags: number): void {
    assert.equal(port, PORT);
    assert.ok(this.flags.includes(flags), `a frame with flags ${flags}`);
    this.places[index] = { frame, bytes };
    this.entered.push(Buffer.from(this.bytes.slice(frame, frame + bytes)));
  }

  sent(index: number): SentFrame {
    return this.sending[index] as SentFrame;
  }
}

/** One driver on one TAP or NIC, and the other TAP that its frames come from and go to. */
export class Bench {
  readonly refused: number[] = [];
  readonly end: TapEnd;
  readonly place: Place;
  private readonly release: () => void;
  private readonly wake = checked(eventfd(0, EFD_NONBLOCK), "eventfd");

  private constructor(private readonly namespace: Namespace, readonly lists: Lists, private readonly tried: Tried) {
    const isNic = tried === "afxdp" || tried === "both";
    if (isNic) namespace.ip(["link add name driven type veth peer name far", "link set dev driven up"]);
    const descriptor = tried === "afxdp" ? -1
      : tried === "both" ? openPacketSocket("driven", { mac: Buffer.from(OWN_MAC, "hex"), namespacePath: namespace.path })
      : openTap("driven", { vnetHeader: true, offloads: true, namespacePath: namespace.path });
    this.end = new TapEnd({ name: "other", namespacePath: namespace.path }, "02:00:00:00:00:09");
    namespace.ip(["link add name joint type bridge stp_state 0 mcast_snooping 0", "link set dev joint up",
      `link set dev ${isNic ? "far" : "driven"} txqueuelen 2000 master joint up`, "link set dev other txqueuelen 2000 master joint up"]);
    const taken = tried === "afxdp" ? takeNic(namespace.path, TARGET) : tried === "both" ? takeShortcut(namespace.path, OWN_MAC) : undefined;
    const device = { index: PORT, name: "driven", descriptor };
    this.release = (): void => {
      taken?.release();
      if (descriptor >= 0) close(descriptor);
    };
    this.place = {
      engine: lists, devices: [taken ? { ...device, nic: taken.place } : device], wake: this.wake,
      refused: (_port, errno) => this.refused.push(errno),
    };
  }

  static async build(context: TestContext, tried: Tried): Promise<Bench> {
    const namespace = await Namespace.create("lvs-contract");
    const flags = tried === "both" ? [FrameFlag.None, FrameFlag.Vnet] : [tried === "afxdp" ? FrameFlag.None : FrameFlag.Vnet];
    const bench = new Bench(namespace, new Lists(flags), tried);
    context.after(async () => {
      bench.end.close();
      bench.release();
      close(bench.wake);
      await namespace.close();
    });
    return bench;
  }

  /** The driver that is tried; NICs have but one. */
  choose(): Driver {
    return chooseDriver(this.tried === "afxdp" || this.tried === "both" ? "auto" : this.tried, this.place).driver;
  }

  /** Where frames lie that have come. */
  get room(): Uint8Array {
    const { umem } = new Chunks(ARENA_AT, 1, CHUNK_BYTES);
    return this.place.devices[0]?.nic ? this.lists.bytes.subarray(umem.base, umem.base + umem.chunks * CHUNK_BYTES)
      : this.lists.bytes.subarray(ARENA_AT, ARENA_AT + SLOTS * SLOT_BYTES);
  }

  open(context: TestContext): Driver {
    const driver = this.choose();
    context.after(() => driver.close());
    return driver;
  }

  /** Writes the wake descriptor, as a request does. */
  ring(): void {
    const one = Buffer.from([1, 0, 0, 0, 0, 0, 0, 0]);
    checked(write(this.wake, addressOf(one), one.length), "write the eventfd");
  }

  unplug(): void {
    this.namespace.ip(["link set dev driven down"]);
  }

  /** Turns of a pump without an engine, until so many numbered frames have come. */
  take(driver: Driver, count: number): number[] {
    const found = (): Buffer[] => this.lists.entered.filter(isNumbered);
    for (let turn = 0; turn < TURNS_MAX && found().length < count; turn++) {
      driver.fill();
      driver.flush(0);
      driver.wait();
    }
    return found().map(numberOf);
  }

  /** Turns until the numbered frame has been filled in, alone; where it lies. Its slot is not yet given back. */
  fillOne(driver: Driver, number: number): { frame: number; bytes: number } {
    for (let turn = 0; turn < TURNS_MAX; turn++) {
      this.lists.entered = [];
      const count = driver.fill();
      const index = this.lists.entered.findIndex((frame) => isNumbered(frame) && numberOf(frame) === number);
      const place = this.lists.places[index];
      if (index >= 0 && place) return place;
      assert.ok(count === 0 || !this.lists.entered.some(isNumbered), "a frame out of its turn");
      driver.flush(0);
      driver.wait();
    }
    throw new Error(`frame ${number} did not come`);
  }

  /** Flushes frames of the engine's own memory. */
  send(driver: Driver, count: number, bytes = FRAME_BYTES): void {
    const frame = (index: number): number => OWN_AT + (index % 512) * 96 + 16;
    this.lists.sending = upTo(count).map((index) => ({ port: PORT, frame: frame(index), bytes, flags: FrameFlag.None }));
    upTo(count).forEach((index) => this.lists.bytes.set(numbered(index), frame(index)));
    driver.flush(count);
  }

  /** Numbers of the frames that arrived at the other TAP. */
  async arrived(count: number): Promise<number[]> {
    const numbers: number[] = [];
    while (numbers.length < count) {
      const frame = await this.end.receive(isNumbered, ANSWER_MS);
      if (!frame) break;
      numbers.push(numberOf(frame));
    }
    return numbers;
  }
}

/** The NIC "driven", whose program takes what is sent to an address. */
export function takeNic(namespacePath: string, address: string, queues = 1): { place: NicPlace; release(): void } {
  const options = { name: "driven", namespacePath, mode: "auto", queues, mtu: 1500, isGateway: false } as const;
  const table = new SteeringTable();
  table.set([address], []);
  const nic = OpenNic.open(options, readyNic(options), table);
  return { place: nic.place, release: (): void => { nic.close(); close(table.map); } };
}

/** The same NIC with a program for what a packet socket takes too, which has a hardware address of its own. */
export function takeShortcut(namespacePath: string, mac: string): { place: NicPlace; release(): void } {
  const options = { name: "driven", namespacePath, mac: Buffer.from(mac, "hex"), mtu: 1500 };
  const shortcut = Shortcut.load(options, readyNic({ ...options, mode: "auto", queues: 1, isGateway: false }));
  return { place: shortcut.place, release: (): void => shortcut.close() };
}
