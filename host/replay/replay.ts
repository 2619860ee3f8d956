// Recorded inputs through the engine, deterministic: no devices, no clock but the scenario's.

import { PortFlag } from "../../assembly/abi/enums.js";
import { SLOT_HEADROOM } from "../../assembly/abi/layout.js";
import type { Config, PortConfig } from "../config/config.js";
import { applyNetwork, applyRules } from "../config/apply.js";
import { EngineDirector } from "../engine/director.js";
import { Engine } from "../engine/engine.js";
import { Records } from "../engine/records.js";
import { addLocal, addLocalSubnet, addNeighbor, addRoute, clearMarks, setPort } from "../engine/requests.js";
import type { CommandResult } from "../cli/context.js";
import type { NetworkChanges } from "./context.js";
import { runScript, type Script } from "./shell.js";
import type { Input } from "./scenario.js";
import { TICK_MS } from "./ticks.js";

const SLOT_BYTES = 68 * 1024;
/** Time passes in steps as it does for a running director, so that timers fire in their order. */
const STEP_MS = 100;
/** Far more batches than workers give each other because of one frame: at most two for each. */
const HANDED_BATCHES_MAX = 64;

export interface EmittedFrame { port: string; bytes: Uint8Array }

export interface ReplayOptions {
  /** When the director begins, by the scenario's clock; its first input's time unless told. */
  startMs?: number;
  /** Texts that commands have written before, by name. */
  files?: Map<string, string>;
  arenaBytes?: number;
  workers?: number;
  /** The worker that a frame reaches, whoever it belongs to. */
  chooseWorker?: () => number;
}

/** A director in this process whose time and traffic the caller gives it. */
export class Replay {
  private nowMs = 0;
  private hasBegun = false;
  /** The first of the workers, who also takes the requests. */
  readonly engine: Engine;

  private constructor(
    private readonly engines: readonly Engine[], readonly director: EngineDirector, private readonly config: Config,
    private readonly chooseWorker: () => number, readonly files: Map<string, string>,
  ) {
    this.engine = engines[0] as Engine;
  }

  static async create(module: WebAssembly.Module, config: Config, options: ReplayOptions = {}): Promise<Replay> {
    const { arenaBytes = SLOT_BYTES, workers = 1, chooseWorker = (): number => 0 } = options;
    const engine = await Engine.create({ module, bucketBits: config.tableBits, arenaBytes, workers });
    const engines = [engine];
    for (let worker = 1; worker < workers; worker++) engines.push(await Engine.attach(module, engine.memory, worker));
    const director = new EngineDirector(engine, new Records(engine.memory), {
      version: "replay", defaultForward: config.defaultForward, startedMs: Date.now(),
      ports: () => [undefined, ...config.ports.map((port) => ({
        name: port.name, mac: port.mac, mtu: port.mtu, device: "", driver: "replay", driverReason: "recorded inputs", steering: "",
        up: true, deviceMtu: port.mtu, addresses: port.addresses, refusedFrames: 0, refusedError: "", queues: [],
      }))],
    });
    const replay = new Replay(engines, director, config, chooseWorker, options.files ?? new Map<string, string>());
    await applyNetwork(engine, config);
    await applyRules(director, config.rules);
    if (options.startMs !== undefined) replay.beginAt(options.startMs);
    return replay;
  }

  private portName(index: number): string {
    return this.config.ports[index - 1]?.name ?? String(index);
  }

  private taken(engine = this.engine): EmittedFrame[] {
    if (engine.sentCount === 0) return [];
    return Array.from({ length: engine.sentCount }, (_, index) => {
      const sent = engine.sent(index);
      return { port: this.portName(sent.port), bytes: engine.bytes.slice(sent.frame, sent.frame + sent.bytes) };
    });
  }

  /** What workers have handed to each other is done, until nobody has anything more to do. */
  private settle(): EmittedFrame[] {
    const frames: EmittedFrame[] = [];
    let batches = 0;
    for (let next: Engine | undefined; (next = this.engines.find((one) => one.hasHanded)) !== undefined;) {
      if (++batches > HANDED_BATCHES_MAX) throw new Error("workers hand a frame to each other again and again");
      next.receive(0, this.nowMs);
      frames.push(...this.taken(next));
    }
    return frames;
  }

  /** What a director does every few seconds it does from its beginning on, not from the clock's. */
  private beginAt(startMs: number): void {
    if (this.hasBegun) return;
    this.hasBegun = true;
    this.nowMs = Math.max(this.nowMs, startMs);
    for (const engine of this.engines) engine.tick(this.nowMs);
  }

  /** Moves the clock on; it never goes back. Answers what time alone caused to be sent. */
  advanceTo(targetMs: number): EmittedFrame[] {
    const frames: EmittedFrame[] = [];
    while (this.nowMs < targetMs) {
      this.nowMs = Math.min(targetMs, this.nowMs + STEP_MS);
      for (const engine of this.engines) {
        engine.tick(this.nowMs);
        frames.push(...this.taken(engine));
      }
      frames.push(...this.settle());
    }
    return frames;
  }

  advance(seconds: number): EmittedFrame[] {
    return this.advanceTo(this.nowMs + Math.round(seconds * 1000));
  }

  /** One frame into a port; answers what comes out because of it. */
  receive(port: string, bytes: Uint8Array): EmittedFrame[] {
    const engine = this.engines[this.chooseWorker()] ?? this.engine;
    const frame = engine.arenaBase + SLOT_HEADROOM;
    engine.bytes.set(bytes, frame);
    engine.enter(0, frame, bytes.length, this.config.ports.findIndex((one) => one.name === port) + 1);
    engine.receive(1, this.nowMs);
    return [...this.taken(engine), ...this.settle()];
  }

  /** What `ip` and iptables change. */
  private get network(): NetworkChanges {
    const { engine, config } = this;
    const withPort = async (name: string, change: (port: PortConfig) => number | Promise<number>): Promise<boolean> => {
      const port = config.ports.find((one) => one.name === name);
      return port !== undefined && (await change(port)) >= 0;
    };
    return {
      setMtu: (name, mtuBytes) => withPort(name, (port) => {
        port.mtu = mtuBytes;
        return setPort(engine, port.index, port.mac, mtuBytes, PortFlag.Up);
      }),
      addAddress: (name, prefix) => withPort(name, (port) => addLocal(engine, port.index, prefix)),
      addNeighbor: (name, address, mac) => withPort(name, (port) => addNeighbor(engine, port.index, address, mac)),
      addRoute: (name, prefix, gateway) => withPort(name, (port) => addRoute(engine, port.index, prefix, gateway)),
      addLocalSubnet: async (prefix, kind) => addLocalSubnet(engine, 0, prefix, kind) >= 0,
      clearMarks: async () => void clearMarks(engine),
    };
  }

  /** Runs commands; answers what they said and what was sent because of them. */
  async command(script: Script): Promise<{ result: CommandResult; frames: EmittedFrame[] }> {
    // What the last input sent is still listed; a listing command would not clear it.
    this.engine.receive(0, this.nowMs);
    const result = await runScript(script, { director: this.director, files: this.files, network: this.network });
    return { result, frames: this.taken() };
  }

  /** Timers go off as the recorded kernel's. */
  private setTicks(ticksAtMs: number): object[] {
    this.engine.setTicks(TICK_MS, ticksAtMs);
    return [];
  }

  /** Does one input and answers the lines that tell about it: the echo, then what was sent. */
  async play(input: Input): Promise<object[]> {
    // Who begins again is another director.
    if (input.kind === "reload") throw new RangeError("a reload is the session's");
    if (input.kind === "start") return this.setTicks(input.ticksAtMs);
    const { fields, atSeconds } = input.line;
    if (atSeconds !== undefined) this.beginAt(Math.floor(atSeconds * 1000));
    const frames = atSeconds === undefined ? [] : this.advanceTo(Math.floor(atSeconds * 1000));
    let echo: object = fields;
    if (input.kind === "advance") frames.push(...this.advance(input.seconds));
    else if (input.kind === "frame") frames.push(...this.receive(input.port, input.bytes));
    else {
      const { result, frames: sent } = await this.command(input.script);
      frames.push(...sent);
      echo = { ...fields, rc: result.exitCode, stdout: result.stdout, stderr: result.stderr };
    }
    const named = "ev" in echo ? echo : { ev: input.kind === "command" ? "cmd" : input.kind === "frame" ? "in" : "advance", ...echo };
    return [named, ...frames.map((one) => ({ ev: "out", if: one.port, hex: Buffer.from(one.bytes).toString("hex") }))];
  }
}
