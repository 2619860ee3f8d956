// Ports by AF_XDP that NAT servers are behind and that do not say so: the servers' answers would go to the kernel.

import { splitWords } from "../cli/words.js";
import { parseAddress } from "../engine/address.js";
import type { Config, PortConfig } from "./config.js";

/** A line for each server whose answers would be lost. */
export function missingGateways(config: Config): string[] {
  const ports = config.ports.filter((port) => port.xdp && !port.xdp.isGateway);
  if (ports.length === 0) return [];
  return config.rules.flatMap(({ text, where }) => {
    const server = natServer(text, config.defaultForward === "masq");
    const port = server === undefined ? undefined : ports.find((one) => isBehind(one, server));
    return port ? [`${where}: ${server} sends its answers to port ${port.name}, which leaves them to the kernel: give the port \`gateway: true\``] : [];
  });
}

/** The address of a server by NAT that a rule adds. */
function natServer(rule: string, isNatUsual: boolean): string | undefined {
  const words = splitWords(rule);
  const has = (...names: string[]): boolean => words.some((word) => names.includes(word));
  if (!has("-a", "--add-server") || has("-g", "--gatewaying", "-i", "--ipip")) return undefined;
  if (!isNatUsual && !has("-m", "--masquerading")) return undefined;
  const server = words[words.findIndex((word) => word === "-r" || word === "--real-server") + 1] ?? "";
  const address = server.startsWith("[") ? server.slice(1, server.indexOf("]")) : server.replace(/:[^:]*$/, "");
  return parseAddress(address) ? address : undefined;
}

/** True when an address is in the network of one of a port's. */
function isBehind(port: PortConfig, address: string): boolean {
  const wanted = parseAddress(address);
  return port.addresses.some((text) => {
    const [own = "", bits] = text.split("/");
    const parsed = parseAddress(own);
    if (!parsed || !wanted || parsed.family !== wanted.family || bits === undefined) return false;
    // IPv4 lies in the last four of sixteen bytes.
    const length = Number(bits) + (parsed.family === 4 ? 96 : 0);
    return Array.from(parsed.bytes).every((byte, index) => {
      const mask = (0xff << (8 - Math.min(8, Math.max(0, length - index * 8)))) & 0xff;
      return (byte & mask) === ((wanted.bytes[index] ?? 0) & mask);
    });
  });
}
