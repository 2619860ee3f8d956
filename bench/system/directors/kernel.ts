// The kernel as a director: nftables picks a server by a counter and rewrites by connection tracking.

import { BULK_PORT, FLOOD_PORT, useKernelAddresses, WEB_PORT, type Hall } from "../hall.js";
import type { Contestant } from "./director.js";
import { giveThreads } from "./threads.js";

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
