// The recordings' network as traffic sees it: who is where, and a farm of services made at random.

import type { Random } from "./random.js";

export type Family = 4 | 6;
export type Method = "m" | "g" | "i";

export const MAC_OUT = "02:00:00:00:01:01";
export const MAC_IN = "02:00:00:00:02:01";
const MAC_CLIENT = "02:00:00:00:01:c1";
const MAC_GATEWAY = "02:00:00:00:01:fe";
export const MAC_INNER_GATEWAY = "02:00:00:00:02:fe";
export const VIRTUAL: Record<Family, string> = { 4: "10.0.1.100", 6: "fd00:1::100" };
export const SERVERS_MAX = 20;

/** The director's own address on the servers' side: a server there is the director itself, and tunnels come from there. */
export const OWN: Record<Family, string> = { 4: "10.0.2.1", 6: "fd00:2::1" };

export function serverAddress(family: Family, n: number): string {
  return family === 4 ? `10.0.2.${10 + n}` : `fd00:2::${10 + n}`;
}

export function serverMac(n: number): string {
  return `02:00:00:00:02:${(10 + n).toString(16).padStart(2, "0")}`;
}

/** A client of the director's own net, or one behind its gateway. */
export function clientAddress(family: Family, n: number): string {
  if (n === 0) return family === 4 ? "10.0.1.50" : "fd00:1::50";
  return family === 4 ? `198.18.${n % 7}.${1 + ((n * 37) % 250)}` : `2001:db8:c::${(n * 37).toString(16)}`;
}

export function clientMac(address: string): string {
  return address === "10.0.1.50" || address === "fd00:1::50" ? MAC_CLIENT : MAC_GATEWAY;
}

export interface Service {
  family: Family;
  protocol: "tcp" | "udp";
  port: number;
  method: Method;
  /** Servers have methods by their numbers. */
  mixed: boolean;
  key: string;
  /** Those it may have, by number; 0 is the director itself. */
  servers: number[];
  serverFamily: Family;
  serverPort: number;
  tunnel: string;
  /** An operator took it away, and may bring it back. */
  gone: boolean;
}

const SCHEDULERS = ["rr", "wrr", "lc", "wlc", "lblc", "lblcr", "dh", "sh", "sed", "nq", "fo", "ovf", "mh"];
const TUNNELS = [
  "", " --tun-type ipip", " --tun-type gre", " --tun-type gre --tun-csum", " --tun-type gue --tun-port 6080", " --tun-type gue --tun-port 6080 --tun-csum",
  " --tun-type gue --tun-port 7777 --tun-nocsum", " --tun-type gre --tun-nocsum",
];
const METHODS = [[6, "m"], [2, "g"], [2, "i"]] as const;
const MIXED: readonly Method[] = ["m", "g", "i"];
const NETMASKS: Record<Family, readonly string[]> = { 4: ["255.255.255.0", "255.255.255.0", "255.255.0.0", "255.255.255.240"], 6: ["64", "64", "120", "48"] };
const WEIGHTS = [0, 1, 1, 1, 1, 2, 2, 3, 5, 100];

/**
 * Timeouts of templates: due, for the kernel, when no connection's timer is (grain.test.ts). Of two that are due together only its
 * lists know which comes first, and a template goes on for another minute when its last connection comes second.
 */
export const PERSISTENCE_SECONDS = [51, 97, 266] as const;

/** Flags a scheduler takes after `-b`. */
function schedulerFlags(random: Random, scheduler: string): string {
  if ((scheduler !== "sh" && scheduler !== "mh") || random.chance(40)) return "";
  return ` -b ${random.pick([`${scheduler}-port`, `${scheduler}-fallback`, `${scheduler}-port,${scheduler}-fallback`])}`;
}

/** `-s` and what goes with it, persistence included. */
export function schedulingWords(random: Random, family: Family, udp: boolean): string {
  const scheduler = random.pick(SCHEDULERS);
  const persistence = random.chance(25) ? ` -p ${random.pick(PERSISTENCE_SECONDS)}${random.chance(40) ? ` -M ${random.pick(NETMASKS[family])}` : ""}` : "";
  const onePacket = udp && random.chance(15) ? " -o" : "";
  return `-s ${scheduler}${schedulerFlags(random, scheduler)}${persistence}${onePacket}`;
}

/**
 * A server keeps its method: where it had a tunnel, a kernel looks for the virtual address on the servers' side for connections of direct
 * routing, as long as it remembers the tunnel's way (docs/IPVSADM.md, "What differs").
 */
function methodOf(service: Service, n: number): Method {
  return service.mixed ? MIXED[n % MIXED.length] ?? "m" : service.method;
}

export function serverWords(random: Random, service: Service, n: number): string {
  const address = n === 0 ? OWN[service.serverFamily] : serverAddress(service.serverFamily, n);
  const method = methodOf(service, n);
  const port = method === "m" ? service.serverPort : service.port;
  const shown = service.serverFamily === 4 ? `${address}:${port}` : `[${address}]:${port}`;
  const limits = random.chance(15) ? ` -x ${random.pick([2, 5])} -y ${random.below(3)}` : "";
  return `${service.key} -r ${shown} -${method}${method === "i" ? service.tunnel : ""} -w ${random.pick(WEIGHTS)}${limits}`;
}

/** A service that a scenario starts with, without servers yet. */
export function makeService(random: Random, port: number): Service {
  const family: Family = random.chance(35) ? 6 : 4;
  const protocol = random.chance(35) ? "udp" : "tcp";
  const shown = family === 4 ? VIRTUAL[4] : `[${VIRTUAL[6]}]`;
  const method = random.weighted<Method>(METHODS);
  const other: Family = family === 4 ? 6 : 4;
  const serverFamily = method === "i" && random.chance(20) ? other : family;
  return {
    family, protocol, port, method, mixed: serverFamily === family && random.chance(10), gone: false, serverFamily,
    key: `-${protocol[0]} ${shown}:${port}`, servers: [],
    serverPort: random.chance(50) ? port : 8080, tunnel: random.pick(TUNNELS),
  };
}
