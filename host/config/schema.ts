// What a configuration may say. Field names as they stand in the file.

import { z } from "zod";
import { isGroup, parseAddress, parseMac } from "../engine/address.js";
import { readSetting } from "../cli/sysctls.js";
import { BUCKET_BITS_MAX, BUCKET_BITS_MIN, PORTS_MAX, SYNC_MESSAGE_BYTES_MAX, WORKERS_MAX } from "../../assembly/abi/limits.js";
import { HELPER_PORTS_COUNT } from "../../assembly/abi/layout.js";
import { SYSCTLS } from "../engine/names.js";
import { DRIVER_CHOICES } from "../io/driver.js";
import { NIC_MODES } from "../io/nic.js";
import { NIC_MTU_MAX, SOCKETS_MAX } from "../io/umem.js";

function isPrefix(text: string): boolean {
  const [address = "", bits, ...more] = text.split("/");
  const parsed = parseAddress(address);
  if (!parsed || more.length > 0) return false;
  return bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (parsed.family === 4 ? 32 : 128));
}

function isPortRange(text: string | number): boolean {
  if (!/^\d+(-\d+)?$/.test(String(text))) return false;
  const [low = 0, high = low] = String(text).split("-").map(Number);
  return low <= high && high <= 65535;
}

const familyOf = (text: string): number | undefined => parseAddress(text.split("/")[0] ?? "")?.family;

const address = z.string().refine((text) => parseAddress(text) !== undefined, "is not an IP address");
const prefix = z.string().refine(isPrefix, "is not an address with a prefix length, as 10.0.1.1/24");
const mac = z.string().refine((text) => parseMac(text) !== undefined, "is not a hardware address, as 02:00:00:00:01:01")
  .refine((text) => !/^.[13579bdf]|^[0:]+$/i.test(text), "is the hardware address of no single interface");
/** Of a port: somebody's own, so neither a group's, nor all hosts', nor nobody's, nor one that never leaves a host. */
const ownPrefix = prefix.refine((text) => !isGroup(text.split("/")[0] ?? "") && !/^(0|127|255\.255\.255\.255)\.|^255\.255\.255\.255\b|^::1?(\/|$)/.test(text),
  "is an address that no host has on a network");
const portName = z.string().regex(/^[A-Za-z][\w.-]{0,14}$/, "is not a name of at most 15 letters, digits, '-', '_' and '.'");
const deviceName = z.string().regex(/^[^\s/]{1,15}$/, "is not a device name of at most 15 characters");

/** Fields that only ports attached by xdp have. */
const OF_XDP = ["mode", "queues", "gateway"] as const;

const port = z.strictObject({
  "name": portName,
  "device": deviceName.optional(),
  "mode": z.enum(NIC_MODES).optional(),
  "queues": z.number().int().min(1).max(SOCKETS_MAX).optional(),
  /** Servers send their answers here: all that comes to the NIC's hardware address is the director's, but for the kernel's own addresses. */
  "gateway": z.boolean().optional(),
  /** Network namespace the device shall appear in, as /run/netns/NAME. */
  "namespace": z.string().startsWith("/", "is not the path of a network namespace").optional(),
  /** tap: lvsd makes the device. nic: it exists, and the director shares it with the kernel. xdp: as nic, past the kernel's stack. */
  "attach": z.enum(["tap", "nic", "xdp"]).default("tap"),
  "mac": mac.optional(),
  "mtu": z.number().int().min(576, "is below 576").max(65535).default(1500),
  "addresses": z.array(ownPrefix).default([]),
  /** network: a wire with neighbours. host: leads to the director's own kernel, for local node. */
  "kind": z.enum(["network", "host"]).default("network"),
  "peer-mac": mac.optional(),
}).superRefine((one, context) => {
  const complain = (field: string, message: string): void => context.addIssue({ code: "custom", path: [field], message });
  if (one.attach !== "xdp") {
    for (const field of OF_XDP) if (one[field] !== undefined) complain(field, "is for ports with `attach: xdp`");
    return;
  }
  if (one.mac !== undefined) complain("mac", "with `attach: xdp` a port has its device's own");
  if (one.mtu > NIC_MTU_MAX) complain("mtu", `is above ${NIC_MTU_MAX}, the most that fits a page for AF_XDP`);
});

const route = z.strictObject({
  "to": z.string().refine((text) => text === "default" || isPrefix(text), "is neither 'default' nor a prefix as 10.0.3.0/24"),
  "via": address.optional(),
  "port": portName,
}).refine(({ to, via }) => to === "default" || via === undefined || familyOf(to) === familyOf(via), "leads to one family by a gateway of the other");

const neighbor = z.strictObject({ "address": address, "mac": mac, "port": portName });

const NO_PORTS = "is neither a port nor a range as 80-443";
const mark = z.strictObject({
  "mark": z.number().int().min(1).max(2147483647),
  "port": portName.optional(),
  "source": prefix.optional(),
  "destination": prefix.optional(),
  "protocol": z.enum(["tcp", "udp", "sctp", "icmp"]).optional(),
  "ports": z.union([z.number(), z.string()], NO_PORTS).refine(isPortRange, NO_PORTS).optional(),
}).refine(({ source, destination }) => source === undefined || destination === undefined || familyOf(source) === familyOf(destination),
  "has a source and a destination of different families");

const sysctl = z.record(z.string(), z.union([z.number(), z.string()], "is neither a number nor a text")).transform((settings, context) => {
  const read: Record<string, number[]> = {};
  for (const [name, value] of Object.entries(settings)) {
    const numbers = readSetting(name, String(value));
    const complain = (message: string): void => context.addIssue({ code: "custom", path: [name], message });
    if (!SYSCTLS.has(name)) complain("is not a setting of net.ipv4.vs");
    else if (numbers === undefined) complain("is not a number that this setting takes (sync_threshold: two of them, as \"3 50\")");
    else read[name] = numbers;
  }
  return read;
});

/** A sync daemon, with ipvsadm's defaults. */
const daemon = z.strictObject({
  "port": portName,
  "id": z.number().int().min(0).max(255).default(0),
  "max-bytes": z.number().int().min(1).max(SYNC_MESSAGE_BYTES_MAX).optional(),
  "group": address.refine((text) => isGroup(text), "is not a multicast address").default("224.0.0.81"),
  "udp-port": z.number().int().min(1).max(65535).default(8848),
  "ttl": z.number().int().min(1).max(255).default(1),
});

export const NO_WORKERS = `is neither auto nor a number from 1 to ${WORKERS_MAX}`;
/** Also what --workers takes, as a text. */
export const workers = z.union([z.literal("auto"), z.coerce.number().int().min(1).max(WORKERS_MAX)], NO_WORKERS);
export type WorkersChoice = z.infer<typeof workers>;

const LINES = "is neither a list of lines nor the name of a file of them";

export const configSchema = z.strictObject({
  "control-socket": z.string().min(1).optional(),
  "table-bits": z.number().int().min(BUCKET_BITS_MIN).max(BUCKET_BITS_MAX).default(12),
  "default-forward": z.enum(["nat", "tun", "dr"]).default("nat"),
  /** How frames go between devices and engine; auto: uring where the kernel allows it, else tap. */
  "driver": z.enum(DRIVER_CHOICES).default("auto"),
  /** Threads of the data plane; auto: one for each processor. */
  "workers": workers.default(1),
  "log-level": z.enum(["debug", "info", "warn", "error"]).default("warn"),
  "ports": z.array(port).min(1, "needs at least one port").max(PORTS_MAX - 1),
  "routes": z.array(route).default([]),
  /** Nets of others whose packets are taken in for firewall marks: caches in front of the Internet. */
  "transparent": z.array(prefix).default([]),
  "neighbors": z.array(neighbor).default([]),
  /** Rules that mark packets: fields, or iptables' own lines; or the name of a file of such lines. */
  "marks": z.union([z.array(z.union([z.string(), mark], "is neither a group of fields nor a line of iptables")), z.string()], LINES).default([]),
  "sysctl": sysctl.default({}),
  /** Connection sync: tell other directors, be told by them, or both. */
  "sync": z.strictObject({ "master": daemon.optional(), "backup": daemon.optional() }).default({}),
  /** Virtual ports whose connections behind NAT are FTP. */
  "ftp-ports": z.array(z.number().int().min(1).max(65535)).max(HELPER_PORTS_COUNT).default([21]),
  /** Lines of `ipvsadm -S`, or the name of a file of them. */
  "rules": z.union([z.array(z.string()), z.string()], LINES).default([]),
});

export type ConfigText = z.infer<typeof configSchema>;
export type PortText = ConfigText["ports"][number];
export type RouteText = ConfigText["routes"][number];
