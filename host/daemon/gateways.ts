// Ports by AF_XDP that NAT servers are behind and that do not say so: the servers' answers would go to the kernel.

import type { Names } from "../cli/context.js";
import { parseCommand } from "../cli/grammar.js";
import { parseAddress } from "../engine/address.js";
import { wordsOf } from "../config/apply.js";
import type { Config, PortConfig } from "../config/config.js";

/** A line for each server whose answers would be lost. The rules have been applied: every one of them can be read. */
export async function missingGateways(config: Config, names: Names): Promise<string[]> {
  const ports = config.ports.filter((port) => port.xdp && !port.xdp.isGateway);
  if (ports.length === 0) return [];
  const lines = await Promise.all(config.rules.map(async (rule) => {
    const { command, server } = await parseCommand(wordsOf(rule), "ipvsadm", names);
    if (command !== "add-server" || server.forward !== "masq") return [];
    const port = ports.find((one) => isBehind(one, server.address));
    if (port === undefined) return [];
    return [`${rule.where}: ${server.address} sends its answers to port ${port.name}, which leaves them to the kernel: give the port \`gateway: true\``];
  }));
  return lines.flat();
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
