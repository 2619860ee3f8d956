// Names as this machine knows them, and where a director listens when nobody says so.

import { lookup, lookupService } from "node:dns/promises";
import { readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Names } from "./context.js";

/** Port names of /etc/services: "http/tcp" to 80. Empty where the file is missing. */
function readServices(): Map<string, number> {
  const found = new Map<string, number>();
  let text = "";
  try {
    text = readFileSync("/etc/services", "utf8");
  } catch {
    return found;
  }
  for (const line of text.split("\n")) {
    const parts = /^(\S+)\s+(\d+)\/(\w+)([^#]*)/.exec(line);
    if (!parts) continue;
    const [, name = "", port = "", protocol = "", aliases = ""] = parts;
    for (const one of [name, ...aliases.trim().split(/\s+/)]) {
      const key = `${one}/${protocol}`;
      if (one !== "" && !found.has(key)) found.set(key, Number(port));
    }
  }
  return found;
}

export function systemNames(): Names {
  let services: Map<string, number> | undefined;
  const known = (): Map<string, number> => (services ??= readServices());
  const kind = (protocol: string): string => (protocol === "fwmark" ? "tcp" : protocol);
  return {
    // As there: a name stands for an address of IPv4.
    addressOf: async (host) => lookup(host, { family: 4 }).then((found) => found.address, () => undefined),
    portOf: async (service, protocol) => known().get(`${service}/${kind(protocol)}`),
    hostOf: async (address) => lookupService(address, 0).then(
      (found) => (found.hostname === address ? undefined : found.hostname), () => undefined),
    serviceOf: async (port, protocol) => {
      if (protocol === "fwmark") return undefined;
      const suffix = `/${kind(protocol)}`;
      for (const [key, value] of known()) if (value === port && key.endsWith(suffix)) return key.slice(0, -suffix.length);
      return undefined;
    },
  };
}

/** Root's director listens in /run; anybody else's in a place of their own. */
export function defaultSocketPath(): string {
  const user = process.getuid?.() ?? 0;
  if (user === 0) return "/run/lvsd.sock";
  return join(process.env["XDG_RUNTIME_DIR"] ?? tmpdir(), `lvsd-${user}.sock`);
}
