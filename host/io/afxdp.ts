// The AF_XDP driver: NICs whose frames come straight into the engine's memory, past the kernel's own stack.
//
// Each queue of a NIC that this pump serves has a socket with four rings; all sockets of a pump share one lot of chunks, so a frame goes
// from one NIC to another as a descriptor. Only what lies elsewhere, the engine's own frames or a TAP's, is copied.

import { FrameFlag } from "../../assembly/abi/enums.js";
import { BATCH_MAX } from "../../assembly/abi/limits.js";
import type { SentFrame } from "../engine/engine.js";
import { setInMap } from "./sys/bpf.js";
import { SystemError } from "./sys/error.js";
import { XdpSocket, type SocketPlace } from "./sys/xsk.js";
import { deviceGone, DriverError, LOOK_MS, WAIT_MS, type Device, type Driver, type Place } from "./driver.js";
import type { NicPlace } from "./nic.js";
import { Patience } from "./patience.js";
import { Shortcuts } from "./shortcuts.js";
import { Sleep } from "./sleep.js";
import { CHUNK_HEADROOM_BYTES, Chunks, ringPagesOf, roomOf } from "./umem.js";
import { finishChecksum } from "./unfinished.js";

const ENXIO = 6;
const ENODEV = 19;
const ENOBUFS = 105;
/** Frames of one queue in one batch, so that no queue waits for another's flood. */
const SHARE_FRAMES = 128;
/** Chunks a queue has for frames to come; as many again are on their way. */
const FILL_CHUNKS = 2048;
/** A queue is let go of some time after its socket was closed. */
const BUSY_TURNS_MAX = 500;
const BUSY_PAUSE_MS = 10;

/** A port: its NIC, a socket for each queue. */
interface Port { index: number; name: string; nic: NicPlace; sockets: XdpSocket[]; why: string }

/** Where frames come from. */
interface Source { port: Port; socket: XdpSocket }

/** The socket on a queue, by its descriptor: any thread may ask for its statistics. */
export interface QueueSocket { queue: number; descriptor: number }

/** A port's sockets. */
export interface PortSockets { port: number; why: string; sockets: QueueSocket[] }

export class AfxdpDriver implements Driver {
  private readonly chunks: Chunks;
  private readonly ports: Port[] = [];
  /** Of ports that have a packet socket beside. */
  readonly shortcuts: Shortcuts;
  private readonly portOf: (Port | undefined)[] = [];
  /** All ports' sockets; the one that is asked first. */
  private readonly sources: Source[] = [];
  private first = 0;
  private readonly batch = new Uint32Array(BATCH_MAX);
  private batchCount = 0;
  private readonly halves: Uint16Array;
  private readonly sleeping: Sleep;
  private readonly patience = new Patience();
  private lookedMs = 0;
  private readonly asksWork = (): boolean => this.hasWork();
  private readonly onSent = (frame: number): void => this.chunks.release(this.chunks.of(frame));
  private readonly nextChunk = (): number => this.chunks.take();

  /** Throws a DriverError when a NIC cannot be had. */
  constructor(private readonly place: Place) {
    const { engine, devices } = place;
    const nics = devices.flatMap((device) => (device.nic ? [{ ...device, nic: device.nic }] : []));
    const count = nics.reduce((sum, { nic }) => sum + nic.queues.length, 0);
    this.chunks = new Chunks(engine.arenaBase, count, Math.max(...nics.map(({ nic }) => nic.chunkBytes)));
    this.halves = new Uint16Array(engine.bytes.buffer);
    this.shortcuts = new Shortcuts(place);
    this.openAll(nics);
    this.sleeping = new Sleep(place.wake, this.descriptors);
    this.refill();
  }

  /** What ends a sleep: a frame that comes to one of them. */
  get descriptors(): number[] {
    return this.ports.flatMap((port) => port.sockets.map((socket) => socket.descriptor));
  }

  /** By port, how it runs. */
  describe(): PortSockets[] {
    return this.ports.map(({ index, why, nic, sockets }) => ({
      port: index, why, sockets: sockets.map(({ descriptor }, place) => ({ queue: nic.queues[place] ?? 0, descriptor })),
    }));
  }

  fill(from = 0, most = BATCH_MAX): number {
    const { engine } = this.place;
    const memory = { bytes: engine.bytes, halves: this.halves };
    const { sources } = this;
    let count = from;
    for (let turn = 0; turn < sources.length; turn++) {
      const { port: { index, nic }, socket } = sources[(this.first + turn) % sources.length] as Source;
      socket.take(Math.min(SHARE_FRAMES, most - count), (frame, bytes) => {
        this.batch[this.batchCount++] = this.chunks.of(frame);
        if (nic.isUnfinished) finishChecksum(memory, frame, bytes);
        engine.enter(count++, frame, bytes, index, FrameFlag.None);
      });
    }
    // Who found no room is the first the next time.
    if (count === most) this.first = (this.first + 1) % sources.length;
    return count;
  }

  /** Marks what has come so far. */
  mark(): void {
    for (const { socket } of this.sources) socket.mark();
  }

  /** True when everything up to the mark was filled in. */
  get isPastMark(): boolean {
    return this.sources.every(({ socket }) => socket.isPastMark);
  }

  flush(count: number): void {
    for (let index = 0; index < count; index++) this.send(this.place.engine.sent(index));
    this.finish();
  }

  /** True when a frame lies in a chunk. */
  holds(frame: number): boolean {
    return this.chunks.has(frame);
  }

  /** True when a frame can be sent without being copied into a chunk. */
  suits({ port, frame }: SentFrame): boolean {
    return this.portOf[port] !== undefined && this.holds(frame);
  }

  /** Prepares one frame's sending. */
  send({ port: index, frame, bytes }: SentFrame): void {
    const port = this.portOf[index];
    if (!port) return;
    const { chunks } = this;
    // Of several queues any will do to send by, as long as a flow keeps to one; one is simplest. Other workers have others.
    const socket = port.sockets[0] as XdpSocket;
    let from = frame;
    if (chunks.has(frame)) {
      chunks.hold(chunks.of(frame));
    } else {
      if (chunks.available === 0 || bytes > roomOf(chunks.umem.chunkBytes)) return this.place.refused(index, ENOBUFS);
      from = chunks.take() + CHUNK_HEADROOM_BYTES;
      this.place.engine.bytes.copyWithin(from, frame, frame + bytes);
    }
    if (socket.put(from, bytes)) return;
    chunks.release(chunks.of(from));
    this.place.refused(index, ENOBUFS);
  }

  /** Sends what was prepared. */
  dispatch(): void {
    for (const port of this.ports) this.kick(port);
  }

  /** Sends what was prepared; a batch's chunks are done with, but for those under way. */
  finish(): void {
    this.dispatch();
    for (let index = 0; index < this.batchCount; index++) this.chunks.release(this.batch[index] ?? 0);
    this.batchCount = 0;
    this.refill();
  }

  private kick(port: Port): void {
    for (const socket of port.sockets) {
      const failure = socket.kick();
      if (failure !== 0) this.complain(port, failure);
      socket.reap(this.onSent);
    }
  }

  private complain(port: Port, failure: number): void {
    if (failure === ENXIO || failure === ENODEV) throw deviceGone(port.name, failure);
    this.place.refused(port.index, failure);
  }

  /** Gives each queue chunks for frames to come. */
  private refill(): void {
    for (const port of this.ports) {
      for (const socket of port.sockets) {
        const wanted = Math.min(FILL_CHUNKS - socket.filled, this.chunks.available);
        if (wanted > 0) socket.give(wanted, this.nextChunk);
      }
    }
  }

  /** What was flushed from the engine's own memory was copied. */
  settle(): void {}

  wait(longestMs = WAIT_MS): void {
    this.look();
    if (this.hasWork() || this.patience.look(this.asksWork)) return;
    if (!this.sleeping.sleep(longestMs)) this.check();
    this.patience.end();
  }

  /** True when frames have come, or are still to be sent: then nobody may sleep. */
  hasWork(): boolean {
    for (const { socket } of this.sources) if (socket.arrived > 0) return true;
    return false;
  }

  /** The same as check, but seldom: for who is busy with one NIC while another may have gone. */
  look(): void {
    if (performance.now() - this.lookedMs >= LOOK_MS) this.check();
  }

  /** Looks whether the NICs are still there: nothing comes from one that is gone, not even an error. */
  check(): void {
    this.lookedMs = performance.now();
    for (const port of this.ports) {
      for (const socket of port.sockets) {
        const failure = socket.failure;
        if (failure !== 0) throw deviceGone(port.name, failure);
        socket.reap(this.onSent);
      }
    }
    this.refill();
  }

  close(): void {
    this.shortcuts.close();
    // The first socket brought the frames: it goes last.
    this.sources.length = 0;
    for (const port of this.ports.splice(0).reverse()) for (const socket of port.sockets.reverse()) socket.close();
  }

  /** Opens all sockets. They share their chunks, so all go without copying or none. */
  private openAll(nics: readonly (Device & { nic: NicPlace })[]): void {
    let reason = "";
    if (nics.every(({ nic }) => nic.isDriverMode && (nic.mode === "zero-copy" || nic.mode === "auto"))) {
      const problem = this.tryAll(nics, true);
      if (!problem) return;
      if (nics.some(({ nic }) => nic.mode === "zero-copy")) throw new DriverError(problem.message);
      reason = `; frames are copied once, as zero-copy is not to be had: ${problem.code}`;
    }
    const problem = this.tryAll(nics, false);
    if (problem) throw new DriverError(problem.message);
    for (const port of this.ports) if (port.nic.mode === "auto") port.why += reason;
  }

  /** What went wrong, and then nothing is open. */
  private tryAll(nics: readonly (Device & { nic: NicPlace })[], isZeroCopy: boolean): SystemError | undefined {
    try {
      for (const device of nics) this.open(device, isZeroCopy);
      return undefined;
    } catch (error) {
      this.close();
      if (error instanceof SystemError) return error;
      throw error;
    }
  }

  private open({ nic, name, index }: Device & { nic: NicPlace }, isZeroCopy: boolean): void {
    const port: Port = { index, name, nic, sockets: [], why: "" };
    this.ports.push(port);
    this.portOf[index] = port;
    for (const queue of nic.queues) {
      const socket = this.bind({ name, interfaceIndex: nic.interfaceIndex, queue, namespacePath: nic.namespacePath, isZeroCopy });
      port.sockets.push(socket);
      this.sources.push({ port, socket });
      setInMap(nic.sockets, wordOf(queue), wordOf(socket.descriptor));
    }
    const how = port.sockets[0]?.isZeroCopy ? "zero-copy" : nic.isDriverMode ? "native" : "generic";
    port.why = `${how}: ${nic.why}`;
    this.shortcuts.add(index, nic);
  }

  /** A socket on a queue. One that a closed driver had is free only after a while. */
  private bind(place: SocketPlace): XdpSocket {
    const { engine } = this.place;
    const made = this.ports.flatMap((port) => port.sockets);
    for (let turn = 0; ; turn++) {
      try {
        return new XdpSocket(engine.bytes, ringPagesOf(engine.arenaBase, made.length), this.chunks.umem, place, made[0]);
      } catch (error) {
        if (!(error instanceof SystemError) || error.code !== "EBUSY" || turn === BUSY_TURNS_MAX) throw error;
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, BUSY_PAUSE_MS);
      }
    }
  }
}

function wordOf(value: number): Uint8Array {
  const word = Buffer.alloc(4);
  word.writeUInt32LE(value);
  return word;
}
