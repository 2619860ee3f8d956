// The NICs of a configuration, looked at before anything is opened: what they are, and how many queues each worker has of them.

import { WORKERS_MAX } from "../../assembly/abi/limits.js";
import { readyNic, requireQueueEach, type NicOptions } from "../io/nic.js";
import { NIC_MTU_MAX, SOCKETS_MAX } from "../io/umem.js";
import type { Config, PortConfig } from "../config/config.js";

export type ReadyNic = ReturnType<typeof readyNic>;
/** NICs by the number of their port. */
export type ReadyNics = ReadonlyMap<number, ReadyNic>;
/** NICs shared by sockets that may have AF_XDP beside, by port; else why not. */
export interface Shorter { nics: ReadyNics; why: string }

/** The NICs of ports by AF_XDP. Throws in words when one cannot be had. */
export function readyNics(config: Config): ReadyNics {
  const ready = new Map<number, ReadyNic>();
  for (const port of config.ports) if (port.xdp) ready.set(port.index, inWords(port, () => readyNic(nicOptions(config, port))));
  return ready;
}

/** The most workers that can each have a queue of each NIC. */
export function queueEachMost(ready: ReadyNics): number {
  if (ready.size === 0) return WORKERS_MAX;
  return Math.min(WORKERS_MAX, Math.max(1, Math.floor(SOCKETS_MAX / ready.size)), ...Array.from(ready.values(), (nic) => nic.served));
}

/** Throws in words when the NICs have too few queues for the workers, or too many for all of them. */
export function requireQueues(config: Config, ready: ReadyNics, workers: number): void {
  for (const port of config.ports) {
    const nic = ready.get(port.index);
    if (nic) inWords(port, () => requireQueueEach(nicOptions(config, port), nic, workers));
  }
  const queues = countQueues(ready);
  if (queues > SOCKETS_MAX) throw new Error(`the NICs have ${queues} queues, ${SOCKETS_MAX} can be served: give ports fewer \`queues\``);
}

/** The most queues that one worker serves. They are dealt out, so the first has the most of each NIC. */
export function countQueuesEach(ready: ReadyNics, workers: number): number {
  return Array.from(ready.values(), (nic) => Math.ceil(nic.served / workers)).reduce((sum, queues) => sum + queues, 0);
}

function countQueues(ready: ReadyNics): number {
  return countQueuesEach(ready, 1);
}

/** With `driver: auto` sockets on NICs get AF_XDP beside them, if all can have it. */
export function findShorter(config: Config, ready: ReadyNics, workers: number): Shorter {
  const nics = new Map<number, ReadyNic>();
  if (config.driver !== "auto") return { nics, why: "" };
  if (workers > 1) return { nics, why: "several workers share what comes by sockets" };
  try {
    for (const port of config.ports.filter((one) => one.isNic)) {
      if (port.mtu > NIC_MTU_MAX) throw new Error(`port ${port.name}: an MTU above ${NIC_MTU_MAX}`);
      nics.set(port.index, readyNic({ ...nicOptions(config, port), queues: undefined }));
    }
    const queues = countQueues(nics) + countQueues(ready);
    if (queues > SOCKETS_MAX) throw new Error(`the NICs have ${queues} queues, ${SOCKETS_MAX} can be served`);
    return { nics, why: "" };
  } catch (error) {
    return { nics: new Map(), why: (error as Error).message };
  }
}

/** Packets of others that are taken in for firewall marks come to no address of ours: all that is sent to the NIC is looked at. */
export function nicOptions(config: Config, port: PortConfig): NicOptions {
  const { mode = "auto", queues, isGateway = false } = port.xdp ?? {};
  return { name: port.device, namespacePath: port.namespacePath, mode, queues, mtu: port.mtu, isGateway: isGateway || config.transparent.length > 0 };
}

/** What goes wrong with a port names it. */
export function inWords<T>(port: PortConfig, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw new Error(`port ${port.name}: ${(error as Error).message}`);
  }
}
