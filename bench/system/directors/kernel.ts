// The kernel as a director: nftables picks a server by a counter and rewrites by connection tracking.

import { spawnSync } from "node:child_process";
import { cpus } from "node:os";
import type { Namespace } from "../../../host/lab/namespace.js";
import { kernelThreads } from "../cpu.js";
import { BULK_PORT, FLOOD_PORT, OUT, peerDevice, useKernelAddresses, WEB_PORT, type Hall } from "../hall.js";
import type { Contestant } from "./director.js";

function rules(hall: Hall): string {
  const map = `numgen inc mod ${hall.servers.length} map { ${hall.servers.map(({ address }, index) => `${index} : ${address}`).join(", ")} }`;
  return `table ip balance {
    chain prerouting {
      type nat hook prerouting priority -100;
      ip daddr ${hall.virtual} tcp dport ${WEB_PORT} dnat to ${map}
      ip daddr ${hall.virtual} tcp dport ${BULK_PORT} dnat to ${hall.servers[0]?.address}
      ip daddr ${hall.virtual} udp dport ${FLOOD_PORT} dnat to ${map}
    }
  }`;
}

function balance(hall: Hall): void {
  useKernelAddresses(hall);
  hall.namespace.output("nft", [rules(hall)]);
}

/** /sys shows the network of whoever mounted it: a mount of our own, which goes with the shell. */
function setSys(namespace: Namespace, lines: string): void {
  namespace.output("unshare", ["--mount", "sh", "-ec", `mount -t sysfs none /sys\n${lines}`]);
}

/**
 * The client's packets are handled by a thread of their own instead of by whoever sent them; answers the
 * threads. A cable takes the way to that thread only when its other end cannot send long segments.
 */
function giveThreads(hall: Hall, client: Namespace): number[] {
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

export const nft: Contestant = {
  name: "nft", about: "kernel nftables DNAT (numgen map), in the interrupts of whoever sends", tools: ["nft"], takes: ["streams", "packets"],
  start: async (hall) => {
    balance(hall);
    return { pids: () => [], programs: [] };
  },
};

export const nftThreads: Contestant = {
  name: "nft-core", about: "the same with a core of its own (threaded NAPI)", tools: ["nft", "ethtool", "taskset"], takes: ["packets"],
  start: async (hall, { client }) => {
    balance(hall);
    const threads = giveThreads(hall, client);
    return { pids: () => threads, programs: [] };
  },
};
