// Listings read straight from the memory, while the engine works: services, servers, connections, counters.

import {
  BUCKET_BYTES, CONNECTION_BYTES, CONTROL_BASE, CONTROL_BUCKET_BITS, CONTROL_COMMONS, CONTROL_HELPER_PORTS,
  CONTROL_NEIGHBORS_USED, CONTROL_NOW_MS, CONTROL_SERVICES_USED, CONTROL_SYSCTLS, CONTROL_TABLE_BASE, CONTROL_TIMEOUTS,
  CONTROL_WORKERS, COUNTERS_BASE, COUNTERS_WORKER_BYTES, COUNTER_CONNECTIONS,
  COUNTER_IN_BYTES, COUNTER_IN_PACKETS, COUNTER_OUT_BYTES, COUNTER_OUT_PACKETS, DROPS_BASE, DROPS_WORKER_BYTES,
  HELPER_PORTS_COUNT, NEIGHBORS_BASE, NEIGHBOR_ADDRESS, NEIGHBOR_BYTES, NEIGHBOR_FAMILY,
  NEIGHBOR_MACS, NEIGHBOR_PORT, NEIGHBOR_STATE, RATES_BASE, RATE_BYTES, RATE_LAST, RATE_VALUE, RATE_ZERO, SERVERS_BASE, SERVER_ACTIVE,
  SERVER_ADDRESS, SERVER_BYTES, SERVER_FAMILY, SERVER_FORWARD, SERVER_INACTIVE, SERVER_LOWER, SERVER_NEXT, SERVER_PERSISTENT,
  SERVER_PORT, SERVER_TUNNEL_FLAGS, SERVER_TUNNEL_PORT, SERVER_TUNNEL_TYPE, SERVER_UPPER, SERVER_WEIGHT, SERVICES_BASE,
  SERVICE_ADDRESS, SERVICE_BYTES, SERVICE_ENGINE, SERVICE_FAMILY, SERVICE_FLAGS, SERVICE_FWMARK, SERVICE_ORDER, SERVICE_PORT,
  SERVICE_PREFIX, SERVICE_PROTOCOL, SERVICE_SCHEDULER, SERVICE_SERVERS, SERVICE_TIMEOUT_S, SHARD_BYTES, STATE_FRESH, STATE_HANDED_IN,
  STATE_HANDED_OVER, STATE_RECEIVED, STATE_USED,
  TIMEOUTS_UDP, WORKERS_BASE, WORKER_BYTES, WORKER_STATE,
} from "../../assembly/abi/layout.js";
import { CONNECTIONS_PER_BUCKET, SERVERS_MAX, SERVICES_MAX } from "../../assembly/abi/limits.js";
import { ConnectionFlag, DropReason, NeighborState, ServiceFlag, Sysctl, TcpState } from "../../assembly/abi/enums.js";
import type {
  ConnectionPage, ConnectionRow, Counters, Family, HelperRow, NeighborRow, Rates, ServerRow, ServiceRow, Table, Timeouts, WorkerRow,
} from "../protocol.js";
import { formatAddress, formatMac, parseAddress } from "./address.js";
import { ConnectionRecord } from "./connection.js";
import { dropName, FORWARD_NAMES, NEIGHBOR_TEXTS, PROTOCOL_NAMES, protocolText, schedulerName, SYSCTLS, TUNNEL_NAMES } from "./names.js";

const MAC_BYTES = 6;

const PROTOCOL_NUMBERS = { fwmark: 0, tcp: 6, udp: 17, sctp: 132 };
/** Of the 16 that a kernel's memory may give, the one of recording cli. */
const HASH_SALT = 0x80;
/** Looked at for one page of connections: some ten milliseconds in which no other request is answered, and a megabyte of text. */
const PAGE_RECORDS = 4096;

/**
 * Where a listing that nobody sorts has a service: in the rows of a table of 256 as a kernel hashes it, the newest first in
 * each, and marks behind all others (recordings cli, cli_forms).
 */
function listedPlace(row: ServiceRow): number {
  if (row.protocol === "fwmark") return 256 + ((row.fwmark ^ HASH_SALT) & 255);
  const bytes = parseAddress(row.address)?.bytes ?? new Uint8Array(16);
  const folded = row.family === 4 ? bytes[15] ?? 0 : [3, 7, 11, 15].reduce((all, at) => all ^ (bytes[at] ?? 0), 0);
  return (PROTOCOL_NUMBERS[row.protocol] ^ folded ^ (row.port >> 8) ^ row.port ^ HASH_SALT) & 255;
}

/** Reads what the engine's memory says; it never writes. */
export class Records {
  private readonly view: DataView;
  private readonly bytes: Uint8Array;

  constructor(readonly memory: WebAssembly.Memory) {
    this.view = new DataView(memory.buffer);
    this.bytes = new Uint8Array(memory.buffer);
  }

  private word(address: number): number {
    return this.view.getUint32(address, true);
  }

  private address(family: number, address: number): string {
    return formatAddress(family, this.bytes.slice(address, address + 16));
  }

  get workers(): number {
    return this.word(CONTROL_BASE + CONTROL_WORKERS);
  }

  get buckets(): number {
    return 2 ** this.word(CONTROL_BASE + CONTROL_BUCKET_BITS);
  }

  /** The engine's clock in milliseconds. */
  get nowMs(): number {
    return this.word(CONTROL_BASE + CONTROL_NOW_MS);
  }

  table(): Table {
    const services: { place: number; order: number; row: ServiceRow }[] = [];
    const used = this.word(CONTROL_BASE + CONTROL_SERVICES_USED);
    for (let index = 1; index < used; index++) {
      const at = SERVICES_BASE + index * SERVICE_BYTES;
      if (this.view.getUint8(at + SERVICE_FAMILY) === 0) continue;
      const row = this.service(index);
      services.push({ place: listedPlace(row), order: this.word(at + SERVICE_ORDER), row });
    }
    services.sort((a, b) => a.place - b.place || b.order - a.order);
    const total = { counters: this.counters(0), rates: this.rates(0) };
    return { size: this.buckets, services: services.map((one) => one.row), total, workers: this.perWorker() };
  }

  private service(index: number): ServiceRow {
    const at = SERVICES_BASE + index * SERVICE_BYTES;
    const family = this.view.getUint8(at + SERVICE_FAMILY) as Family;
    const flags = this.word(at + SERVICE_FLAGS);
    const marked = (flags & ServiceFlag.Fwmark) !== 0;
    return {
      protocol: marked ? "fwmark" : PROTOCOL_NAMES[this.view.getUint8(at + SERVICE_PROTOCOL)] ?? "tcp",
      family, address: marked ? "" : this.address(family, at + SERVICE_ADDRESS), port: this.view.getUint16(at + SERVICE_PORT),
      fwmark: this.word(at + SERVICE_FWMARK), scheduler: schedulerName(this.word(at + SERVICE_SCHEDULER)),
      schedulerFlags: flags & (ServiceFlag.Flag1 | ServiceFlag.Flag2 | ServiceFlag.Flag3),
      persistent: (flags & ServiceFlag.Persistent) !== 0, timeoutSeconds: this.word(at + SERVICE_TIMEOUT_S),
      netmask: family === 4 ? this.bytes.slice(at + SERVICE_PREFIX, at + SERVICE_PREFIX + 4).join(".") : String(this.word(at + SERVICE_PREFIX)),
      persistenceEngine: this.word(at + SERVICE_ENGINE) === 1 ? "sip" : "", onePacket: (flags & ServiceFlag.OnePacket) !== 0,
      servers: this.servers(this.word(at + SERVICE_SERVERS)), counters: this.counters(index), rates: this.rates(index),
    };
  }

  private servers(first: number): ServerRow[] {
    const rows: ServerRow[] = [];
    for (let index = first; index !== 0 && rows.length < SERVERS_MAX; index = this.word(SERVERS_BASE + index * SERVER_BYTES + SERVER_NEXT)) {
      rows.push(this.server(index));
    }
    return rows;
  }

  private server(index: number): ServerRow {
    const at = SERVERS_BASE + index * SERVER_BYTES;
    const family = this.view.getUint8(at + SERVER_FAMILY) as Family;
    return {
      family, address: this.address(family, at + SERVER_ADDRESS), port: this.view.getUint16(at + SERVER_PORT),
      forward: FORWARD_NAMES[this.view.getUint8(at + SERVER_FORWARD)] ?? "masq", weight: this.word(at + SERVER_WEIGHT),
      upperThreshold: this.word(at + SERVER_UPPER), lowerThreshold: this.word(at + SERVER_LOWER),
      tunnel: TUNNEL_NAMES[this.view.getUint8(at + SERVER_TUNNEL_TYPE)] ?? "ipip",
      tunnelPort: this.view.getUint16(at + SERVER_TUNNEL_PORT), tunnelFlags: this.view.getUint8(at + SERVER_TUNNEL_FLAGS),
      activeConnections: this.word(at + SERVER_ACTIVE), inactiveConnections: this.word(at + SERVER_INACTIVE),
      persistentConnections: this.word(at + SERVER_PERSISTENT),
      counters: this.counters(SERVICES_MAX + index), rates: this.rates(SERVICES_MAX + index),
    };
  }

  /** The estimator's last sums of all workers, up to two seconds old, less what -Z took. */
  private counters(place: number): Counters {
    const rate = RATES_BASE + place * RATE_BYTES;
    const sum = (counter: number): string =>
      BigInt.asUintN(64, this.view.getBigUint64(rate + RATE_LAST + counter, true) - this.view.getBigUint64(rate + RATE_ZERO + counter, true)).toString();
    return {
      connections: sum(COUNTER_CONNECTIONS), inPackets: sum(COUNTER_IN_PACKETS), outPackets: sum(COUNTER_OUT_PACKETS),
      inBytes: sum(COUNTER_IN_BYTES), outBytes: sum(COUNTER_OUT_BYTES),
    };
  }

  /** The total of each worker as it is now; -Z does not change it, as the kernel's file of the processors. */
  private perWorker(): Counters[] {
    return Array.from({ length: this.workers }, (_, worker) => {
      const sum = (counter: number): string => this.view.getBigUint64(COUNTERS_BASE + worker * COUNTERS_WORKER_BYTES + counter, true).toString();
      return {
        connections: sum(COUNTER_CONNECTIONS), inPackets: sum(COUNTER_IN_PACKETS), outPackets: sum(COUNTER_OUT_PACKETS),
        inBytes: sum(COUNTER_IN_BYTES), outBytes: sum(COUNTER_OUT_BYTES),
      };
    });
  }

  /** What each worker has done; nothing to tell of a worker that is alone. */
  workerRows(): WorkerRow[] {
    if (this.workers === 1) return [];
    return Array.from({ length: this.workers }, (_, worker) => {
      const state = WORKERS_BASE + worker * WORKER_BYTES + WORKER_STATE;
      const long = (at: number): string => this.view.getBigUint64(at, true).toString();
      return {
        received: long(state + STATE_RECEIVED), handedOver: long(state + STATE_HANDED_OVER), handedIn: long(state + STATE_HANDED_IN),
        handoverFull: long(DROPS_BASE + worker * DROPS_WORKER_BYTES + DropReason.HandoverFull * 8), connections: this.word(state + STATE_USED),
      };
    });
  }

  /** Per second, rounded as the kernel rounds its scaled averages. */
  private rates(place: number): Rates {
    const scaled = (counter: number): bigint => this.view.getBigUint64(RATES_BASE + place * RATE_BYTES + RATE_VALUE + counter, true);
    const packets = (counter: number): number => Number((scaled(counter) + 0x1ffn) >> 10n);
    const bytes = (counter: number): number => Number((scaled(counter) + 0xfn) >> 5n);
    return {
      connections: packets(COUNTER_CONNECTIONS), inPackets: packets(COUNTER_IN_PACKETS), outPackets: packets(COUNTER_OUT_PACKETS),
      inBytes: bytes(COUNTER_IN_BYTES), outBytes: bytes(COUNTER_OUT_BYTES),
    };
  }

  /** Connection tables: one for each worker, and one in common when there are several. */
  private get shards(): number {
    return this.workers > 1 ? this.workers + 1 : 1;
  }

  private shard(shard: number): number {
    return this.word(CONTROL_BASE + CONTROL_TABLE_BASE) + (shard * SHARD_BYTES + BUCKET_BYTES) * this.buckets;
  }

  /** A word of a shard's table: it lies in its worker's state, or in the control page. */
  private state(shard: number, offset: number): number {
    if (shard === this.workers) return this.word(CONTROL_BASE + CONTROL_COMMONS + offset);
    return this.word(WORKERS_BASE + shard * WORKER_BYTES + WORKER_STATE + offset);
  }

  get connectionsUsed(): number {
    let used = 0;
    for (let shard = 0; shard < this.shards; shard++) used += this.state(shard, STATE_USED);
    return used;
  }

  get connectionsMax(): number {
    // Number 0 means none.
    return (CONNECTIONS_PER_BUCKET * this.buckets - 1) * this.workers;
  }

  /** Every connection and template, in the order of their records: for who knows that they are few. */
  connections(): ConnectionRow[] {
    return [...this.hashed()].map((record) => record.row(this.nowMs));
  }

  /** Those among so many records; `from` counts records through all shards. What comes or goes between two pages may be in none. */
  connectionPage(from = 0, recordsMost = PAGE_RECORDS): ConnectionPage {
    const each = this.buckets * CONNECTIONS_PER_BUCKET;
    const rows: ConnectionRow[] = [];
    let left = recordsMost;
    for (let shard = Math.floor(from / each); shard < this.shards; shard++) {
      const begin = Math.max(1, from - shard * each);
      const end = Math.min(this.state(shard, STATE_FRESH), begin + left);
      for (const record of this.hashedIn(shard, begin, end)) rows.push(record.row(this.nowMs));
      left -= Math.max(0, end - begin);
      if (left <= 0) return { rows, next: shard * each + end };
    }
    return { rows };
  }

  /** Ports of FTP, and the connections behind NAT that its helper looks after. */
  helpers(): HelperRow[] {
    const ports = Array.from({ length: HELPER_PORTS_COUNT }, (_, place) => this.view.getUint16(CONTROL_BASE + CONTROL_HELPER_PORTS + place * 2));
    const users = new Map(ports.filter((port) => port !== 0).map((port) => [port, 0]));
    for (const record of this.hashed()) {
      const count = record.isHelpable ? users.get(record.virtualPort) : undefined;
      if (count !== undefined) users.set(record.virtualPort, count + 1);
    }
    return [...users].map(([port, count]) => ({ port, users: count }));
  }

  private *hashed(): Generator<ConnectionRecord> {
    for (let shard = 0; shard < this.shards; shard++) yield* this.hashedIn(shard, 1, this.state(shard, STATE_FRESH));
  }

  private *hashedIn(shard: number, begin: number, end: number): Generator<ConnectionRecord> {
    const base = this.shard(shard);
    for (let index = begin; index < end; index++) {
      const record = new ConnectionRecord(this.view, base + index * CONNECTION_BYTES);
      if (record.has(ConnectionFlag.Hashed)) yield record;
    }
  }

  timeouts(): Timeouts {
    const seconds = (place: number): number => this.word(CONTROL_BASE + CONTROL_TIMEOUTS + place * 4) / 1000;
    return { tcp: seconds(TcpState.Established), tcpfin: seconds(TcpState.FinWait), udp: seconds(TIMEOUTS_UDP) };
  }

  private sysctl(sysctl: Sysctl): number {
    return this.word(CONTROL_BASE + CONTROL_SYSCTLS + sysctl * 4);
  }

  /** The second number of sync_threshold. */
  get syncPeriod(): number {
    return this.sysctl(Sysctl.SyncPeriod);
  }

  /** Settings by name: signed, but for how many messages may wait. */
  sysctls(): Record<string, number | string> {
    const value = (sysctl: Sysctl): number | string => {
      if (sysctl === Sysctl.SyncThreshold) return `${this.sysctl(sysctl)}\t${this.syncPeriod}`;
      return sysctl === Sysctl.SyncQlenMax ? this.sysctl(sysctl) : this.sysctl(sysctl) | 0;
    };
    return Object.fromEntries([...SYSCTLS].map(([name, sysctl]) => [name, value(sysctl)]));
  }

  neighbors(portName: (index: number) => string): NeighborRow[] {
    const rows: NeighborRow[] = [];
    const used = this.word(CONTROL_BASE + CONTROL_NEIGHBORS_USED);
    for (let index = 1; index < used; index++) {
      const at = NEIGHBORS_BASE + index * NEIGHBOR_BYTES;
      const state = this.view.getUint8(at + NEIGHBOR_STATE);
      if (state === NeighborState.Free) continue;
      rows.push({
        port: portName(this.view.getUint16(at + NEIGHBOR_PORT, true)),
        address: this.address(this.view.getUint8(at + NEIGHBOR_FAMILY), at + NEIGHBOR_ADDRESS),
        mac: formatMac(this.bytes.slice(at + NEIGHBOR_MACS, at + NEIGHBOR_MACS + MAC_BYTES)),
        state: NEIGHBOR_TEXTS[state] ?? String(state),
      });
    }
    return rows;
  }

  /** Dropped frames of all workers by reason; only reasons that happened. */
  drops(): Record<string, string> {
    const found: Record<string, string> = {};
    for (let reason = 1; reason < DropReason.Last; reason++) {
      let count = 0n;
      for (let worker = 0; worker < this.workers; worker++) {
        count += this.view.getBigUint64(DROPS_BASE + worker * DROPS_WORKER_BYTES + reason * 8, true);
      }
      if (count !== 0n) found[dropName(DropReason[reason] ?? String(reason))] = count.toString();
    }
    return found;
  }
}
