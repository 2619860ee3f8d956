// What has to change so that a table becomes another: only the difference, so that nobody else notices.

import type { ControlRequest, ServerRow, ServiceRow, Table } from "../protocol.js";
import { sameService } from "../cli/print.js";

const SERVICE_FIELDS = [
  "scheduler", "schedulerFlags", "persistent", "timeoutSeconds", "netmask", "persistenceEngine", "onePacket",
] as const satisfies readonly (keyof ServiceRow)[];
const SERVER_FIELDS = [
  "forward", "weight", "upperThreshold", "lowerThreshold", "tunnel", "tunnelPort", "tunnelFlags",
] as const satisfies readonly (keyof ServerRow)[];

const sameServer = (a: ServerRow, b: ServerRow): boolean => a.address === b.address && a.port === b.port;

/** Requests that turn `current` into `wanted`; removals come last, so that there is always a server. */
export function planTable(current: Table, wanted: Table): ControlRequest[] {
  const plan: ControlRequest[] = [];
  const removals: ControlRequest[] = [];
  for (const service of wanted.services) {
    const existing = current.services.find((one) => sameService(one, service));
    if (!existing) plan.push({ do: "service-add", service });
    else if (SERVICE_FIELDS.some((field) => existing[field] !== service[field])) plan.push({ do: "service-edit", service });
    planServers(service, existing?.servers ?? [], plan, removals);
  }
  for (const service of current.services) {
    if (!wanted.services.some((one) => sameService(one, service))) removals.push({ do: "service-delete", service });
  }
  return [...plan, ...removals];
}

function planServers(service: ServiceRow, existing: ServerRow[], plan: ControlRequest[], removals: ControlRequest[]): void {
  // A listing has the newest server first; adding in the other order keeps it so.
  for (const server of [...service.servers].reverse()) {
    const before = existing.find((one) => sameServer(one, server));
    if (!before) plan.push({ do: "server-add", service, server });
    else if (SERVER_FIELDS.some((field) => before[field] !== server[field])) plan.push({ do: "server-edit", service, server });
  }
  for (const server of existing) {
    if (!service.servers.some((one) => sameServer(one, server))) removals.push({ do: "server-delete", service, server });
  }
}
