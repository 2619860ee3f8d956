// The process that a guest's kernel runs in: how it is started, and what can be seen of it from here.

import { spawn, type ChildProcess } from "node:child_process";
import { closeSync, openSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { GuestFiles } from "./packages.js";
import type { SocketEnd } from "./socket.js";

const MEMORY = "128M";

/** Descriptors as the child sees them: 0 to 2, the serial line, then the ports. */
const SERIAL_FD = 3;
const FIRST_PORT_FD = 4;

/** A network card of the guest's: its hardware address, and the wire that ends in it. */
export interface Card { mac: string; wire: SocketEnd }

/** Starts the kernel's process, which has no network but these cards. */
export function startKernel(files: GuestFiles, folder: string, serial: SocketEnd, cards: readonly Card[]): ChildProcess {
  const console = openSync(join(folder, "console"), "w");
  const words = [
    "--net", "--pid", "--fork", "--kill-child", "--mount-proc", files.kernel, `mem=${MEMORY}`,
    "root=/dev/root", "rootfstype=hostfs", `rootflags=${files.root}`, "ro", "init=/init",
    "con=null", "con0=null,fd:1", "ssl=null", `ssl0=fd:${SERIAL_FD}`,
    `uml_dir=${folder}/`, "umid=guest", "random.trust_cpu=on",
    ...cards.map(({ mac }, index) => `vec${index}:transport=fd,fd=${FIRST_PORT_FD + index},mac=${mac},depth=128`),
  ];
  const child = spawn("unshare", words, {
    stdio: ["ignore", console, console, serial.peer, ...cards.map(({ wire }) => wire.peer)],
    env: { PATH: process.env["PATH"], TMPDIR: "/dev/shm", LD_PRELOAD: files.clock, GUEST_CLOCK: join(folder, "clock") },
  });
  closeSync(console);
  serial.closePeer();
  for (const { wire } of cards) wire.closePeer();
  return child;
}

/** The parent of a process, undefined when there is no such process. */
function parentOf(pid: string): number | undefined {
  try {
    // Behind the name, which may hold anything: state and parent.
    return Number(/.*\) \S (\d+)/.exec(readFileSync(`/proc/${pid}/stat`, "utf8"))?.[1]);
  } catch {
    return undefined;
  }
}

/** The kernel's process, as seen from here: unshare starts it in a namespace of its own. */
export function onlyChildOf(parent: ChildProcess): number {
  const found = readdirSync("/proc").find((one) => /^\d+$/.test(one) && parentOf(one) === parent.pid);
  if (found === undefined) throw new Error("the guest has ended");
  return Number(found);
}

/** SIGALRM among the signals that a process has been sent and has not taken. */
const ALARM_BIT = 0x2000;

export function isAlarmWaiting(pid: number): boolean {
  const waiting = /^ShdPnd:\t([0-9a-f]+)$/m.exec(readFileSync(`/proc/${pid}/status`, "latin1"))?.[1];
  if (waiting === undefined) throw new Error("the guest has ended");
  return (Number.parseInt(waiting.slice(-8), 16) & ALARM_BIT) !== 0;
}
