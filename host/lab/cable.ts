// A director on NICs instead of TAPs: cables from its own namespace to the laboratory's segments.

import { MapKind, makeMap } from "../io/sys/bpf.js";
import { close } from "../io/sys/libc.js";
import type { Network } from "./network.js";

/** The director's ends. */
export const NIC_OUT = "eth-out";
export const NIC_IN = "eth-in";

/** Lays a cable from the director's kernel to a segment; its ends have so many queues each. */
export function layCable({ wire, director }: Network, name: string, bridge: string, queues = 1): void {
  const both = `numtxqueues ${queues} numrxqueues ${queues}`;
  wire.ip([
    `link add name far-${name} ${both} type veth peer name ${name} ${both} netns ${director.pid}`,
    `link set dev far-${name} master ${bridge} up`,
  ]);
  director.ip([`link set dev ${name} up`]);
}

/** Why XDP programs cannot be loaded here; false when they can: an ordinary user's namespaces do not allow it. */
export function lackingXdp(): string | false {
  try {
    close(makeMap(MapKind.Sockets, 4, 4, 1));
    return false;
  } catch (error) {
    return (error as Error).message;
  }
}
