// What may come in over the control socket, checked field by field before anybody acts on it.

import { z } from "zod";
import { SYNC_MESSAGE_BYTES_MAX } from "../../assembly/abi/limits.js";
import { parseAddress } from "../engine/address.js";
import type { ControlRequest } from "../protocol.js";

const family = z.union([z.literal(4), z.literal(6)]);
const port = z.number().int().min(0).max(65535);
const word = z.number().int().min(0).max(2147483647);
const address = z.string().max(64).refine((text) => parseAddress(text) !== undefined, "is not an IP address");
const net = z.string().max(64);

const key = {
  protocol: z.enum(["tcp", "udp", "sctp", "fwmark"]), family, address: z.union([z.literal(""), address]), port, fwmark: word,
};

const isNamed = (one: { protocol: string; fwmark: number; address: string }): boolean => (one.protocol === "fwmark" ? one.fwmark > 0 : one.address !== "");
const NAMELESS = "a service has an address, or a firewall mark above 0";

const serviceKey = z.object(key).refine(isNamed, NAMELESS);

const service = z.object({
  ...key, scheduler: z.string().max(16), schedulerFlags: z.number().int().min(0).max(56), persistent: z.boolean(),
  timeoutSeconds: z.number().int().min(0).max(86400 * 31), netmask: z.string().max(16), persistenceEngine: z.string().max(16),
  onePacket: z.boolean(),
}).refine(isNamed, NAMELESS)
  .refine((one) => (one.family === 4 ? parseAddress(one.netmask)?.family === 4 : /^\d{1,3}$/.test(one.netmask) && Number(one.netmask) <= 128),
    "the netmask does not fit the family");

const serverKey = z.object({ family, address, port });
const server = serverKey.extend({
  forward: z.enum(["masq", "local", "tunnel", "route"]), weight: word, upperThreshold: word, lowerThreshold: word,
  tunnel: z.enum(["ipip", "gue", "gre"]), tunnelPort: port, tunnelFlags: z.number().int().min(0).max(2),
});

const rule = z.object({
  family, interface: z.string().max(15), source: net, destination: net,
  protocol: z.enum(["", "tcp", "udp", "sctp", "icmp"]), portLow: port, portHigh: port, mark: word.min(1),
});

const role = z.enum(["master", "backup"]);
const daemon = z.object({
  role, interface: z.string().max(15), syncId: z.number().int().min(0).max(255), messageBytes: z.number().int().min(0).max(SYNC_MESSAGE_BYTES_MAX),
  group: address, udpPort: port.min(1), timeToLive: z.number().int().min(1).max(255),
});

/** Connections are counted through all tables, of which a memory of 4 GiB holds fewer. */
const PLACES_MAX = 2 ** 32;

const setting = z.number().int().min(-2147483648).max(4294967295);
const seconds = z.number().int().min(0).max(86400 * 31);

const request = z.discriminatedUnion("do", [
  z.object({ do: z.enum(["service-add", "service-edit"]), service }),
  z.object({ do: z.literal("service-delete"), service: serviceKey }),
  z.object({ do: z.enum(["server-add", "server-edit"]), service: serviceKey, server }),
  z.object({ do: z.literal("server-delete"), service: serviceKey, server: serverKey }),
  z.object({ do: z.literal("zero"), service: serviceKey.optional() }),
  z.object({ do: z.literal("timeouts-set"), timeouts: z.object({ tcp: seconds, tcpfin: seconds, udp: seconds }) }),
  z.object({ do: z.literal("sysctl-set"), name: z.string().max(64), value: setting, period: setting.optional() }),
  z.object({ do: z.literal("daemon-start"), daemon }),
  z.object({ do: z.literal("daemon-stop"), role }),
  z.object({ do: z.literal("mark-add"), rule }),
  z.object({ do: z.literal("connections"), from: z.number().int().min(0).max(PLACES_MAX).optional() }),
  z.object({ do: z.enum(["flush", "timeouts", "table", "daemons", "helpers", "status", "sysctls", "default-forward"]) }),
]);

/** A request that can be acted on, or what is wrong with it. */
export function readRequest(body: unknown): { request: ControlRequest } | { problem: string } {
  const parsed = request.safeParse(body);
  if (parsed.success) return { request: parsed.data as ControlRequest };
  const issue = parsed.error.issues[0];
  return { problem: `${issue?.path.join(".") ?? ""}: ${issue?.message ?? "not a request"}` };
}
