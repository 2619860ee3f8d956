// One ipvsadm command line as something that can be done: every check the real program makes before
// it asks the kernel, in the same order, with the same texts (recording cli).

import type { DaemonRole, DaemonSpec, ForwardName, ServerSpec, ServiceProtocol, ServiceSpec, TunnelName } from "../protocol.js";
import { isGroup } from "../engine/address.js";
import { CommandFailure, misused, type Names } from "./context.js";
import { readAddress4, readEndpoint, wholeNumber } from "./endpoints.js";
import { LIST_EXCLUSIVE, OPTIONS, RULES, type Command, type Option } from "./options.js";
import { parseFlags } from "./flags.js";
import { readWords, tryHelp, type Given } from "./words.js";

const TIMEOUT_MAX_S = 86400 * 31;
const PERSISTENT_DEFAULT_S = 360;
const INT_MAX = 2147483647;
const MARK_MAX = 4294967295;
/** What one datagram holds. */
const MESSAGE_BYTES_MAX = 65507;

export interface Parsed {
  command: Command;
  options: Set<Option>;
  service: ServiceSpec;
  server: ServerSpec;
  /** Values of --set, in seconds. */
  timeouts: { tcp: number; tcpfin: number; udp: number };
  daemon: DaemonSpec;
}

/** The mask of an IPv6 service until -M comes, which then has to come after it. */
const WHOLE_ADDRESS6 = "128";

interface Draft extends Parsed {
  flagsText: string | undefined;
  tunnelSwitches: Option[];
  /** A real server's port was typed, perhaps as 0, which then is meant. */
  portGiven: boolean;
}

const fail = (message: string): never => {
  throw misused(message);
};

function emptyService(): ServiceSpec {
  return {
    protocol: "tcp", family: 4, address: "", port: 0, fwmark: 0, scheduler: "", schedulerFlags: 0, persistent: false,
    timeoutSeconds: 0, netmask: "", persistenceEngine: "", onePacket: false,
  };
}

function emptyServer(): ServerSpec {
  return {
    family: 4, address: "", port: 0, forward: "route", weight: 1, upperThreshold: 0, lowerThreshold: 0, tunnel: "ipip",
    tunnelPort: 0, tunnelFlags: 0,
  };
}

/** What a sync daemon is without further words; the interface is the kernel's default, not one of ours. */
function emptyDaemon(): DaemonSpec {
  return { role: "master", interface: "eth0", syncId: 0, messageBytes: 0, group: "224.0.0.81", udpPort: 8848, timeToLive: 1 };
}

/** Reads a command line (without the program's name). Throws a CommandFailure with the text to show. */
export async function parseCommand(words: readonly string[], program: string, names: Names): Promise<Parsed> {
  const read = readWords(words);
  const first = read.given[0];
  if (first?.switch.command === undefined) throw tryHelp(program);
  const draft: Draft = {
    command: first.switch.command, options: new Set(), service: emptyService(), server: emptyServer(),
    timeouts: { tcp: 0, tcpfin: 0, udp: 0 }, daemon: emptyDaemon(), flagsText: undefined, tunnelSwitches: [], portGiven: false,
  };
  if (draft.command === "help" || draft.command === "version") return draft;
  if (draft.command === "start-daemon" || draft.command === "stop-daemon") readRole(draft, first.argument ?? "");
  for (const given of read.given.slice(1)) await applySwitch(draft, given, names);
  if (read.problem) throw new CommandFailure(255, `${read.problem.text}: ${read.problem.reason}`);
  const rest = draft.command === "set" ? setTimeouts(draft, read.rest) : read.rest;
  if (rest[0] !== undefined) fail(`unexpected argument ${rest[0]}`);
  if (draft.flagsText !== undefined) draft.service.schedulerFlags = parseFlags(draft.service.scheduler, draft.flagsText);
  checkOptions(draft);
  await finish(draft);
  return draft;
}

function readRole(draft: Draft, text: string): void {
  const starts = draft.command === "start-daemon";
  if (text !== "master" && text !== "backup") fail(starts ? "illegal start-daemon parameter specified" : "illegal start_daemon specified");
  draft.daemon.role = text as DaemonRole;
}

function setTimeouts(draft: Draft, rest: string[]): string[] {
  if (rest.length < 3) fail("--set option requires 3 timeout values");
  const [tcp = 0, tcpfin = 0, udp = 0] = rest.slice(0, 3).map((text) =>
    wholeNumber(text, 0, TIMEOUT_MAX_S) ?? fail(`invalid timeout value \`${text}' specified`));
  draft.timeouts = { tcp, tcpfin, udp };
  return rest.slice(3);
}

function set(draft: Draft, option: Option): void {
  if (draft.options.has(option)) fail(`multiple '${option}' options specified`);
  draft.options.add(option);
}

async function readService(draft: Draft, protocol: ServiceProtocol, text: string, names: Names): Promise<void> {
  set(draft, "service-address");
  const endpoint = await readEndpoint(text, protocol, names);
  if (!endpoint) return fail("illegal virtual server address[:port] specified");
  Object.assign(draft.service, endpoint, { protocol });
  if (endpoint.family === 6) draft.service.netmask = WHOLE_ADDRESS6;
}

async function applySwitch(draft: Draft, given: Given, names: Names): Promise<void> {
  const text = given.argument ?? "";
  const { service, server } = draft;
  switch (given.switch.long) {
    case "tcp-service": return readService(draft, "tcp", text, names);
    case "udp-service": return readService(draft, "udp", text, names);
    case "sctp-service": return readService(draft, "sctp", text, names);
    case "fwmark-service":
      set(draft, "service-address");
      service.protocol = "fwmark";
      service.fwmark = wholeNumber(text, 1, MARK_MAX) ?? fail(`invalid fwmark value \`${text}' specified`);
      return;
    case "ipv6":
      if (service.protocol !== "fwmark") fail("-6 used before -f\n");
      service.family = 6;
      service.netmask = WHOLE_ADDRESS6;
      return;
    case "real-server": return readServer(draft, text, names);
    case "persistent":
      set(draft, "persistent");
      service.persistent = true;
      service.timeoutSeconds = given.argument === undefined ? PERSISTENT_DEFAULT_S
        : wholeNumber(text, 1, TIMEOUT_MAX_S) ?? fail(`invalid timeout value \`${text}' specified`);
      return;
    case "weight":
      set(draft, "weight");
      server.weight = wholeNumber(text, 0, INT_MAX) ?? fail("illegal weight specified");
      return;
    case "u-threshold":
      set(draft, "u-threshold");
      server.upperThreshold = wholeNumber(text, 0, INT_MAX) ?? fail("illegal u_threshold specified");
      return;
    case "l-threshold":
      set(draft, "l-threshold");
      server.lowerThreshold = wholeNumber(text, 0, INT_MAX) ?? fail("illegal l_threshold specified");
      return;
    default: return applyPlain(draft, given, text);
  }
}

const FORWARD_SWITCHES: Record<string, ForwardName> = { gatewaying: "route", ipip: "tunnel", masquerading: "masq" };

function applyPlain(draft: Draft, given: Given, text: string): void {
  const { service, server } = draft;
  const forward = FORWARD_SWITCHES[given.switch.long];
  if (forward !== undefined) {
    set(draft, "forwarding-method");
    server.forward = forward;
    return;
  }
  const option = OPTIONS.find((one) => one === given.switch.long);
  if (given.switch.long === "sort") return;
  if (option === undefined) return fail(`invalid option \`${given.text}'`);
  set(draft, option);
  switch (option) {
    case "scheduler": service.scheduler = text; return;
    case "netmask": service.netmask = readNetmask(service, text); return;
    case "pe": service.persistenceEngine = text; return;
    case "ops": service.onePacket = true; return;
    case "sched-flags": draft.flagsText = text; return;
    case "tun-type":
      if (text !== "ipip" && text !== "gue" && text !== "gre") fail("illegal tunnel type specified");
      server.tunnel = text as TunnelName;
      return;
    case "tun-port":
      server.tunnelPort = wholeNumber(text, 1, 65535) ?? fail("illegal tunnel port specified");
      return;
    case "tun-nocsum": case "tun-csum": case "tun-remcsum":
      draft.tunnelSwitches.push(option);
      server.tunnelFlags = option === "tun-csum" ? 1 : option === "tun-remcsum" ? 2 : 0;
      return;
    default: return applyDaemon(draft.daemon, option, text);
  }
}

function applyDaemon(daemon: DaemonSpec, option: Option, text: string): void {
  switch (option) {
    case "mcast-interface": daemon.interface = text; return;
    case "syncid": daemon.syncId = wholeNumber(text, 0, 255) ?? fail("illegal syncid specified"); return;
    case "sync-maxlen": daemon.messageBytes = wholeNumber(text, 1, MESSAGE_BYTES_MAX) ?? fail("illegal sync-maxlen specified"); return;
    case "mcast-port": daemon.udpPort = wholeNumber(text, 1, 65535) ?? fail("illegal mcast-port specified"); return;
    case "mcast-ttl": daemon.timeToLive = wholeNumber(text, 1, 255) ?? fail("illegal mcast-ttl specified"); return;
    case "mcast-group": daemon.group = readGroup(text); return;
    default:
  }
}

/** A mask of the family that the line has named so far. */
function readNetmask(service: ServiceSpec, text: string): string {
  if (service.family === 4) return readAddress4(text) ?? fail("illegal virtual server persistent mask specified");
  const bits = /^\s*\+?\d+/.exec(text)?.[0] ?? "0";
  return String(wholeNumber(bits, 1, 128) ?? fail("illegal ipv6 netmask specified"));
}

function readGroup(text: string): string {
  return isGroup(text) ? text : fail(`invalid ${text.includes(":") ? "IPv6" : "IPv4"} mcast-group \`${text}'`);
}

async function readServer(draft: Draft, text: string, names: Names): Promise<void> {
  set(draft, "real-server");
  const endpoint = await readEndpoint(text, draft.service.protocol, names);
  if (!endpoint) return fail("illegal real server address[:port] specified");
  Object.assign(draft.server, endpoint);
  draft.portGiven = endpoint.portGiven;
}

function checkOptions(draft: Draft): void {
  const command = draft.command as keyof typeof RULES;
  const rule = RULES[command];
  let exclusive: Option | undefined;
  for (const option of OPTIONS) {
    if (!draft.options.has(option)) {
      if (rule.required?.includes(option)) fail(`You need to supply the '${option}' option for the '${command}' command`);
      continue;
    }
    if (!rule.required?.includes(option) && !rule.allowed.includes(option)) {
      fail(`Illegal '${option}' option with the '${command}' command`);
    }
    if (command !== "list" || !LIST_EXCLUSIVE.includes(option)) continue;
    if (exclusive) fail(`The option '${option}' conflicts with the '${exclusive}' option in the '${command}' command`);
    exclusive = option;
  }
}

async function finish(draft: Draft): Promise<void> {
  switch (draft.command) {
    case "add-service": case "edit-service": return finishService(draft);
    case "add-server": case "edit-server": case "delete-server": return finishServer(draft);
    case "list": return checkList(draft);
    default:
  }
}

function finishService(draft: Draft): void {
  const { service } = draft;
  if (service.protocol !== "fwmark" && service.port === 0 && !service.persistent) fail("Zero port specified for non-persistent service");
  if (service.onePacket && service.protocol !== "udp" && service.protocol !== "fwmark") {
    fail("One-Packet Scheduling is only for UDP virtual services");
  }
  if (service.scheduler === "") service.scheduler = "wlc";
  if (service.netmask === "") service.netmask = "255.255.255.255";
}

function finishServer(draft: Draft): void {
  const { service, server } = draft;
  if (draft.command === "delete-server") {
    if (!draft.portGiven) server.port = service.port;
    return;
  }
  if (server.family !== service.family && server.forward !== "tunnel") {
    fail("Different address family is allowed only for tunneling servers");
  }
  checkTunnel(draft);
  // Direct routing and tunnels cannot change the port: it is the service's.
  if (server.forward !== "masq" && service.protocol !== "fwmark") server.port = service.port;
  else if (!draft.portGiven && service.protocol !== "fwmark") server.port = service.port;
}

/** In the order they are looked at. */
const CHECKSUMS: readonly Option[] = ["tun-nocsum", "tun-csum", "tun-remcsum"];

function checkTunnel(draft: Draft): void {
  const { server, options, tunnelSwitches } = draft;
  const any = options.has("tun-type") || options.has("tun-port") || tunnelSwitches.length > 0;
  if (any && server.forward !== "tunnel") fail("Tunnel options conflict with forward method");
  if (server.tunnel === "gue" && !options.has("tun-port")) fail("You need to supply the 'tun-port' option for the 'gue' tunnel type");
  if (server.tunnel !== "gue" && options.has("tun-port")) fail(`Illegal 'tun-port' option with the '${server.tunnel}' tunnel type`);
  const given = CHECKSUMS.filter((option) => tunnelSwitches.includes(option));
  for (const [at, option] of given.entries()) {
    const allowed = server.tunnel === "gue" || (server.tunnel === "gre" && option !== "tun-remcsum");
    if (!allowed) fail(`Illegal '${option}' option with the '${server.tunnel}' tunnel type`);
    if (at > 0) fail(`The option '${option}' conflicts with the '${given[at - 1]}' option in the '${server.tunnel}' tunnel type`);
  }
}

function checkList(draft: Draft): void {
  const has = (...options: Option[]): boolean => options.some((option) => draft.options.has(option));
  const figures = has("stats", "rate", "thresholds");
  if (has("connection") && figures) fail("options conflicts in the list command");
  if (has("timeout", "daemon") && (figures || has("persistent-conn"))) fail("options conflicts in the list command");
}
