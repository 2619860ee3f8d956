// What a result was measured on.

import { cpus, loadavg, release, totalmem } from "node:os";
import { spawnSync } from "node:child_process";

export function gccVersion(): string | undefined {
  const result = spawnSync("gcc", ["-dumpfullversion"], { encoding: "utf8" });
  return result.status === 0 ? result.stdout.trim() : undefined;
}

function commit(): string {
  const result = spawnSync("git", ["describe", "--always", "--dirty"], { encoding: "utf8" });
  return result.status === 0 ? result.stdout.trim() : "unknown";
}

/** One line for each thing that a figure depends on. */
export function describeMachine(): string[] {
  const processors = cpus();
  return [
    `- machine: ${processors.length} x ${processors[0]?.model.trim() ?? "unknown"}, ${Math.round(totalmem() / 2 ** 30)} GiB, Linux ${release()}`,
    `- Node ${process.version}, V8 ${process.versions.v8}, gcc ${gccVersion() ?? "not there"}`,
    `- date of the run: ${new Date().toISOString().slice(0, 16).replace("T", " ")} UTC, on top of commit ${commit()}`,
    `- load of the machine when it began (1, 5, 15 minutes): ${loadavg().map((load) => load.toFixed(1)).join(", ")}`,
  ];
}
