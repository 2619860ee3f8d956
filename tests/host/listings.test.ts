// Listings with traffic in them, and /proc's look-alikes, as the kernel printed them (recording cli, "with traffic").

import assert from "node:assert/strict";
import { test } from "node:test";
import { NO_NAMES } from "../../host/cli/context.js";
import type { Option } from "../../host/cli/options.js";
import { banner, listServices, Writer } from "../../host/cli/print.js";
import { procConnections, procConnectionsSync, procStats, procStatsPerCpu, procTable } from "../../host/cli/proc.js";
import type { ConnectionRow, Counters, Rates, ServerRow, ServiceRow, Table } from "../../host/protocol.js";
import { readTexts } from "../oracle/texts.js";

type Five = [number, number, number, number, number];

const counters = ([connections, inPackets, outPackets, inBytes, outBytes]: Five): Counters => ({
  connections: String(connections), inPackets: String(inPackets), outPackets: String(outPackets), inBytes: String(inBytes), outBytes: String(outBytes),
});
const rates = ([connections, inPackets, outPackets, inBytes, outBytes]: Five): Rates => ({ connections, inPackets, outPackets, inBytes, outBytes });

function server(part: Partial<ServerRow> & Pick<ServerRow, "address" | "port">, sums: Five, speeds: Five): ServerRow {
  return {
    family: part.address.includes(":") ? 6 : 4, forward: "masq", weight: 1, upperThreshold: 0, lowerThreshold: 0, tunnel: "ipip",
    tunnelPort: 0, tunnelFlags: 0, activeConnections: 0, inactiveConnections: 0, persistentConnections: 0,
    ...part, counters: counters(sums), rates: rates(speeds),
  };
}

function service(part: Partial<ServiceRow> & Pick<ServiceRow, "protocol" | "address" | "port" | "servers">, sums: Five, speeds: Five): ServiceRow {
  const family = part.address.includes(":") ? 6 : 4;
  return {
    family, fwmark: 0, scheduler: "rr", schedulerFlags: 0, persistent: false, timeoutSeconds: 0,
    netmask: family === 4 ? "255.255.255.255" : "128", persistenceEngine: "", onePacket: false, ...part,
    counters: counters(sums), rates: rates(speeds),
  };
}

/** What the recording's director had in its tables, in the kernel's order. */
const table: Table = {
  size: 4096,
  services: [
    service({ protocol: "tcp", address: "10.0.1.100", port: 80, servers: [
      server({ address: "10.0.2.12", port: 8080, activeConnections: 20 }, [20, 240, 220, 89600, 288800], [1, 17, 16, 6352, 20475]),
      server({ address: "10.0.2.11", port: 8080, inactiveConnections: 20 }, [20, 280, 240, 91200, 289600], [1, 20, 17, 6500, 20694]),
    ] }, [40, 520, 460, 180800, 578400], [3, 37, 33, 12853, 41170]),
    service({ protocol: "tcp", address: "fd00:1::100", port: 80, persistent: true, timeoutSeconds: 60, servers: [
      server({ address: "fd00:2::11", port: 80, activeConnections: 1, persistentConnections: 1 }, [1, 2, 1, 120, 60], [0, 0, 0, 11, 6]),
    ] }, [1, 2, 1, 120, 60], [0, 0, 0, 11, 6]),
    service({ protocol: "udp", address: "10.0.1.100", port: 53, persistent: true, timeoutSeconds: 300, servers: [
      server({ address: "10.0.2.13", port: 53, forward: "route", inactiveConnections: 1, persistentConnections: 1 }, [1, 1, 0, 29, 0], [0, 0, 0, 3, 0]),
    ] }, [1, 1, 0, 29, 0], [0, 0, 0, 3, 0]),
  ],
  total: { counters: counters([0x2a, 0x20b, 0x1cd, 0x2c2d5, 0x8d39c]), rates: rates([2, 0x1c, 0x19, 0x25b2, 0x78a1]) },
  workers: [counters([0x2a, 0x20b, 0x1cd, 0x2c2d5, 0x8d39c])],
};

const recorded = new Map(readTexts("with traffic").map((one) => [one.command.trim(), one.stdout]));

const VIEWS: Record<string, Option[]> = {
  "ipvsadm -Ln": [], "ipvsadm -Ln --stats": ["stats"], "ipvsadm -Ln --stats --exact": ["stats", "exact"], "ipvsadm -Ln --rate": ["rate"],
  "ipvsadm -Ln --rate --exact": ["rate", "exact"], "ipvsadm -Ln --persistent-conn": ["persistent-conn"], "ipvsadm -Ln --thresholds": ["thresholds"],
};

for (const [command, options] of Object.entries(VIEWS)) {
  test(`${command} with traffic`, async () => {
    const text = banner(table.size) + await listServices(table.services, new Set(options), new Writer(true, NO_NAMES));
    assert.equal(text, recorded.get(command));
  });
}

test("/proc/net/ip_vs, ip_vs_stats, ip_vs_stats_percpu", () => {
  assert.equal(procTable(table), recorded.get("cat /proc/net/ip_vs"));
  assert.equal(procStats(table), recorded.get("cat /proc/net/ip_vs_stats"));
  assert.equal(procStatsPerCpu(table), recorded.get("cat /proc/net/ip_vs_stats_percpu"));
});

test("ip_vs_stats_percpu has a row for each worker, and their total", () => {
  const lines = procStatsPerCpu({ ...table, workers: [counters([1, 2, 3, 4, 5]), counters([0x29, 0x209, 0x1ca, 0x2c2d1, 0x8d397])] }).split("\n");
  assert.deepEqual(lines.slice(2, 5).map((line) => line.trim().split(/ +/).slice(0, 3)), [["0", "1", "2"], ["1", "29", "209"], ["~", "2A", "20B"]]);
});

async function* onePage(...rows: ConnectionRow[]): AsyncGenerator<ConnectionRow[]> {
  yield rows;
}

test("/proc/net/ip_vs_conn and ip_vs_conn_sync: the first row", async () => {
  const row: ConnectionRow = {
    family: 4, protocol: "TCP", state: "ESTABLISHED", expiresSeconds: 894, clientAddress: "10.0.1.50", clientPort: 0x9c62,
    virtualAddress: "10.0.1.100", virtualPort: 80, serverFamily: 4, serverAddress: "10.0.2.12", serverPort: 8080,
    persistenceEngine: "", persistenceData: "", synced: false,
  };
  const firstTwo = (command: string): string => `${(recorded.get(command) ?? "").split("\n").slice(0, 2).join("\n")}\n`;
  assert.equal(await procConnections(onePage(row)), firstTwo("head -6 /proc/net/ip_vs_conn"));
  assert.equal(await procConnectionsSync(onePage({ ...row, expiresSeconds: 893 })), firstTwo("head -6 /proc/net/ip_vs_conn_sync"));
});
