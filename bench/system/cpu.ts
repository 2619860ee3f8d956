// Processor time of processes and of kernel threads, to the nanosecond where the kernel keeps it.

import { readdirSync, readFileSync } from "node:fs";

const TICK_SECONDS = 0.01; // USER_HZ, the same on every Linux

function read(path: string): string | undefined {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return undefined; // it has just ended
  }
}

function list(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

/** A process and all its descendants. */
export function family(pid: number): number[] {
  const children = list(`/proc/${pid}/task`).flatMap((task) => (read(`/proc/${pid}/task/${task}/children`) ?? "").trim().split(" "));
  return [pid, ...children.filter((text) => text !== "").flatMap((text) => family(Number(text)))];
}

function taskSeconds(folder: string): number {
  const nanoseconds = read(`${folder}/schedstat`)?.split(" ")[0];
  if (nanoseconds !== undefined) return Number(nanoseconds) / 1e9;
  const fields = read(`${folder}/stat`)?.split(") ")[1]?.split(" ") ?? [];
  return (Number(fields[11] ?? 0) + Number(fields[12] ?? 0)) * TICK_SECONDS;
}

/** Seconds that all threads of these processes have used, what the kernel did in their calls included. */
export function cpuSeconds(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum
    + list(`/proc/${pid}/task`).reduce((all, task) => all + taskSeconds(`/proc/${pid}/task/${task}`), 0), 0);
}

/** Kernel threads whose name begins so. */
export function kernelThreads(prefix: string): number[] {
  return list("/proc").filter((name) => /^\d+$/.test(name) && (read(`/proc/${name}/comm`) ?? "").startsWith(prefix)).map(Number);
}
