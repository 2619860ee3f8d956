// Threads of the kernel that receive a director's packets on its own core, instead of whoever sent them.

import { spawnSync } from "node:child_process";
import { cpus } from "node:os";
import type { Namespace } from "../../../host/lab/namespace.js";
import { kernelThreads } from "../cpu.js";
import { OUT, peerDevice, type Hall } from "../hall.js";

/** /sys shows the network of whoever mounted it: a mount of our own, which goes with the shell. */
function setSys(namespace: Namespace, lines: string): void {
  namespace.output("unshare", ["--mount", "sh", "-ec", `mount -t sysfs none /sys\n${lines}`]);
}

/**
 * The client's packets are handled by a thread of their own instead of by whoever sent them; answers the
 * threads. A cable takes the way to that thread only when its other end cannot send long segments.
 */
export function giveThreads(hall: Hall, client: Namespace): number[] {
  const before = new Set(kernelThreads("napi/"));
  client.output("ethtool", ["-K", peerDevice(hall), "tso", "off"]);
  hall.namespace.output("ethtool", ["-K", OUT, "gro", "on"]);
  setSys(hall.namespace, `echo 1 > /sys/class/net/${OUT}/threaded`);
  const threads = kernelThreads("napi/").filter((pid) => !before.has(pid));
  if (threads.length === 0) throw new Error("this kernel gives these devices no threads of their own (threaded NAPI)");
  const core = String(cpus().length - 1);
  for (const pid of threads) {
    if (spawnSync("taskset", ["-pc", core, String(pid)]).status !== 0) throw new Error("threads of the kernel may not be bound to a core here");
  }
  return threads;
}
