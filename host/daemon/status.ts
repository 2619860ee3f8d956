// What `lvsadm status` shows of a running director: its version, and each port with the driver that serves it.

import { readFileSync } from "node:fs";
import { getSystemErrorMap } from "node:util";
import type { Config, PortConfig } from "../config/config.js";
import { socketStatistics } from "../io/sys/xsk.js";
import type { PortRow, QueueRow } from "../protocol.js";
import type { Pump } from "../pump/pump.js";
import type { Links } from "./links.js";
import type { Ports } from "./ports.js";

/** The package's version, as `status` shows it. */
export function packageVersion(): string {
  const text = readFileSync(new URL("../../../package.json", import.meta.url), "utf8");
  return (JSON.parse(text) as { version: string }).version;
}

/** Ports by index; place 0 is nobody's. */
export function portRows(config: Config, pump: Pump, ports: Ports, links: Links): (PortRow | undefined)[] {
  return [undefined, ...config.ports.map((port) => portRow(port, pump, ports, links))];
}

function portRow({ index, name, mac, mtu, device, addresses }: PortConfig, pump: Pump, ports: Ports, links: Links): PortRow {
  const refused = pump.refused(index);
  const driver = pump.drivers.find((one) => one.port === index);
  return {
    name, mac, mtu, device, addresses, driver: driver?.name ?? "none", driverReason: driver === undefined ? "not started" : reasonOf(driver),
    steering: ports.steeringOf(index), up: links.isUp(index), deviceMtu: links.mtuOf(index),
    refusedFrames: refused.frames, refusedError: errorName(refused.errno), queues: driver?.sockets.flatMap(queueRow) ?? [],
  };
}

function reasonOf({ why, lacks }: { why: string; lacks?: string | undefined }): string {
  return lacks ? `${why}; just now without AF_XDP: ${lacks}` : why;
}

function queueRow({ queue, descriptor }: { queue: number; descriptor: number }): QueueRow[] {
  const statistics = socketStatistics(descriptor);
  return statistics ? [{ queue, ...statistics }] : [];
}

function errorName(errno: number): string {
  return errno === 0 ? "" : getSystemErrorMap().get(-errno)?.[0] ?? `errno ${errno}`;
}
