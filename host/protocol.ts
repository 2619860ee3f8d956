// What an administrator can ask of a director, and what it answers: the only thing host/cli knows.
// On the control socket each request is one JSON object by HTTP POST /control, each answer another.

export type ServiceProtocol = "tcp" | "udp" | "sctp" | "fwmark";
export type Family = 4 | 6;
export type ForwardName = "masq" | "local" | "tunnel" | "route";
export type TunnelName = "ipip" | "gue" | "gre";

/** What identifies a virtual service. For fwmark, address and port are empty and 0. */
export interface ServiceKey {
  protocol: ServiceProtocol;
  family: Family;
  address: string;
  port: number;
  fwmark: number;
}

export interface ServiceSpec extends ServiceKey {
  scheduler: string;
  /** Scheduler flags as bits: flag-1 = 8, flag-2 = 16, flag-3 = 32. */
  schedulerFlags: number;
  persistent: boolean;
  /** Persistence timeout in seconds. */
  timeoutSeconds: number;
  /** Persistence granularity: dotted netmask for IPv4 ("255.255.255.255"), prefix bits for IPv6 ("128"). */
  netmask: string;
  /** "" or "sip". */
  persistenceEngine: string;
  onePacket: boolean;
}

export interface ServerKey {
  family: Family;
  address: string;
  port: number;
}

export interface ServerSpec extends ServerKey {
  forward: ForwardName;
  weight: number;
  upperThreshold: number;
  lowerThreshold: number;
  tunnel: TunnelName;
  tunnelPort: number;
  /** 0 none, 1 checksum, 2 remote checksum. */
  tunnelFlags: number;
}

/** Sums since start or the last -Z; decimal strings because they are 64-bit. */
export interface Counters {
  connections: string;
  inPackets: string;
  outPackets: string;
  inBytes: string;
  outBytes: string;
}

/** Per second, as the kernel's estimator rounds them. */
export interface Rates {
  connections: number;
  inPackets: number;
  outPackets: number;
  inBytes: number;
  outBytes: number;
}

export interface ServerRow extends ServerSpec {
  activeConnections: number;
  inactiveConnections: number;
  persistentConnections: number;
  counters: Counters;
  rates: Rates;
}

export interface ServiceRow extends ServiceSpec {
  /** In the kernel's order: the newest first. */
  servers: ServerRow[];
  counters: Counters;
  rates: Rates;
}

/** What one thread of the data plane has done. Decimal strings because they are 64-bit. */
export interface WorkerRow {
  /** Frames that came in by its queues. */
  received: string;
  /** Frames of others' connections that it gave away, and frames of its own that others gave it. */
  handedOver: string;
  handedIn: string;
  /** Frames that it could not give away because the ring was full. */
  handoverFull: string;
  connections: number;
}

export interface Table {
  /** Buckets of the connection table, shown as (size=N). */
  size: number;
  services: ServiceRow[];
  total: { counters: Counters; rates: Rates };
  /** The total as each worker has counted it, since start. */
  workers: Counters[];
}

export interface ConnectionRow {
  family: Family;
  /** "TCP", "UDP", "SCTP", "IP". */
  protocol: string;
  state: string;
  expiresSeconds: number;
  clientAddress: string;
  clientPort: number;
  virtualAddress: string;
  virtualPort: number;
  serverFamily: Family;
  serverAddress: string;
  serverPort: number;
  persistenceEngine: string;
  persistenceData: string;
  /** True when another director has told of it. */
  synced: boolean;
}

/** A port whose connections have a helper, and how many there are. */
export interface HelperRow {
  port: number;
  users: number;
}

export type DaemonRole = "master" | "backup";

/** A connection sync daemon. */
export interface DaemonSpec {
  role: DaemonRole;
  /** A port's name. */
  interface: string;
  syncId: number;
  /** Bytes of the longest message; 0 asks for what fits a common link. */
  messageBytes: number;
  group: string;
  udpPort: number;
  timeToLive: number;
}

export interface PortRow {
  name: string;
  mac: string;
  mtu: number;
  device: string;
  driver: string;
  /** Why it is this driver. */
  driverReason: string;
  /** How frames find their worker; "" when there is one. */
  steering: string;
  up: boolean;
  /** The device's own; 0 where there is none. */
  deviceMtu: number;
  addresses: string[];
  /** Frames its device would not take, and the name of the last error ("" when there was none). */
  refusedFrames: number;
  refusedError: string;
  /** What the kernel has counted about the AF_XDP sockets of a NIC, one for each queue. */
  queues: QueueRow[];
}

/** Frames lost or refused at one queue of a NIC. */
export interface QueueRow {
  queue: number;
  dropped: number;
  invalid: number;
  invalidSent: number;
  receiveFull: number;
  fillEmpty: number;
  transmitEmpty: number;
}

export interface NeighborRow {
  port: string;
  address: string;
  mac: string;
  state: string;
}

/** Some of the connections, and where the next of them begin; nowhere behind the last. A table of millions fits in no answer. */
export interface ConnectionPage { rows: ConnectionRow[]; next?: number }

export interface Status {
  version: string;
  uptimeSeconds: number;
  workers: number;
  /** By worker; empty when there is only one. */
  workerRows: WorkerRow[];
  buckets: number;
  connectionsUsed: number;
  connectionsMax: number;
  ports: PortRow[];
  neighbors: NeighborRow[];
  /** Dropped frames by reason; only reasons that happened. */
  drops: Record<string, string>;
}

export interface Timeouts { tcp: number; tcpfin: number; udp: number }

export type ControlRequest =
  | { do: "service-add" | "service-edit"; service: ServiceSpec }
  | { do: "service-delete"; service: ServiceKey }
  | { do: "server-add" | "server-edit"; service: ServiceKey; server: ServerSpec }
  | { do: "server-delete"; service: ServiceKey; server: ServerKey }
  | { do: "flush" }
  | { do: "zero"; service?: ServiceKey }
  | { do: "timeouts-set"; timeouts: Timeouts } // seconds, 0 leaves one as it is
  | { do: "timeouts" }
  | { do: "table" }
  | { do: "connections"; from?: number } // from: where the page before said that the next begins
  | { do: "daemons" }
  | { do: "helpers" }
  | { do: "daemon-start"; daemon: DaemonSpec }
  | { do: "daemon-stop"; role: DaemonRole }
  | { do: "status" }
  | { do: "sysctls" }
  | { do: "sysctl-set"; name: string; value: number; period?: number } // period: the second number of sync_threshold
  | { do: "mark-add"; rule: MarkRule }
  | { do: "default-forward" };

export interface MarkRule {
  family: Family;
  interface: string; // "" any
  source: string; // "a.b.c.d/len", "" any
  destination: string;
  protocol: "" | "tcp" | "udp" | "sctp" | "icmp";
  portLow: number; // 0..65535 for any
  portHigh: number;
  mark: number;
}

/** The names of assembly/abi ControlError, as they travel. */
export type ControlFailure =
  | "invalid" | "exists" | "not-found" | "no-service" | "server-exists" | "no-server" | "no-scheduler"
  | "full" | "range" | "unsupported" | "address-family" | "no-device";

export interface ControlReplies {
  "table": Table;
  "connections": ConnectionPage;
  "timeouts": Timeouts;
  "daemons": DaemonSpec[];
  "helpers": HelperRow[];
  "status": Status;
  "sysctls": Record<string, number | string>; // sync_threshold is two numbers, a tab between them
  "default-forward": ForwardName;
}

export type ReplyOf<R extends ControlRequest> =
  R["do"] extends keyof ControlReplies ? ControlReplies[R["do"]] : null;

export type ControlReply<T> = { ok: true; value: T } | { ok: false; error: ControlFailure; detail?: string };

/** Anything that answers requests: a daemon behind its socket, or an engine in this process. */
export interface Director {
  request<R extends ControlRequest>(request: R): Promise<ControlReply<ReplyOf<R>>>;
}
