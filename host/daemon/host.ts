// The kernel's side of a host port: the hardware address that frames for the director's own kernel go to.

import { networkInterfaces } from "node:os";
import { readFileSync } from "node:fs";
import type { PortConfig } from "../config/config.js";

/** The address the kernel gave the device. It exists as soon as the device is open. */
export function hostPeerMac(port: PortConfig): string {
  const found = networkInterfaces()[port.device]?.[0]?.mac ?? readSysfs(port.device);
  if (found === undefined) throw new Error(`port ${port.name}: the hardware address of ${port.device} is not known; give it as peer-mac`);
  return found;
}

function readSysfs(device: string): string | undefined {
  try {
    return readFileSync(`/sys/class/net/${device}/address`, "utf8").trim();
  } catch {
    return undefined;
  }
}
