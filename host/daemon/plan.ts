// What has to change so that a table becomes another: only the difference, so that nobody else notices.

import type { ControlRequest, ServerKey, ServerRow, ServiceKey, ServiceRow, Table } from "../protocol.js";

const SERVICE_FIELDS = [
  "scheduler", "schedulerFlags", "persistent", "timeoutSeconds", "netmask", "persistenceEngine", "onePacket",
] as const satisfies readonly (keyof ServiceRow)[];
const SERVER_FIELDS = [
  "forward", "weight", "upperThreshold", "lowerThreshold", "tunnel", "tunnelPort", "tunnelFlags",
] as const satisfies readonly (keyof ServerRow)[];

/** Two services with one name are the same one; of two servers of one service as well. Names are looked up: a table may have thousands. */
const serviceName = ({ protocol, family, fwmark, address, port }: ServiceKey): string =>
  (protocol === "fwmark" ? `mark ${fwmark} ${family}` : `${protocol} ${family} ${address} ${port}`);
const serverName = ({ address, port }: ServerKey): string => `${address} ${port}`;

function byName<T>(rows: readonly T[], nameOf: (row: T) => string): ReadonlyMap<string, T> {
  return new Map(rows.map((row) => [nameOf(row), row]));
}

/** Requests that turn `current` into `wanted`; removals come last, so that there is always a server. */
export function planTable(current: Table, wanted: Table): ControlRequest[] {
  const plan: ControlRequest[] = [];
  const removals: ControlRequest[] = [];
  const before = byName(current.services, serviceName);
  for (const service of wanted.services) {
    const existing = before.get(serviceName(service));
    if (!existing) plan.push({ do: "service-add", service });
    else if (SERVICE_FIELDS.some((field) => existing[field] !== service[field])) plan.push({ do: "service-edit", service });
    planServers(service, existing?.servers ?? [], plan, removals);
  }
  const after = byName(wanted.services, serviceName);
  for (const service of current.services) if (!after.has(serviceName(service))) removals.push({ do: "service-delete", service });
  return [...plan, ...removals];
}

function planServers(service: ServiceRow, existing: ServerRow[], plan: ControlRequest[], removals: ControlRequest[]): void {
  // A listing has the newest server first; adding in the other order keeps it so.
  const before = byName(existing, serverName);
  for (const server of [...service.servers].reverse()) {
    const known = before.get(serverName(server));
    if (!known) plan.push({ do: "server-add", service, server });
    else if (SERVER_FIELDS.some((field) => known[field] !== server[field])) plan.push({ do: "server-edit", service, server });
  }
  const after = byName(service.servers, serverName);
  for (const server of existing) if (!after.has(serverName(server))) removals.push({ do: "server-delete", service, server });
}
