// Reads a configuration file. Every mistake is told with its file, line and field, all at once.

import { createHash } from "node:crypto";
import { hostname } from "node:os";
import { LineCounter, parseDocument } from "yaml";
import type { z } from "zod";
import type { DaemonSpec, ForwardName } from "../protocol.js";
import { parseAddress } from "../engine/address.js";
import type { DriverChoice } from "../io/driver.js";
import type { NicMode } from "../io/nic.js";
import { SOCKETS_MAX } from "../io/umem.js";
import { ConfigError, linesOf, Locator, readText, type Path, type RuleLine } from "./locator.js";
import { readMarks, type PortMark } from "./marks.js";
import { configSchema, type ConfigText, type PortText, type RouteText, type WorkersChoice } from "./schema.js";
import { wordsFor } from "./words.js";

export interface PortConfig {
  name: string;
  /** Its place in the engine, from 1. */
  index: number;
  mac: string;
  mtu: number;
  device: string;
  addresses: string[];
  isHost: boolean;
  /** The device exists and is the kernel's too; else lvsd makes it. */
  isNic: boolean;
  peerMac: string | undefined;
  /** Where the device appears; the director's own network without it. */
  namespacePath: string | undefined;
  /** By AF_XDP: `mac` is the device's own, not known before it is looked at. */
  xdp: { mode: NicMode; queues: number | undefined; isGateway: boolean } | undefined;
}

export interface Config {
  file: string;
  socketPath: string | undefined;
  tableBits: number;
  defaultForward: ForwardName;
  driver: DriverChoice;
  workers: WorkersChoice;
  logLevel: "debug" | "info" | "warn" | "error";
  ports: PortConfig[];
  routes: { to: string; via: string | undefined; port: number }[];
  /** Nets of others whose packets are taken in for firewall marks. */
  transparent: string[];
  neighbors: { address: string; mac: string; port: number }[];
  marks: PortMark[];
  /** One number each; of sync_threshold two. */
  sysctls: Record<string, number[]>;
  daemons: { spec: DaemonSpec; port: number }[];
  ftpPorts: number[];
  rules: RuleLine[];
}

const FORWARDS: Record<ConfigText["default-forward"], ForwardName> = { nat: "masq", tun: "tunnel", dr: "route" };

/** Reads and checks a file. Throws a ConfigError that lists everything wrong with it. */
export function readConfig(file: string): Config {
  const lines = new LineCounter();
  const document = parseDocument(readText(file), { lineCounter: lines, prettyErrors: false });
  const locator = new Locator(file, document, lines);
  if (document.errors.length > 0) {
    throw new ConfigError(document.errors.map((error) => `${file}:${lines.linePos(error.pos[0]).line}: ${error.message}`));
  }
  const parsed = configSchema.safeParse(document.toJS() ?? {}, { error: wordsFor });
  if (!parsed.success) throw new ConfigError(parsed.error.issues.flatMap((issue) => explain(issue, locator)));
  return assemble(parsed.data, locator);
}

/** A mistake by line and field; `above` leads to where the issue's own path begins. */
function explain(issue: z.core.$ZodIssue, locator: Locator, above: Path = []): string[] {
  const path = [...above, ...issue.path];
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => locator.problem([...path, key], "is not a field that exists here"));
  }
  // Of several forms that a field may have, the one it was meant to have is wrong further in.
  const meant = issue.code === "invalid_union" ? issue.errors.find((form) => form.every((one) => one.path.length > 0)) : undefined;
  return meant?.flatMap((one) => explain(one, locator, path)) ?? [locator.problem(path, issue.message)];
}

function assemble(text: ConfigText, locator: Locator): Config {
  const places = new Map(text.ports.map((port, index) => [port.name, index + 1]));
  const problems = [
    ...text.ports.flatMap((_, index) => portProblems(text.ports, index, locator)),
    ...sharedAddresses(text, locator), ...tooFewQueues(text, locator), ...twiceRouted(text, locator),
  ];
  const portAt = (name: string, path: Path): number => {
    const index = places.get(name);
    if (index === undefined) problems.push(locator.problem(path, `there is no port "${name}"`));
    return index ?? 0;
  };
  const config: Config = {
    file: locator.file, socketPath: text["control-socket"], tableBits: text["table-bits"],
    defaultForward: FORWARDS[text["default-forward"]], driver: text.driver, workers: text.workers, logLevel: text["log-level"],
    ports: text.ports.map((port, index) => portConfig(port, index + 1)),
    routes: text.routes.map((route, index) => ({
      to: targetOf(route),
      via: route.via, port: portAt(route.port, ["routes", index, "port"]),
    })),
    transparent: text.transparent,
    neighbors: text.neighbors.map((one, index) => ({ address: one.address, mac: one.mac, port: portAt(one.port, ["neighbors", index, "port"]) })),
    marks: readMarks(text.marks, locator, places, problems),
    daemons: daemonsOf(text.sync, portAt), sysctls: text.sysctl, ftpPorts: text["ftp-ports"], rules: linesOf("rules", text.rules, locator),
  };
  if (problems.length > 0) throw new ConfigError(problems);
  return config;
}

/** A route's prefix; the default one's family is its gateway's. */
function targetOf(route: RouteText): string {
  return route.to === "default" ? (route.via?.includes(":") ? "::/0" : "0.0.0.0/0") : route.to;
}

/** What is wrong with a port as one of several, or as one that leads to the director's own kernel. */
function portProblems(ports: readonly PortText[], index: number, locator: Locator): string[] {
  const port = ports[index] as PortText;
  const problems: string[] = [];
  const complain = (field: string | undefined, message: string): void =>
    void problems.push(locator.problem(["ports", index, ...(field === undefined ? [] : [field])], message));
  const before = ports.slice(0, index);
  if (before.some((other) => other.name === port.name)) complain("name", `there already is a port "${port.name}"`);
  if (port.kind === "host" && port["peer-mac"] === undefined && port.device === undefined) {
    complain(undefined, "a host port needs a device, or the peer-mac of its kernel side");
  }
  if (port.kind === "host" && port.attach !== "tap") complain("attach", "a host port is a TAP");
  const device = (one: PortText): string => `${one.namespace ?? ""} ${one.device ?? one.name}`;
  // Only sockets share a device.
  const twin = port.attach === "nic" ? undefined : before.find((other) => other.attach === port.attach && device(other) === device(port));
  if (twin) complain("device", `port "${twin.name}" has this device`);
  return problems;
}

function twiceRouted({ routes }: ConfigText, locator: Locator): string[] {
  return routes.flatMap((route, index) => (routes.findIndex((other) => targetOf(other) === targetOf(route)) === index ? []
    : [locator.problem(["routes", index, "to"], `there already is a route to ${targetOf(route)}`)]));
}

/** Addresses that two ports have, or one port twice. */
function sharedAddresses(text: ConfigText, locator: Locator): string[] {
  const owners = new Map<string, string>();
  return text.ports.flatMap((port, index) => port.addresses.flatMap((prefix, place) => {
    const key = parseAddress(prefix.split("/")[0] ?? "")?.bytes.join() ?? "";
    const owner = owners.get(key);
    owners.set(key, port.name);
    return owner === undefined ? [] : [locator.problem(["ports", index, "addresses", place], `port "${owner}" has ${prefix} already`)];
  }));
}

/** Each worker serves a queue of its own of each port by AF_XDP. */
function tooFewQueues({ workers, ports }: ConfigText, locator: Locator): string[] {
  if (workers === "auto" || workers === 1) return [];
  const wanted = ports.filter(({ attach }) => attach === "xdp").length * workers;
  const problems = ports.flatMap(({ queues = workers }, index) =>
    (queues < workers ? [locator.problem(["ports", index, "queues"], `is less than the ${workers} workers, each of which needs a queue of its own`)] : []));
  const tooMany = `${workers} workers need ${wanted} queues of the ports by AF_XDP, and ${SOCKETS_MAX} can be served`;
  if (wanted > SOCKETS_MAX) problems.push(locator.problem(["workers"], tooMany));
  return problems;
}

/** The same machine and port name give the same hardware address every time. */
function ownMac(name: string): string {
  const digest = createHash("sha256").update(`${hostname()} ${name}`).digest();
  return ["02", ...Array.from(digest.subarray(0, 5), (byte) => byte.toString(16).padStart(2, "0"))].join(":");
}

function portConfig(port: PortText, index: number): PortConfig {
  return {
    name: port.name, index, mac: port.mac ?? ownMac(port.name), mtu: port.mtu, device: port.device ?? port.name,
    addresses: port.addresses, isHost: port.kind === "host", isNic: port.attach === "nic", peerMac: port["peer-mac"], namespacePath: port.namespace,
    xdp: port.attach === "xdp" ? { mode: port.mode ?? "auto", queues: port.queues, isGateway: port.gateway ?? false } : undefined,
  };
}

function daemonsOf(text: ConfigText["sync"], portAt: (name: string, path: Path) => number): Config["daemons"] {
  return (["master", "backup"] as const).flatMap((role) => {
    const one = text[role];
    if (one === undefined) return [];
    const spec: DaemonSpec = {
      role, interface: one.port, syncId: one.id, messageBytes: one["max-bytes"] ?? 0, group: one.group, udpPort: one["udp-port"], timeToLive: one.ttl,
    };
    return [{ spec, port: portAt(one.port, ["sync", role, "port"]) }];
  });
}
