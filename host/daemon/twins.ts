// Addresses that the director has and its machine's kernel, too: both answer for them, and clients reach now the one, now the other.

import type { PortConfig } from "../config/config.js";
import { parseAddress } from "../engine/address.js";
import { kernelAddresses } from "../io/nic.js";

const keyOf = (address: string): string => parseAddress(address.split("/")[0] ?? "")?.bytes.join() ?? "";

/** A line for each of them. A port that leads to the kernel makes them right: the virtual address is there for the local node. */
export function twinAddresses(ports: readonly PortConfig[]): string[] {
  if (ports.some((port) => port.isHost)) return [];
  return ports.flatMap((port) => {
    const kernels = new Map(kernelAddresses(port.namespacePath).map((one) => [keyOf(one.address), one]));
    return port.addresses.flatMap((address) => {
      const twin = kernels.get(keyOf(address));
      return twin === undefined ? [] : [`port ${port.name}: the kernel has ${twin.address} too, on ${twin.device}, and answers for it: ` +
        `take it away there (ip addr del ${twin.prefix} dev ${twin.device})`];
    });
  });
}
