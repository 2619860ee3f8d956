// A real kernel, booted as a process: frames in and out by sockets, commands by a serial line, time by
// our own clock. It has no network but these sockets and lives no longer than we do.

import { spawn, type ChildProcess } from "node:child_process";
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Config, PortConfig } from "../../../host/daemon/config.js";
import { isBarrierReply, barrierProbe, isChatter } from "./barrier.js";
import { GuestClock } from "./clock.js";
import { networkScript, resetScript } from "./network.js";
import type { GuestFiles } from "./packages.js";
import { SOCK_SEQPACKET, SOCK_STREAM, SocketEnd } from "./socket.js";

const BOOT_MS = 60_000;
const COMMAND_MS = 60_000;
const BARRIER_MS = 10_000;
const MEMORY = "128M";
/** Periodic work shall happen as often as it would if time passed by itself. */
const STEP_SECONDS = 0.5;
/** What an interrupt needs to be seen, and three of the guest's ticks, after which its own count of time is right. */
const TIMER_MS = 1;
const SETTLE_MS = 30;
/** Longer than any fragment waits for the others of its packet. */
const FRAGMENTS_GONE_SECONDS = 70;

export interface GuestOutput { port: string; bytes: Buffer }
export interface CommandOutput { exitCode: number; stdout: string; stderr: string }

interface Port { config: PortConfig; wire: SocketEnd; probe: Buffer }

/** A booted kernel with the network of a configuration and an empty IPVS. */
export class Guest {
  private outputs: GuestOutput[] = [];
  private scripts = 0;
  private typed = "";

  private constructor(
    private readonly child: ChildProcess, private readonly ports: Port[], private readonly serial: SocketEnd,
    private readonly folder: string, readonly clock: GuestClock, private readonly config: Config,
  ) {}

  static boot(files: GuestFiles, config: Config): Guest {
    const folder = mkdtempSync(join(tmpdir(), "guest-"));
    mkdirSync(join(folder, "mailbox"));
    const clock = new GuestClock(join(folder, "clock"));
    const serial = SocketEnd.create(SOCK_STREAM);
    const ports = config.ports.map((port): Port => ({ config: port, wire: SocketEnd.create(SOCK_SEQPACKET), probe: barrierProbe(port) }));
    const child = start(files, folder, serial, ports);
    const guest = new Guest(child, ports, serial, folder, clock, config);
    try {
      guest.waitFor("ready", BOOT_MS);
      guest.must(networkScript(config));
      guest.barrier();
      guest.clock.freeze();
      guest.take();
      return guest;
    } catch (error) {
      const told = readFileSync(join(folder, "console"), "utf8").slice(-2000);
      guest.close();
      throw new Error(`the guest did not boot: ${(error as Error).message}\n${told}`);
    }
  }

  /** A line from the guest that begins with a word. */
  private waitFor(word: string, timeoutMs: number): string {
    for (const end = Date.now() + timeoutMs; Date.now() < end;) {
      const line = /^.*\n/.exec(this.typed)?.[0];
      if (line !== undefined) {
        this.typed = this.typed.slice(line.length);
        if (line.startsWith(word)) return line.trim();
        continue;
      }
      const more = this.serial.receive(100);
      if (more?.length === 0) throw new Error("the guest has ended");
      this.typed += more?.toString() ?? "";
      // A full socket would stop the guest.
      for (const port of this.ports) this.drain(port);
    }
    throw new Error(`no "${word}" from the guest`);
  }

  /** Takes all frames that wait at a port; true when the answer to a barrier was among them. */
  private drain(port: Port): boolean {
    let passed = false;
    for (let frame = port.wire.receive(0); frame !== undefined && frame.length > 0; frame = port.wire.receive(0)) {
      if (isBarrierReply(frame)) passed = true;
      else if (!isChatter(frame)) this.outputs.push({ port: port.config.name, bytes: frame });
    }
    return passed;
  }

  /**
   * Returns once everything sent before has been dealt with. The guest has one processor and takes
   * each port's frames in their order, so an ARP probe's answer comes after all that the port's earlier
   * frames caused. Long frames leave a port a moment later than short ones, but not later than the
   * answer to a probe of that port: hence the second round.
   */
  private barrier(): void {
    for (const port of [...this.ports, ...this.ports.slice(0, -1)]) {
      port.wire.send(port.probe);
      const end = Date.now() + BARRIER_MS;
      while (!port.wire.waitReadable(100) || !this.drain(port)) {
        if (Date.now() > end) throw new Error(`the guest does not answer on ${port.config.name}`);
      }
    }
    for (const port of this.ports) this.drain(port);
  }

  /** What came out since it was last asked. */
  take(): GuestOutput[] {
    const taken = this.outputs;
    this.outputs = [];
    return taken;
  }

  /** One frame into a port; answers what came out because of it. */
  send(portName: string, bytes: Uint8Array): GuestOutput[] {
    const port = this.ports.find((one) => one.config.name === portName);
    if (!port) throw new RangeError(`the guest has no port "${portName}"`);
    port.wire.send(bytes);
    this.barrier();
    return this.take();
  }

  /** Moves the guest's time on; answers what time alone caused to be sent. */
  advance(seconds: number, stepSeconds = STEP_SECONDS): GuestOutput[] {
    for (let left = seconds; left > 1e-9; left -= stepSeconds) {
      this.clock.advance(Math.min(left, stepSeconds));
      this.barrier();
      this.pause(TIMER_MS);
    }
    this.pause(SETTLE_MS);
    return this.take();
  }

  /** Lets timer interrupts come for some of the host's time, and what they do be done. */
  private pause(milliseconds: number): void {
    const wait = new Int32Array(new SharedArrayBuffer(4));
    Atomics.wait(wait, 0, 0, milliseconds);
    this.barrier();
  }

  /** Runs a shell script; frames it causes wait for `take`. Time runs meanwhile. */
  run(script: string): CommandOutput {
    const name = `script${++this.scripts}`;
    const path = join(this.folder, "mailbox", name);
    writeFileSync(`${path}.sh`, `${script}\n`);
    this.clock.thaw();
    this.serial.send(Buffer.from(`${name}\n`));
    const exitCode = Number(this.waitFor(`done ${name} `, COMMAND_MS).split(" ")[2]);
    this.clock.freeze();
    this.barrier();
    const [stdout = "", stderr = ""] = ["stdout", "stderr"].map((kind) => readFileSync(`${path}.${kind}`, "utf8"));
    for (const kind of ["sh", "stdout", "stderr"]) rmSync(`${path}.${kind}`);
    return { exitCode, stdout, stderr };
  }

  private must(script: string): void {
    const { exitCode, stderr } = this.run(script);
    if (exitCode !== 0) throw new Error(`a script ended with ${exitCode}: ${stderr.trim()}`);
  }

  /** Back to how it was after the boot: no service, no connection, no fragment, default settings. */
  reset(): void {
    this.advance(FRAGMENTS_GONE_SECONDS, FRAGMENTS_GONE_SECONDS / 5);
    this.must(resetScript(this.config));
    this.barrier();
    this.take();
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

/** Descriptors as the child sees them: 0 to 2, the serial line, then the ports. */
const SERIAL_FD = 3;
const FIRST_PORT_FD = 4;

function start(files: GuestFiles, folder: string, serial: SocketEnd, ports: Port[]): ChildProcess {
  const console = openSync(join(folder, "console"), "w");
  const words = [
    "--net", "--pid", "--fork", "--kill-child", "--mount-proc", files.kernel, `mem=${MEMORY}`,
    "root=/dev/root", "rootfstype=hostfs", `rootflags=${files.root}`, "ro", "init=/init",
    "con=null", "con0=null,fd:1", "ssl=null", `ssl0=fd:${SERIAL_FD}`,
    `uml_dir=${folder}/`, "umid=guest", "random.trust_cpu=on", `mailbox=${join(folder, "mailbox")}`,
    ...ports.map((port, index) => `vec${index}:transport=fd,fd=${FIRST_PORT_FD + index},mac=${port.config.mac},depth=128`),
  ];
  const child = spawn("unshare", words, {
    stdio: ["ignore", console, console, serial.peer, ...ports.map((port) => port.wire.peer)],
    env: { PATH: process.env["PATH"], TMPDIR: "/dev/shm", LD_PRELOAD: files.clock, GUEST_CLOCK: join(folder, "clock") },
  });
  closeSync(console);
  serial.closePeer();
  for (const port of ports) port.wire.closePeer();
  return child;
}
