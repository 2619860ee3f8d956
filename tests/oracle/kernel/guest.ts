// A real kernel, booted as a process: frames in and out by sockets, commands by a serial line, time by
// our own clock. It has no network but these sockets and lives no longer than we do.

import type { ChildProcess } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Config, PortConfig } from "../../../host/config/config.js";
import { isChatter, Probe, probeNumber } from "./barrier.js";
import { GuestClock } from "./clock.js";
import { GRAIN_SECONDS, secondsToGrain, TICKS_PROGRAM, ticksOf } from "./grain.js";
import { isAlarmWaiting, onlyChildOf, startKernel } from "./launch.js";
import { clearPrograms, forgetMarks, needsReload, networkScript, reloadScript, setsMarks, SETTINGS_LISTING } from "./network.js";
import type { GuestFiles } from "./packages.js";
import { programsRequest, readAnswerHeader, scriptRequest, type CommandOutput } from "./request.js";
import { SOCK_SEQPACKET, SOCK_STREAM, SocketEnd } from "./socket.js";

const BOOT_MS = 120_000;
const COMMAND_MS = 120_000;
/** What a command needs at most that does not wait for time to pass. */
const TIMELESS_MS = 2_000;
const BARRIER_MS = 60_000;
/** What the guest says when it takes more of a request: "+". */
const GO_ON = 0x2b;
/** How often in each stride: at one time of a thousand the guest looks only when it is told again. */
const STRIDE_ROUNDS = 2;
/** How often timers are looked at in the end: what fired may have set others that are due. */
const SETTLE_ROUNDS = 3;
/**
 * A timer that is set while the kernel catches up with a long stride comes late by an eighth of that stride: statistics
 * would be summed minutes later. So no stride is longer than this, and the last seconds go by in small ones.
 */
const STRIDE_MAX_SECONDS = 20 * GRAIN_SECONDS;
const FINE_SECONDS = 3 * GRAIN_SECONDS;
const FINE_STRIDE_SECONDS = GRAIN_SECONDS / 2;
/** Longer than any connection or fragment lives without its service; what others needed ends a round later than they. */
const CONNECTIONS_GONE_SECONDS = [70, 5000];
const ROUND_SECONDS = 200;
const ROUNDS_MAX = 8;
/** A removed server that nobody needs is seen to be idle in one round, and forgotten, with its counts, in one of the next. */
const SERVERS_GONE_ROUNDS = 3;

export interface GuestOutput { port: string; bytes: Buffer }

interface Port { config: PortConfig; wire: SocketEnd; probe: Probe; input: number }

/** A booted kernel with the network of a configuration and an empty IPVS. */
export class Guest {
  /** By the place of the input in its burst; what belongs to none has place 0. */
  private outputs: GuestOutput[][] = [[]];
  private received: Buffer = Buffer.alloc(0);
  private settings = new Map<string, string>();
  private changed = false;
  private marked = false;
  private kernelPid: number | undefined;

  private constructor(
    private readonly child: ChildProcess, private readonly ports: Port[], private readonly serial: SocketEnd,
    private readonly folder: string, readonly clock: GuestClock, private readonly config: Config,
  ) {}

  static boot(files: GuestFiles, config: Config): Guest {
    const folder = mkdtempSync(join(tmpdir(), "guest-"));
    const clock = new GuestClock(join(folder, "clock"));
    const serial = SocketEnd.create(SOCK_STREAM);
    const ports = config.ports.map((port): Port => ({ config: port, wire: SocketEnd.create(SOCK_SEQPACKET), probe: new Probe(config, port), input: 0 }));
    const child = startKernel(files, folder, serial, ports.map(({ config: { mac }, wire }) => ({ mac, wire })));
    const guest = new Guest(child, ports, serial, folder, clock, config);
    try {
      guest.waitFor((bytes) => (bytes.includes("ready\n") ? bytes.indexOf("ready\n") + 6 : undefined), BOOT_MS);
      guest.must(scriptRequest(networkScript(config)));
      guest.barrier();
      guest.clock.freeze();
      guest.learnSettings();
      guest.align();
      return guest;
    } catch (error) {
      const told = readFileSync(join(folder, "console"), "utf8").slice(-2000);
      guest.close();
      throw new Error(`the guest did not boot: ${(error as Error).message}\n${told}`);
    }
  }

  /** Reads the serial line until `complete` says how many bytes of it are an answer; undefined when that takes too long. */
  private read(complete: (received: Buffer) => number | undefined, timeoutMs: number): Buffer | undefined {
    for (const end = Date.now() + timeoutMs; ;) {
      const bytes = complete(this.received);
      if (bytes !== undefined) {
        const answer = this.received.subarray(0, bytes);
        this.received = this.received.subarray(bytes);
        return answer;
      }
      if (Date.now() > end) return undefined;
      const more = this.serial.receive(Math.min(100, timeoutMs));
      if (more?.length === 0) throw new Error("the guest has ended");
      if (more) this.received = Buffer.concat([this.received, more]);
      // A full socket would stop the guest.
      else for (const port of this.ports) this.drain(port);
    }
  }

  private waitFor(complete: (received: Buffer) => number | undefined, timeoutMs: number): Buffer {
    const answer = this.read(complete, timeoutMs);
    if (!answer) throw new Error(`no answer from the guest in ${timeoutMs / 1000} s`);
    return answer;
  }

  /** Takes all frames that wait at a port; true when the answer to a barrier was among them. */
  private drain(port: Port): boolean {
    let passed = false;
    for (let frame = port.wire.receive(0); frame !== undefined && frame.length > 0; frame = port.wire.receive(0)) {
      const number = probeNumber(frame);
      if (number === 0) passed = true;
      else if (number !== undefined) this.next(port, number);
      else if (!isChatter(frame)) this.outputs[port.input]?.push({ port: port.config.name, bytes: frame });
    }
    return passed;
  }

  /** What comes out of this port from now on is because of the burst's next input. */
  private next(port: Port, input: number): void {
    if (input !== port.input + 1) throw new Error(`the guest answered probe ${input} on ${port.config.name} after ${port.input}`);
    port.input = input;
  }

  /**
   * Returns once everything sent before has been dealt with. The guest has one processor and takes
   * each port's frames in their order, so an ARP probe's answer comes after all that the port's earlier
   * frames caused. Long frames leave a port a moment later than short ones, but not later than the
   * answer to a probe of that port: hence the second round.
   */
  private barrier(): void {
    for (let round = 0; round < 2; round++) {
      for (const port of this.ports) port.wire.send(port.probe.answered(0));
      for (const port of this.ports) {
        const end = Date.now() + BARRIER_MS;
        while (!port.wire.waitReadable(100) || !this.drain(port)) {
          if (Date.now() > end) throw new Error(`the guest does not answer on ${port.config.name}`);
        }
      }
    }
    for (const port of this.ports) this.drain(port);
  }

  /** What came out since it was last asked. */
  take(): GuestOutput[] {
    const taken = this.outputs.flat();
    this.outputs = [[]];
    return taken;
  }

  /**
   * Frames into a port, one after the other; answers what came out because of each. Between two of them go a probe that is
   * answered on the same port and one that is routed out of the other: the guest takes a port's frames in their order
   * and each port sends in the order it was given frames, so the probes part the outputs of both.
   */
  send(portName: string, frames: readonly Uint8Array[]): GuestOutput[][] {
    const port = this.ports.find((one) => one.config.name === portName);
    if (!port) throw new RangeError(`the guest has no port "${portName}"`);
    this.outputs = frames.map(() => []);
    frames.forEach((frame, index) => {
      if (index > 0) {
        port.wire.send(port.probe.answered(index));
        port.wire.send(port.probe.routed(index));
      }
      port.wire.send(frame);
    });
    this.barrier();
    for (const one of this.ports) {
      if (one.input !== frames.length - 1) throw new Error(`the guest lost probe ${one.input + 1} on ${one.config.name}`);
      one.input = 0;
    }
    const taken = this.outputs;
    this.outputs = [[]];
    return taken;
  }

  /** Moves the guest's time on; answers what time alone caused to be sent. */
  advance(seconds: number, strideSeconds: number): GuestOutput[] {
    for (let left = seconds; left > 1e-9;) {
      const coarse = left - FINE_SECONDS;
      const stride = Math.min(strideSeconds, ...(coarse > 1e-9 ? [coarse, STRIDE_MAX_SECONDS] : [left, FINE_STRIDE_SECONDS]));
      this.clock.advance(stride);
      for (let round = 0; round < STRIDE_ROUNDS; round++) this.tick();
      left -= stride;
    }
    for (let round = 0; round < SETTLE_ROUNDS; round++) this.tick();
    return this.take();
  }

  /** Has timers that are due fire: the guest takes its timer's signal before those of frames, so the barrier comes after. */
  private tick(): void {
    this.alarm();
    this.barrier();
  }

  /**
   * The timer's signal: what is due fires, and the timer is set anew. A guest that is just taking frames goes on with those that
   * come meanwhile before it takes a signal, and several signals are one then: nothing is sent before this one is taken.
   */
  private alarm(): void {
    const pid = (this.kernelPid ??= onlyChildOf(this.child));
    process.kill(pid, "SIGALRM");
    for (const end = Date.now() + BARRIER_MS; isAlarmWaiting(pid);) {
      if (Date.now() > end) throw new Error("the guest does not take its timer's signal");
      this.serial.waitReadable(1);
    }
  }

  private thaw(): void {
    if (!this.clock.stands) return;
    this.clock.thaw();
    this.alarm();
  }

  /** Runs a shell script; frames it causes wait for `take`. Time stands still unless the script waits for it. */
  run(script: string): CommandOutput {
    this.changed ||= needsReload(script);
    this.marked ||= setsMarks(script);
    return this.request(scriptRequest(script));
  }

  private request(pieces: readonly Buffer[]): CommandOutput {
    pieces.forEach((piece, index) => {
      if (index > 0) this.waitFor((received) => (received[0] === GO_ON ? 1 : undefined), COMMAND_MS);
      this.serial.send(piece);
    });
    const complete = (received: Buffer): number | undefined => {
      const header = readAnswerHeader(received);
      const total = header ? header.headerBytes + header.stdoutBytes + header.stderrBytes : Infinity;
      return total <= received.length ? total : undefined;
    };
    let answer = this.read(complete, TIMELESS_MS);
    if (!answer) {
      const stood = this.clock.stands;
      this.thaw();
      answer = this.waitFor(complete, COMMAND_MS);
      if (stood) this.clock.freeze();
    }
    this.barrier();
    const header = readAnswerHeader(answer);
    if (!header) throw new Error("an answer without a header");
    const texts = answer.subarray(header.headerBytes).toString("utf8");
    const stdout = answer.toString("utf8", header.headerBytes, header.headerBytes + header.stdoutBytes);
    return { exitCode: header.exitCode, stdout, stderr: texts.slice(stdout.length) };
  }

  private must(pieces: readonly Buffer[]): CommandOutput {
    const output = this.request(pieces);
    if (output.exitCode !== 0) throw new Error(`a script ended with ${output.exitCode}: ${output.stderr.trim()}`);
    return output;
  }

  /** What the settings of IPVS are before anybody changes them. */
  private learnSettings(): void {
    const listed = this.must(scriptRequest(SETTINGS_LISTING)).stdout.trim().split("\n");
    this.settings = new Map(listed.map((line) => line.split(":") as [string, string]));
  }

  /** Back to how it was after the boot: no service, no connection, no fragment, default settings. */
  reset(): void {
    this.must(programsRequest(clearPrograms(this.config, this.settings)));
    for (const seconds of CONNECTIONS_GONE_SECONDS) this.advance(seconds, seconds);
    for (let round = 0; this.connectionsLeft() > 0 && round < ROUNDS_MAX; round++) this.advance(ROUND_SECONDS, ROUND_SECONDS);
    for (let round = 0; round < SERVERS_GONE_ROUNDS; round++) this.advance(ROUND_SECONDS, ROUND_SECONDS);
    if (this.marked) this.request(scriptRequest(forgetMarks));
    this.marked = false;
    if (this.changed || this.connectionsLeft() > 0) {
      this.thaw();
      this.must(scriptRequest(reloadScript(this.config)));
      this.clock.freeze();
      this.changed = false;
    }
    this.align();
  }

  /** To the beginning of a grain of the kernel's timers: so each scenario finds them alike. */
  private align(): void {
    this.advance(secondsToGrain(this.timerList()), STRIDE_MAX_SECONDS);
  }

  private timerList(): string {
    return this.must(programsRequest([TICKS_PROGRAM])).stdout;
  }

  /** Ticks that its timers go by, the part of the current one that is over included. */
  ticks(): number {
    return ticksOf(this.timerList());
  }

  private connectionsLeft(): number {
    return this.must(programsRequest([["cat", "/proc/net/ip_vs_conn"]])).stdout.trim().split("\n").length - 1;
  }

  close(): void {
    // unshare was told to take the guest with it.
    this.child.kill("SIGKILL");
    for (const port of this.ports) port.wire.close();
    this.serial.close();
    this.clock.close();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
