// Keeps the data plane running: starts its thread, gives it requests, and after a trap keeps the memory's
// image and starts it again over the same memory.

import { closeSync, openSync, writeSync } from "node:fs";
import { Worker } from "node:worker_threads";
import type { EngineRequest, Performer } from "../engine/engine.js";
import type { PortDriver } from "../io/choose.js";
import { addressOf, checked, close, eventfd, write } from "../io/sys/libc.js";
import { WORD_ERRNOS, WORD_PENDING, WORD_REFUSED, WORD_STOP, WORDS, type PumpReport, type PumpStart } from "./words.js";

const EFD_NONBLOCK = 0x800;
const EFD_CLOEXEC = 0x80000;
/** More traps than this within the window: the memory itself is broken, and nobody is served by going on. */
const TRAPS_MAX = 5;
const TRAPS_WINDOW_MS = 10_000;

export interface PumpOptions {
  module: WebAssembly.Module;
  memory: WebAssembly.Memory;
  ports: PumpStart["ports"];
  driver: PumpStart["driver"];
  /** Where memory images of traps go: this path, then ".1", ".2", ... */
  imagePath: string;
  onTrap(report: { stack: string; image: string }): void;
  /** The thread trapped too often or cannot start: the director cannot go on. */
  onFailure(reason: string): void;
}

interface Waiting { request: EngineRequest; resolve(code: number): void; reject(error: Error): void }

export class Pump implements Performer<Promise<number>> {
  private readonly words = new Int32Array(new SharedArrayBuffer(WORDS * 4));
  private readonly wake = checked(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), "eventfd");
  private readonly one = Buffer.from([1, 0, 0, 0, 0, 0, 0, 0]);
  private readonly waiting = new Map<number, Waiting>();
  private readonly trapsMs: number[] = [];
  private worker: Worker | undefined;
  private exited: Promise<void> = Promise.resolve();
  private isReady = false;
  private nextId = 1;
  private traps = 0;
  /** By port, the driver that moves its frames, and why it is this one. */
  drivers: PortDriver[] = [];

  constructor(private readonly options: PumpOptions) {}

  /** Starts the thread; resolves when it takes frames. */
  start(): Promise<void> {
    const { module, memory, ports, driver } = this.options;
    const workerData: PumpStart = { module, memory, ports, driver, wake: this.wake, worker: 0, words: this.words.buffer as SharedArrayBuffer };
    const worker = new Worker(new URL("./thread.js", import.meta.url), { workerData, name: "pump" });
    this.worker = worker;
    this.exited = new Promise((resolve) => worker.once("exit", () => resolve()));
    return new Promise((resolve, reject) => {
      worker.once("error", (error) => {
        reject(error);
        this.options.onFailure(`the data plane's thread ended: ${error.message}`);
      });
      worker.on("message", (report: PumpReport) => {
        switch (report.kind) {
          case "ready":
            this.drivers = report.ports;
            this.isReady = true;
            return resolve();
          case "unable":
            if (this.isReady) this.options.onFailure(report.reason);
            return reject(new Error(report.reason));
          case "done": return this.settle(report.id, report.code);
          case "trap": return void this.recover(report.stack);
        }
      });
    });
  }

  /** Frames that a port's device would not take, and the error number of the last of them. */
  refused(port: number): { frames: number; errno: number } {
    return { frames: Atomics.load(this.words, WORD_REFUSED + port) >>> 0, errno: Atomics.load(this.words, WORD_ERRNOS + port) };
  }

  perform(request: EngineRequest): Promise<number> {
    return new Promise((resolve, reject) => {
      const id = this.nextId++;
      this.waiting.set(id, { request, resolve, reject });
      this.post(id, request);
    });
  }

  private post(id: number, request: EngineRequest): void {
    this.worker?.postMessage({ id, operation: request.operation, record: request.record });
    Atomics.add(this.words, WORD_PENDING, 1);
    this.ring();
  }

  private ring(): void {
    write(this.wake, addressOf(this.one), this.one.length);
  }

  private settle(id: number, code: number): void {
    this.waiting.get(id)?.resolve(code);
    this.waiting.delete(id);
  }

  private async recover(stack: string): Promise<void> {
    await this.exited;
    const image = this.keepImage();
    this.options.onTrap({ stack, image });
    this.failWaiting("the engine trapped while this was waiting");
    const nowMs = Date.now();
    this.trapsMs.push(nowMs);
    if (this.trapsMs.filter((ms) => nowMs - ms < TRAPS_WINDOW_MS).length > TRAPS_MAX) {
      this.options.onFailure(`the engine trapped ${TRAPS_MAX + 1} times in ${TRAPS_WINDOW_MS / 1000} s; the last image is ${image}`);
      return;
    }
    if (Atomics.load(this.words, WORD_STOP) === 0) await this.start().catch(() => undefined); // onFailure has been told
  }

  private failWaiting(reason: string): void {
    for (const one of this.waiting.values()) one.reject(new Error(reason));
    this.waiting.clear();
    Atomics.store(this.words, WORD_PENDING, 0);
  }

  /** Writes the whole memory to a file only its owner may read; only the last few are kept. */
  private keepImage(): string {
    const path = `${this.options.imagePath}.${(this.traps++ % TRAPS_MAX) + 1}`;
    const bytes = new Uint8Array(this.options.memory.buffer);
    try {
      const file = openSync(path, "w", 0o600);
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

  /** Ends the thread. Descriptors of ports stay open: they are the caller's. */
  async stop(): Promise<void> {
    Atomics.store(this.words, WORD_STOP, 1);
    this.ring();
    await this.exited;
    this.failWaiting("the director is stopping");
    close(this.wake);
  }
}
