// The command language of 1999 (ippfvsadm): servers are added to a virtual service that comes and goes
// with them, and the way packets travel is the director's, not the command's.

import type { ControlFailure, ServerSpec, ServiceProtocol, ServiceRow, ServiceSpec } from "../protocol.js";
import { CommandFailure, failed, misused, succeeded, type CommandContext, type CommandResult } from "./context.js";
import { readEndpoint, wholeNumber, type Endpoint } from "./endpoints.js";
import { REFUSALS } from "./ipvsadm.js";
import { sameService, sorted } from "./print.js";

const USAGE = `ippfvsadm: administration of the virtual server

  ippfvsadm -A -t|-u VIP[:port] -R RIP[:port] [-w weight]   add a real server
  ippfvsadm -D -t|-u VIP[:port] -R RIP[:port]               delete a real server
  ippfvsadm -C                                              clear the table
  ippfvsadm -L                                              list the table
  ippfvsadm -h                                              this help

-R 127.0.0.1 is the director itself (local node). Packets travel by the method the director is set to.
`;
/** A virtual server of all ports keeps a client with one server, as in 1999. */
const ALL_PORTS_TIMEOUT_S = 300;

interface Order {
  command: "A" | "D" | "C" | "L" | "h" | "";
  protocol: ServiceProtocol | "";
  virtual?: Endpoint;
  real?: Endpoint;
  weight?: number;
}

async function readOrder(words: readonly string[], context: CommandContext): Promise<Order> {
  const order: Order = { command: "", protocol: "" };
  const letters = words.flatMap((word) => (/^-[ADCLh]{2,}$/.test(word) ? [...word.slice(1)].map((letter) => `-${letter}`) : [word]));
  for (let at = 0; at < letters.length; at++) {
    const word = letters[at] ?? "";
    const found = /^-([ADCLhtuRw])(.*)$/.exec(word);
    if (!found) throw misused("unknown arguments found on commandline");
    const [, letter = "", glued = ""] = found;
    if ("ADCLh".includes(letter)) {
      if (order.command !== "") throw misused("multiple commands specified");
      order.command = letter as Order["command"];
      continue;
    }
    const argument = glued === "" ? letters[++at] : glued;
    await applyArgument(order, letter, argument, context);
  }
  return order;
}

async function applyArgument(order: Order, letter: string, argument: string | undefined, context: CommandContext): Promise<void> {
  if (letter === "w") {
    if (order.weight !== undefined) throw misused("multiple server weights specified");
    const weight = wholeNumber(argument ?? "", 0, 2147483647);
    if (weight === undefined) throw misused("illegal weight specified");
    order.weight = weight;
    return;
  }
  const protocol = letter === "u" ? "udp" : letter === "t" ? "tcp" : order.protocol || "tcp";
  const endpoint = await readEndpoint(argument ?? "", protocol, context.names);
  if (letter === "R") {
    if (order.real) throw misused("multiple destinations specified");
    if (!endpoint) throw misused("illegal destination specified");
    order.real = endpoint;
    return;
  }
  if (order.protocol !== "") throw misused("multiple protocols specified");
  order.protocol = protocol;
  if (!endpoint) throw misused("illegal virtual server address:port specified");
  order.virtual = endpoint;
}

function checkOrder(order: Order): void {
  if (order.command === "") throw misused("insufficient options specified");
  const needsServer = order.command === "A" || order.command === "D";
  if (needsServer && (!order.virtual || !order.real)) throw misused("insufficient options specified");
  if (!needsServer && (order.virtual || order.real || order.weight !== undefined)) throw misused("incompatible options specified");
  if (order.command === "D" && order.weight !== undefined) throw misused("incompatible options specified");
}

/** Runs one command line of 1999. */
export async function runIppfvsadm(words: readonly string[], context: CommandContext): Promise<CommandResult> {
  try {
    const order = await readOrder(words, context);
    checkOrder(order);
    switch (order.command) {
      case "h": return succeeded(USAGE);
      case "L": return succeeded(listing(await table(context)));
      case "C": {
        const reply = await context.director.request({ do: "flush" });
        return reply.ok ? succeeded() : refuse(reply.error);
      }
      case "A": return await addServer(order, context);
      default: return await deleteServer(order, context);
    }
  } catch (error) {
    if (error instanceof CommandFailure) return failed(new CommandFailure(error.exitCode, `ippfvsadm: ${error.message}`, error.usage));
    throw error;
  }
}

function refuse(error: ControlFailure): never {
  throw new CommandFailure(1, `the director refuses: ${REFUSALS[error]}`);
}

async function table(context: CommandContext): Promise<ServiceRow[]> {
  const reply = await context.director.request({ do: "table" });
  return reply.ok ? reply.value.services : refuse(reply.error);
}

function serviceOf(order: Order): ServiceSpec {
  const virtual = order.virtual as Endpoint;
  return {
    protocol: order.protocol as ServiceProtocol, family: virtual.family, address: virtual.address, port: virtual.port, fwmark: 0,
    scheduler: "wrr", schedulerFlags: 0, persistent: virtual.port === 0,
    timeoutSeconds: virtual.port === 0 ? ALL_PORTS_TIMEOUT_S : 0,
    netmask: virtual.family === 4 ? "255.255.255.255" : "128", persistenceEngine: "", onePacket: false,
  };
}

async function addServer(order: Order, context: CommandContext): Promise<CommandResult> {
  const { director } = context;
  const service = serviceOf(order);
  const real = order.real as Endpoint;
  const configured = await director.request({ do: "default-forward" });
  const forward = real.address === "127.0.0.1" ? "local" : configured.ok ? configured.value : "masq";
  const server: ServerSpec = {
    ...real, port: forward === "masq" && real.port !== 0 ? real.port : service.port, forward, weight: order.weight ?? 1,
    upperThreshold: 0, lowerThreshold: 0, tunnel: "ipip", tunnelPort: 0, tunnelFlags: 0,
  };
  const created = await director.request({ do: "service-add", service });
  if (!created.ok && created.error !== "exists") refuse(created.error);
  const added = await director.request({ do: "server-add", service, server });
  if (added.ok) return succeeded();
  if (created.ok) await director.request({ do: "service-delete", service });
  return refuse(added.error);
}

async function deleteServer(order: Order, context: CommandContext): Promise<CommandResult> {
  const service = serviceOf(order);
  const real = order.real as Endpoint;
  const server = { ...real, port: real.port !== 0 ? real.port : service.port };
  const reply = await context.director.request({ do: "server-delete", service, server });
  if (!reply.ok) return refuse(reply.error);
  const left = (await table(context)).find((row) => sameService(row, service));
  if (left && left.servers.length === 0) await context.director.request({ do: "service-delete", service });
  return succeeded();
}

function listing(services: readonly ServiceRow[]): string {
  const line = (cells: readonly (string | number)[]): string => {
    const [protocol = "", virtual = "", port = "", real = "", realPort = "", weight = ""] = cells.map(String);
    return `${protocol.padEnd(9)} ${virtual.padEnd(19)} ${port.padEnd(5)} ${real.padEnd(16)} ${realPort.padEnd(5)} ${weight}\n`;
  };
  const rows = sorted(services).flatMap((service) => service.servers.map((server) =>
    line([service.protocol.toUpperCase(), service.address, service.port, server.address, server.port, server.weight])));
  return line(["Protocol", "Virtual IP Address", "Port", "Real IP Address", "Port", "Weight"]) + rows.join("");
}
