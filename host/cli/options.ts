// The options of ipvsadm's language, and which command takes which. Texts as the real program's (recording cli).

export type Command =
  | "add-service" | "edit-service" | "delete-service" | "flush" | "add-server" | "edit-server" | "delete-server"
  | "list" | "start-daemon" | "stop-daemon" | "restore" | "save" | "zero" | "set" | "help" | "version";

/** Options as the messages name them, in the order they are checked. */
export const OPTIONS = [
  "numeric", "connection", "service-address", "scheduler", "persistent", "netmask", "real-server", "forwarding-method",
  "weight", "u-threshold", "l-threshold", "mcast-interface", "timeout", "daemon", "stats", "rate", "thresholds",
  "persistent-conn", "nosort", "syncid", "exact", "ops", "pe", "sched-flags", "tun-info", "tun-type", "tun-port",
  "tun-nocsum", "tun-csum", "tun-remcsum", "sync-maxlen", "mcast-group", "mcast-port", "mcast-ttl",
] as const;
export type Option = (typeof OPTIONS)[number];

interface Rule { required?: readonly Option[]; allowed: readonly Option[] }

const SERVICE = ["scheduler", "persistent", "netmask", "ops", "pe", "sched-flags"] as const;
const SERVER = [
  "forwarding-method", "weight", "u-threshold", "l-threshold", "tun-type", "tun-port", "tun-nocsum", "tun-csum", "tun-remcsum",
] as const;
const SHOWN = [
  "numeric", "stats", "rate", "thresholds", "persistent-conn", "nosort", "exact", "tun-info",
] as const;

export const RULES: Record<Exclude<Command, "help" | "version">, Rule> = {
  "add-service": { required: ["service-address"], allowed: SERVICE },
  "edit-service": { required: ["service-address"], allowed: SERVICE },
  "delete-service": { required: ["service-address"], allowed: [] },
  "flush": { allowed: [] },
  "add-server": { required: ["service-address", "real-server"], allowed: SERVER },
  "edit-server": { required: ["service-address", "real-server"], allowed: SERVER },
  "delete-server": { required: ["service-address", "real-server"], allowed: [] },
  "list": { allowed: [...SHOWN, "connection", "service-address", "timeout", "daemon", "syncid"] },
  "start-daemon": { allowed: ["mcast-interface", "syncid", "sync-maxlen", "mcast-group", "mcast-port", "mcast-ttl"] },
  "stop-daemon": { allowed: ["syncid"] },
  "restore": { allowed: [] },
  "save": { allowed: ["numeric"] },
  "zero": { allowed: ["service-address"] },
  "set": { allowed: [] },
};

/** In a listing only one of these can be asked for. */
export const LIST_EXCLUSIVE: readonly Option[] = ["connection", "service-address", "timeout", "daemon"];

type Argument = "none" | "needed" | "optional";

export interface Switch { long: string; short?: string; argument: Argument; command?: Command }

/** Every switch of the command line. */
export const SWITCHES: readonly Switch[] = [
  { long: "add-service", short: "A", argument: "none", command: "add-service" },
  { long: "edit-service", short: "E", argument: "none", command: "edit-service" },
  { long: "delete-service", short: "D", argument: "none", command: "delete-service" },
  { long: "clear", short: "C", argument: "none", command: "flush" },
  { long: "restore", short: "R", argument: "none", command: "restore" },
  { long: "save", short: "S", argument: "none", command: "save" },
  { long: "add-server", short: "a", argument: "none", command: "add-server" },
  { long: "edit-server", short: "e", argument: "none", command: "edit-server" },
  { long: "delete-server", short: "d", argument: "none", command: "delete-server" },
  { long: "list", short: "L", argument: "none", command: "list" },
  { long: "list", short: "l", argument: "none", command: "list" },
  { long: "zero", short: "Z", argument: "none", command: "zero" },
  { long: "set", argument: "none", command: "set" },
  { long: "start-daemon", argument: "needed", command: "start-daemon" },
  { long: "stop-daemon", argument: "needed", command: "stop-daemon" },
  { long: "help", short: "h", argument: "none", command: "help" },
  { long: "version", short: "v", argument: "none", command: "version" },
  { long: "tcp-service", short: "t", argument: "needed" },
  { long: "udp-service", short: "u", argument: "needed" },
  { long: "sctp-service", argument: "needed" },
  { long: "fwmark-service", short: "f", argument: "needed" },
  { long: "ipv6", short: "6", argument: "none" },
  { long: "scheduler", short: "s", argument: "needed" },
  { long: "persistent", short: "p", argument: "optional" },
  { long: "netmask", short: "M", argument: "needed" },
  { long: "pe", argument: "needed" },
  { long: "sched-flags", short: "b", argument: "needed" },
  { long: "ops", short: "o", argument: "none" },
  { long: "real-server", short: "r", argument: "needed" },
  { long: "gatewaying", short: "g", argument: "none" },
  { long: "ipip", short: "i", argument: "none" },
  { long: "masquerading", short: "m", argument: "none" },
  { long: "tun-type", argument: "needed" },
  { long: "tun-port", argument: "needed" },
  { long: "tun-nocsum", argument: "none" },
  { long: "tun-csum", argument: "none" },
  { long: "tun-remcsum", argument: "none" },
  { long: "weight", short: "w", argument: "needed" },
  { long: "u-threshold", short: "x", argument: "needed" },
  { long: "l-threshold", short: "y", argument: "needed" },
  { long: "numeric", short: "n", argument: "none" },
  { long: "connection", short: "c", argument: "none" },
  { long: "timeout", argument: "none" },
  { long: "daemon", argument: "none" },
  { long: "stats", argument: "none" },
  { long: "rate", argument: "none" },
  { long: "exact", argument: "none" },
  { long: "thresholds", argument: "none" },
  { long: "persistent-conn", argument: "none" },
  { long: "tun-info", argument: "none" },
  { long: "nosort", argument: "none" },
  { long: "sort", argument: "none" },
  { long: "syncid", argument: "needed" },
  { long: "sync-maxlen", argument: "needed" },
  { long: "mcast-interface", argument: "needed" },
  { long: "mcast-group", argument: "needed" },
  { long: "mcast-port", argument: "needed" },
  { long: "mcast-ttl", argument: "needed" },
];
