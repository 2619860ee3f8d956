// Keeps the data plane running: starts a thread for each worker, gives requests to the first, and after a trap
// keeps the memory's image and starts that worker again over the same memory, while the others go on.

import { closeSync, openSync, rmSync, writeSync } from "node:fs";
import { Worker } from "node:worker_threads";
import { CONTROL_BASE, CONTROL_LOCK } from "../../assembly/abi/layout.js";
import type { EngineRequest, Performer } from "../engine/engine.js";
import type { PortDriver } from "../io/choose.js";
import { ARENA_BYTES } from "../io/slots.js";
import { addressOf, checked, close, eventfd, write } from "../io/sys/libc.js";
import { Gate } from "./gate.js";
import { WORD_ERRNOS, WORD_PENDING, WORD_REFUSED, WORD_STOP, WORDS, type PumpReport, type PumpStart } from "./words.js";

const EFD_NONBLOCK = 0x800;
const EFD_CLOEXEC = 0x80000;
/** More traps than this within the window: the memory itself is broken, and nobody is served by going on. */
const TRAPS_MAX = 5;
const TRAPS_WINDOW_MS = 10_000;
const STOPPING = "the director is stopping";
/** Takes the requests. */
const FIRST = 0;

export interface PumpOptions {
  module: WebAssembly.Module;
  memory: WebAssembly.Memory;
  ports: PumpStart["ports"];
  /** The ports' other queues: for each worker after the first. */
  queues?: PumpStart["ports"][];
  driver: PumpStart["driver"];
  /** What each worker has of the engine's arena; the slots alone without it. */
  arenaBytes?: number;
  /** Where memory images of traps go: this path, then ".1", ".2", ... */
  imagePath: string;
  onTrap(report: { stack: string; image: string; worker: number }): void;
  /** A port has to do without AF_XDP, or has it again (""). */
  onLack?(port: number, problem: string): void;
  /** A thread trapped too often or cannot start: the director cannot go on. */
  onFailure(reason: string): void;
}

interface Waiting { request: EngineRequest; resolve(code: number): void; reject(error: Error): void }
/** A worker's thread, and its end. */
interface Thread { thread: Worker; exited: Promise<void> }

export class Pump implements Performer<Promise<number>> {
  private readonly words = new Int32Array(new SharedArrayBuffer(WORDS * 4));
  private readonly queues: PumpStart["ports"][];
  private readonly wakes: number[];
  private readonly gate: Gate;
  private readonly one = Buffer.from([1, 0, 0, 0, 0, 0, 0, 0]);
  private readonly waiting = new Map<number, Waiting>();
  private readonly trapsMs: number[] = [];
  private readonly threads: Thread[] = [];
  private isStopped = false;
  private nextId = 1;
  private traps = 0;
  /** What each worker's thread has said of its ports. */
  private readonly reports: PortDriver[][] = [];

  constructor(private readonly options: PumpOptions) {
    this.queues = [options.ports, ...options.queues ?? []];
    this.wakes = this.queues.map(() => checked(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), "eventfd"));
    this.gate = new Gate(this.words, this.queues.length);
  }

  /** By port, the driver that moves its frames, and why it is this one. Workers differ in their queues alone. */
  get drivers(): PortDriver[] {
    const all = this.reports.flat();
    return (this.reports[FIRST] ?? []).map((driver) => {
      const sockets = all.flatMap((one) => (one.port === driver.port ? one.sockets : []));
      return { ...driver, sockets: sockets.sort((a, b) => a.queue - b.queue) };
    });
  }

  /** Starts the threads; resolves when all of them take frames. */
  async start(): Promise<void> {
    const started = await Promise.allSettled(this.queues.map((_, worker) => this.startThread(worker, false)));
    const failed = started.find((one) => one.status === "rejected");
    if (!failed) return;
    await this.stop();
    throw failed.reason;
  }

  /** Resolves when a worker's thread takes frames, be it only after a trap. One that `isAgain` started has nobody else to tell that it cannot be. */
  private startThread(worker: number, isAgain: boolean): Promise<void> {
    const { module, memory, driver, arenaBytes = ARENA_BYTES } = this.options;
    const workerData: PumpStart = {
      module, memory, driver, worker, arenaOffset: worker * arenaBytes, ports: this.queues[worker] ?? [], wakes: this.wakes,
      words: this.words.buffer as SharedArrayBuffer,
    };
    const thread = new Worker(new URL("./thread.js", import.meta.url), { workerData, name: `pump ${worker}` });
    this.threads[worker] = { thread, exited: new Promise((resolve) => thread.once("exit", () => resolve())) };
    let isReady = false;
    return new Promise((resolve, reject) => {
      thread.once("error", (error) => {
        reject(error);
        this.options.onFailure(`the data plane's thread ended: ${error.message}`);
      });
      thread.on("message", (report: PumpReport) => {
        switch (report.kind) {
          case "ready":
            this.reports[worker] = report.ports;
            isReady = true;
            return resolve();
          case "unable":
            // While others still start, too, one that was ready is missed by nobody else.
            if (isReady || isAgain) this.options.onFailure(report.reason);
            return reject(new Error(report.reason));
          case "done": return this.settle(report.id, (one) => one.resolve(report.code));
          case "refused": return this.settle(report.id, (one) => one.reject(new Error(report.reason)));
          case "lacks": return this.noteLack(report.port, report.problem);
          case "trap": return void this.recover(worker, report.stack).then(resolve, reject);
        }
      });
    });
  }

  private noteLack(port: number, problem: string): void {
    const driver = this.reports[FIRST]?.find((one) => one.port === port);
    if (driver) driver.lacks = problem;
    this.options.onLack?.(port, problem);
  }

  /** Frames that a port's device would not take, and the error number of the last of them. */
  refused(port: number): { frames: number; errno: number } {
    return { frames: Atomics.load(this.words, WORD_REFUSED + port) >>> 0, errno: Atomics.load(this.words, WORD_ERRNOS + port) };
  }

  perform(request: EngineRequest): Promise<number> {
    if (this.isStopped) return Promise.reject(new Error(STOPPING));
    return new Promise((resolve, reject) => {
      const id = this.nextId++;
      this.waiting.set(id, { request, resolve, reject });
      this.threads[FIRST]?.thread.postMessage({ id, operation: request.operation, record: request.record });
      Atomics.add(this.words, WORD_PENDING, 1);
      this.wake(FIRST);
    });
  }

  private wake(worker: number): void {
    write(this.wakes[worker] ?? -1, addressOf(this.one), this.one.length);
  }

  private settle(id: number, how: (one: Waiting) => void): void {
    const one = this.waiting.get(id);
    if (one) how(one);
    this.waiting.delete(id);
  }

  /** Resolves when the worker is there again, or shall not be. */
  private async recover(worker: number, stack: string): Promise<void> {
    await this.threads[worker]?.exited;
    this.releaseFor(worker);
    const image = this.keepImage();
    this.options.onTrap({ stack, image, worker });
    if (worker === FIRST) this.failWaiting("the engine trapped while this was waiting");
    const nowMs = performance.now();
    this.trapsMs.push(nowMs);
    if (this.trapsMs.filter((ms) => nowMs - ms < TRAPS_WINDOW_MS).length > TRAPS_MAX) {
      const reason = `the engine trapped ${TRAPS_MAX + 1} times in ${TRAPS_WINDOW_MS / 1000} s; the last image is ${image}`;
      this.options.onFailure(reason);
      throw new Error(reason);
    }
    if (Atomics.load(this.words, WORD_STOP) === 0) await this.startThread(worker, true);
  }

  /** What others may be waiting for, and a worker that has ended cannot give back. */
  private releaseFor(worker: number): void {
    Atomics.compareExchange(new Uint32Array(this.options.memory.buffer), (CONTROL_BASE + CONTROL_LOCK) / 4, worker + 1, 0);
    this.gate.leave(worker);
    if (worker === FIRST) this.gate.open();
  }

  private failWaiting(reason: string): void {
    for (const one of this.waiting.values()) one.reject(new Error(reason));
    this.waiting.clear();
    Atomics.store(this.words, WORD_PENDING, 0);
  }

  /** Writes the whole memory to a file only its owner may read, which nobody else has laid there; only the last few are kept. */
  private keepImage(): string {
    const path = `${this.options.imagePath}.${(this.traps++ % TRAPS_MAX) + 1}`;
    const bytes = new Uint8Array(this.options.memory.buffer);
    try {
      rmSync(path, { force: true });
      const file = openSync(path, "wx", 0o600);
      try {
        for (let at = 0; at < bytes.length;) at += writeSync(file, bytes, at, Math.min(bytes.length - at, 1 << 26));
      } finally {
        closeSync(file);
      }
      return path;
    } catch (error) {
      return `not kept (${(error as Error).message})`;
    }
  }

  /** Ends the threads. Descriptors of ports stay open: they are the caller's. */
  async stop(): Promise<void> {
    Atomics.store(this.words, WORD_STOP, 1);
    this.wakes.forEach((_, worker) => this.wake(worker));
    await Promise.all(this.threads.map((one) => one.exited));
    this.isStopped = true;
    this.failWaiting(STOPPING);
    for (const wake of this.wakes) close(wake);
  }
}
