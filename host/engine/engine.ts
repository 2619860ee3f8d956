// The typed binding of engine.wasm. Portable: no node: imports, so it runs wherever WebAssembly does.

import { counted } from "./counted.js";
import {
  CONTROL_BASE, CONTROL_BUCKET_BITS, CONTROL_NOW_MS, CONTROL_SEED, CONTROL_TABLE_BASE, CONTROL_TICK_MS, CONTROL_TICKS_AT_MS,
  CONTROL_WORKERS, DROPS_BASE, DROPS_WORKER_BYTES, ENTRY_BYTES, ENTRY_FLAGS, ENTRY_FRAME, ENTRY_PORT, FIXED_END,
  LIST_ENTRY_BYTES, REQUEST_BASE, RING_BYTES, RING_PUT, RING_READ, SHARD_BYTES, STATE_HANDED_TO, STATE_TRANSMIT_COUNT,
  WORKER_BYTES, WORKER_RECEIVE, WORKER_STATE,
  WORKER_TRANSMIT, WORKERS_BASE,
} from "../../assembly/abi/layout.js";
import { DropReason, type Operation } from "../../assembly/abi/enums.js";

const PAGE_BYTES = 65536;

interface Exports {
  init(): number;
  attach(worker: number): void;
  receive(count: number, nowMs: number): number;
  tick(nowMs: number): number;
  control(operation: number): number;
}

export interface EngineOptions {
  module: WebAssembly.Module;
  /** The connection table has 2^bucketBits buckets. */
  bucketBits?: number;
  workers?: number;
  /** Bytes for the host's frame slots (of all workers), between the engine's regions and its tables. */
  arenaBytes?: number;
  seed?: number;
}

/** One operation with its request record filled in, ready for any engine over the same layout. */
export interface EngineRequest {
  operation: Operation;
  record: Uint8Array;
}

/** Whatever performs operations: an engine at hand, or one in another thread. */
export interface Performer<Answer = number | Promise<number>> {
  perform(request: EngineRequest): Answer;
}

export interface SentFrame {
  port: number;
  frame: number;
  bytes: number;
  flags: number;
}

const BUCKET_BITS = 12;
/** Of a memory with 32-bit addresses. */
const PAGES_MAX = 65536;
/** Where the host's frame slots begin: a page, as rings and devices want it. */
const ARENA_BASE = Math.ceil(FIXED_END / 4096) * 4096;

/** Rings begin at a page of the machine's. */
const RINGS_ALIGNMENT = 4096;

/** Bytes of one connection table of 2^bits buckets. */
const shardBytes = (bits: number): number => SHARD_BYTES * 2 ** bits;

type Sizes = Pick<EngineOptions, "bucketBits" | "workers" | "arenaBytes">;

/** Where the tables begin: behind the host's frame slots. */
const tableBaseOf = ({ arenaBytes = 0 }: Sizes): number => Math.ceil((ARENA_BASE + arenaBytes) / PAGE_BYTES) * PAGE_BYTES;

/** Pages of a memory of these sizes. Throws a RangeError when there are more than WebAssembly has. */
export function memoryPages(sizes: Sizes): number {
  const { bucketBits: bits = BUCKET_BITS, workers = 1 } = sizes;
  // Several workers have a table each, one in common, and rings between them.
  const shards = workers > 1 ? workers + 1 : 1;
  const ringsBytes = workers > 1 ? RINGS_ALIGNMENT + workers * workers * RING_BYTES : 0;
  const pages = Math.ceil((tableBaseOf(sizes) + shardBytes(bits) * shards + ringsBytes) / PAGE_BYTES);
  const whose = counted(workers, "worker");
  if (pages > PAGES_MAX) throw new RangeError(`a table of 2^${bits} buckets for ${whose} does not fit in 4 GiB: take fewer of either`);
  return pages;
}

/** A memory of the size the options ask for, with the words that init() reads. */
function createMemory(options: EngineOptions): WebAssembly.Memory {
  const bits = options.bucketBits ?? BUCKET_BITS;
  const workers = options.workers ?? 1;
  const pages = memoryPages(options);
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
  const view = new DataView(memory.buffer);
  view.setUint32(CONTROL_BASE + CONTROL_WORKERS, workers, true);
  view.setUint32(CONTROL_BASE + CONTROL_BUCKET_BITS, bits, true);
  view.setUint32(CONTROL_BASE + CONTROL_SEED, options.seed ?? 1, true);
  view.setUint32(CONTROL_BASE + CONTROL_TABLE_BASE, tableBaseOf(options), true);
  return memory;
}

async function instantiate(module: WebAssembly.Module, memory: WebAssembly.Memory): Promise<{ exports: Exports }> {
  const instance = await WebAssembly.instantiate(module, { env: { memory } });
  return { exports: instance.exports as unknown as Exports };
}

/** One engine instance over one shared memory. */
export class Engine implements Performer<number> {
  readonly view: DataView;
  readonly bytes: Uint8Array;
  readonly workers: number;
  private readonly base: number;
  private readonly words: Uint32Array;
  private readonly ringsBase: number;

  private constructor(
    readonly memory: WebAssembly.Memory,
    private readonly exports: Exports,
    readonly worker: number,
    readonly arenaBase: number,
  ) {
    this.view = new DataView(memory.buffer);
    this.bytes = new Uint8Array(memory.buffer);
    this.base = WORKERS_BASE + worker * WORKER_BYTES;
    this.words = new Uint32Array(memory.buffer);
    this.workers = this.view.getUint32(CONTROL_BASE + CONTROL_WORKERS, true);
    const tables = this.view.getUint32(CONTROL_BASE + CONTROL_TABLE_BASE, true);
    const tablesBytes = shardBytes(this.view.getUint32(CONTROL_BASE + CONTROL_BUCKET_BITS, true)) * (this.workers + 1);
    this.ringsBase = Math.ceil((tables + tablesBytes) / RINGS_ALIGNMENT) * RINGS_ALIGNMENT;
  }

  /** Makes a memory, prepares it, and answers its first worker. */
  static async create(options: EngineOptions): Promise<Engine> {
    const memory = createMemory(options);
    const { exports } = await instantiate(options.module, memory);
    if (exports.init() !== 0) {
      throw new RangeError(`the engine refuses a table of 2^${options.bucketBits ?? BUCKET_BITS} buckets for ${options.workers ?? 1} workers`);
    }
    return Engine.attach(options.module, memory, 0);
  }

  /** One more instance over a prepared memory, as the given worker; its part of the arena begins at `arenaOffset`. */
  static async attach(module: WebAssembly.Module, memory: WebAssembly.Memory, worker: number, arenaOffset = 0): Promise<Engine> {
    const { exports } = await instantiate(module, memory);
    exports.attach(worker);
    return new Engine(memory, exports, worker, ARENA_BASE + arenaOffset);
  }

  /** Hands over one frame for the next batch; it must lie in the memory with its headroom before it. */
  enter(index: number, frame: number, bytes: number, port: number, flags = 0): void {
    const entry = this.base + WORKER_RECEIVE + index * LIST_ENTRY_BYTES;
    this.view.setUint32(entry + ENTRY_FRAME, frame, true);
    this.view.setUint32(entry + ENTRY_BYTES, bytes, true);
    this.view.setUint16(entry + ENTRY_PORT, port, true);
    this.view.setUint16(entry + ENTRY_FLAGS, flags, true);
  }

  receive(count: number, nowMs: number): number {
    if (this.worker === 0) this.view.setUint32(CONTROL_BASE + CONTROL_NOW_MS, nowMs, true);
    return this.exports.receive(count, nowMs);
  }

  /** Workers that got frames from this one in the last call, a bit each: they may have to be woken. */
  get handedTo(): number {
    return this.view.getUint32(this.base + WORKER_STATE + STATE_HANDED_TO, true);
  }

  /** True when other workers have handed frames over: `receive` takes them, whatever its count. */
  get hasHanded(): boolean {
    for (let from = 0; from < this.workers; from++) {
      const ring = (this.ringsBase + (this.worker * this.workers + from) * RING_BYTES) >>> 2;
      if (from !== this.worker && Atomics.load(this.words, ring + RING_PUT / 4) !== Atomics.load(this.words, ring + RING_READ / 4)) return true;
    }
    return false;
  }

  tick(nowMs: number): number {
    return this.exports.tick(nowMs);
  }

  /** Does one operation; below zero is a ControlError. It may have caused frames to be sent. */
  perform(request: EngineRequest): number {
    this.bytes.set(request.record, REQUEST_BASE);
    return this.exports.control(request.operation);
  }

  /** From now on timers go off as a kernel's whose ticks take so long, and were a multiple of every grain at `ticksAtMs`. */
  setTicks(tickMs: number, ticksAtMs: number): void {
    this.view.setUint32(CONTROL_BASE + CONTROL_TICK_MS, tickMs, true);
    this.view.setUint32(CONTROL_BASE + CONTROL_TICKS_AT_MS, ticksAtMs, true);
  }

  /** Entry of the transmit list after receive, tick or control. */
  sent(index: number): SentFrame {
    const entry = this.base + WORKER_TRANSMIT + index * LIST_ENTRY_BYTES;
    return {
      frame: this.view.getUint32(entry + ENTRY_FRAME, true),
      bytes: this.view.getUint32(entry + ENTRY_BYTES, true),
      port: this.view.getUint16(entry + ENTRY_PORT, true),
      flags: this.view.getUint16(entry + ENTRY_FLAGS, true),
    };
  }

  get sentCount(): number {
    return this.view.getUint32(this.base + WORKER_STATE + STATE_TRANSMIT_COUNT, true);
  }

  /** Dropped frames by the reason's name; only reasons that happened. */
  drops(): Record<string, bigint> {
    const found: Record<string, bigint> = {};
    for (let reason = 1; reason < DropReason.Last; reason++) {
      const count = this.view.getBigUint64(DROPS_BASE + this.worker * DROPS_WORKER_BYTES + reason * 8, true);
      if (count !== 0n) found[DropReason[reason] ?? String(reason)] = count;
    }
    return found;
  }
}
