// The memory, drawn once. asc and tsc both compile this file; the records of the engine are checked
// against it at compile time. Offsets in bytes, little endian unless "network order" is said.
// Indices, not pointers, cross this page; index 0 means "none", so zeroed memory is an empty table.

import {
  BATCH_MAX, CACHE_MAX, CONNECTIONS_PER_BUCKET, EXTRAS_MAX, GROUP_MAX, LOCALS_MAX, MARKS_MAX, MEMBERS_MAX, NEIGHBORS_MAX, OWN_SLOTS_MAX,
  PATHS_MAX, PENDING_MAX, PORTS_MAX, REASSEMBLIES_MAX, ROUTES_MAX, SERVERS_MAX, SERVICES_MAX, SLABS_MAX,
  TRANSMIT_MAX, WORKERS_MAX,
} from "./limits";

export const ABI_VERSION: u32 = 1;
export const LAYOUT_VERSION: u32 = 7;
export const MAGIC: u32 = 0x5753564c; // "LVSW"

// ---------------------------------------------------------------------------- control page, 4 KiB
export const CONTROL_BASE: u32 = 0x1000;
export const CONTROL_MAGIC: u32 = 0;
export const CONTROL_ABI: u32 = 4;
export const CONTROL_LAYOUT: u32 = 8;
export const CONTROL_WORKERS: u32 = 12; //         the host writes these five before init()
export const CONTROL_BUCKET_BITS: u32 = 16;
export const CONTROL_SEED: u32 = 20; //            u32: hash and scheduler randomness
export const CONTROL_TABLE_BASE: u32 = 24; //      where the connection tables begin, 64-aligned
export const CONTROL_GROUP: u32 = 28; //           frames per stage, 1..GROUP_MAX; 0 means GROUP_MAX
export const CONTROL_NOW_MS: u32 = 32; //          the engine's clock, as last told
export const CONTROL_SERVICES_USED: u32 = 36; //   one past the highest service index ever used
export const CONTROL_SERVERS_USED: u32 = 40;
export const CONTROL_NEIGHBORS_USED: u32 = 44;
export const CONTROL_ROUTES_USED: u32 = 48;
export const CONTROL_LOCALS_USED: u32 = 52;
export const CONTROL_MARKS_USED: u32 = 56;
export const CONTROL_ROUTE_GENERATION: u32 = 60; // changed with every route, address and neighbour change
export const CONTROL_WHOLES: u32 = 64; //          locals that are whole subnets
export const CONTROL_DROP_COUNTER: u32 = 68; //    packets until drop_packet takes one
export const CONTROL_ORDER: u32 = 72; //           rises with every service and server added
export const CONTROL_DROP_RATE: u32 = 76; //       drop_packet takes one of so many; 0 none
export const CONTROL_DROP_ENTRIES: u32 = 80; //    1 while drop_entry is on
export const CONTROL_DEFENCE_MS: u32 = 84; //      when the defences were last decided
export const CONTROL_REMOVED_MS: u32 = 88; //      when removed servers were last looked at, or the first of them was removed
export const CONTROL_REMOVED: u32 = 92; //         servers that were removed and whose records are kept
// pools of the schedulers: u32 first record given back, u32 records ever taken
export const CONTROL_SLABS: u32 = 160;
export const CONTROL_DESTINATIONS: u32 = 168;
export const CONTROL_MEMBERS: u32 = 176;
export const CONTROL_SCHEDULE_SWEEP: u32 = 184; // u32 service the sweep of lblc's destinations has come to
export const CONTROL_DESTINATIONS_FULL: u32 = 188; // u32 destinations or members for which there was no room
export const CONTROL_SPARED: u32 = 192; //         u32 by packets sent, 0..8: connections drop_entry spares before the next
export const CONTROL_ORPHANS: u32 = 196; //        u32 rises when servers go and their connections shall go with them
export const CONTROL_SERVING: u32 = 200; //        u32 services of IPv4, u32 of IPv6
export const CONTROL_JOINING6: u32 = 208; //       u32 1 once there was a service of IPv6: its fragments are put together from then on
export const CONTROL_CHANGES: u32 = 212; //        u32 rises with every request and every setting changed: what was prepared is out of date
export const CONTROL_TRACKING4: u32 = 216; //      u32 services of IPv4 whose packets the kernel would track: all fragments are put together
export const CONTROL_PATHS: u32 = 220; //          u32 paths known to be narrower than their first hop
export const CONTROL_NEIGHBORS_HEARD: u32 = 224; // u32 neighbours in state Heard
export const CONTROL_SERVERS_FREE: u32 = 228; //    u32 no free server record lies below it
export const CONTROL_LONG_ROAD: u32 = 232; //      u32 1: nothing takes the express road (tests and benches compare)
// a kernel's timers, where the director is compared with one: see connection/wheel.ts
export const CONTROL_TICK_MS: u32 = 240; //        u32 from one of its ticks to the next; 0: timers go off when their time is over
export const CONTROL_TICKS_AT_MS: u32 = 244; //    u32 the engine's time at which its ticks were a multiple of every grain
export const CONTROL_SYSCTLS: u32 = 256; //        u32 each, by Sysctl
// what several workers share, each word on a line of its own: see base/lock.ts
export const CONTROL_LOCK: u32 = 2048; //          u32 the worker that holds the lock, plus one; 0 nobody
export const CONTROL_PENDING_ORDER: u32 = 2112; // u32 rises with every frame that waits for a neighbour
export const CONTROL_DATAGRAM_ORDER: u32 = 2116; // u32 rises with every datagram of which a first piece has come
/** Words of the commons' table, by the STATE_* of a worker's: only those of connections and extras are used. */
export const CONTROL_COMMONS: u32 = 2176;
export const CONTROL_HELPER_PORTS: u32 = 1152; //  u16 x 8, network order: virtual ports of FTP, 0 none
export const HELPER_PORTS_COUNT: u32 = 8;
export const CONTROL_TIMEOUTS: u32 = 512; //       u32 ms each: TCP states, then 16 UDP, then 32 SCTP
export const TIMEOUTS_UDP: u32 = 16; //            index of the first UDP timeout
export const TIMEOUTS_SCTP: u32 = 32;
export const TIMEOUTS_COUNT: u32 = 64;

// The connection sync daemons, 64 B each: the one that tells and the one that is told.
export const CONTROL_SYNC_MASTER: u32 = 1280;
export const CONTROL_SYNC_BACKUP: u32 = 1344;
export const SYNC_PORT: u32 = 0; //                u32 the port it speaks or listens on; 0: it does not run
export const SYNC_ID: u32 = 4; //                  u32 0..255
export const SYNC_MESSAGE_BYTES: u32 = 8; //       u32 of the longest message
export const SYNC_EPOCH: u32 = 12; //              u32 rises with every start and stop
export const SYNC_GROUP: u32 = 16; //              16 B
export const SYNC_UDP_PORT: u32 = 32; //           u16 host order; the first of sync_ports
export const SYNC_HOPS: u32 = 34; //               u8 time to live
export const SYNC_FAMILY: u32 = 35; //             u8 4, 6: the group's
export const SYNC_REPORTS: u32 = 36; //            u32 membership reports sent since the start
export const SYNC_REPORTED_MS: u32 = 40; //        u32 when the last was
export const SYNC_PORTS: u32 = 44; //              u32 how many UDP ports, by sync_ports when it was started
export const CONTROL_PASSIVE: u32 = 1408; //       u32 1: a backup of which backup_only says that it directs nothing

// -------------------------------------------------------------------------- request record, 256 B
// What `control` reads. Addresses are 16 bytes: IPv4 as ::ffff:a.b.c.d. Ports in network order.
export const REQUEST_BASE: u32 = CONTROL_BASE + 0x1000;
export const REQUEST_BYTES: u32 = 256;
export const REQUEST_FAMILY: u32 = 0; //           u8 4 or 6
export const REQUEST_PROTOCOL: u32 = 1; //         u8
export const REQUEST_PORT: u32 = 2; //             u16 virtual port, network order
export const REQUEST_FWMARK: u32 = 4; //           u32
export const REQUEST_ADDRESS: u32 = 16; //         16 B virtual address; local, route or neighbour address
export const REQUEST_FLAGS: u32 = 32; //           u32 ServiceFlag; PortFlag
export const REQUEST_SCHEDULER: u32 = 36; //       u32
export const REQUEST_TIMEOUT_S: u32 = 40; //       u32 persistence timeout, seconds
// persistence granularity: IPv4 netmask in network order, IPv6 prefix bits; prefix length of locals and routes
export const REQUEST_PREFIX: u32 = 44; //          u32
export const REQUEST_ENGINE: u32 = 48; //          u32 persistence engine: 0 none, 1 sip
export const REQUEST_SERVER_FAMILY: u32 = 52; //   u8
export const REQUEST_FORWARD: u32 = 53; //         u8
export const REQUEST_SERVER_PORT: u32 = 54; //     u16 network order
export const REQUEST_WEIGHT: u32 = 56; //          u32
export const REQUEST_UPPER: u32 = 60; //           u32
export const REQUEST_SERVER_ADDRESS: u32 = 64; //  16 B; gateway of a route (zeros: on link)
export const REQUEST_LOWER: u32 = 80; //           u32
export const REQUEST_TUNNEL_TYPE: u32 = 84; //     u8
export const REQUEST_TUNNEL_FLAGS: u32 = 85; //    u8
export const REQUEST_TUNNEL_PORT: u32 = 86; //     u16 network order
export const REQUEST_VALUES: u32 = 88; //          u32 x 4: timeouts in ms, a sysctl's number and value, MTU
export const REQUEST_MAC: u32 = 104; //            6 B
export const REQUEST_INTERFACE: u32 = 112; //      u32 port index, 1..PORTS_MAX
export const REQUEST_PEER_MAC: u32 = 116; //       6 B
export const REQUEST_SOURCE: u32 = 128; //         16 B source prefix of a mark rule
export const REQUEST_SOURCE_BITS: u32 = 144; //    u32

// ---------------------------------------------------------------------------------- state tables
// next state, u8 each: [secure 2][direction 3][event 4][state 16], written by init()
export const TCP_TABLE: u32 = REQUEST_BASE + 0x1000;
export const TCP_TABLE_BYTES: u32 = 2 * 3 * 4 * 16;
// [direction 3][event 10][state 16]
export const SCTP_TABLE: u32 = TCP_TABLE + 0x200;
export const SCTP_TABLE_BYTES: u32 = 3 * 10 * 16;
// eight tables of 256 words for SCTP's checksum, written by init()
export const CRC_TABLE: u32 = TCP_TABLE + 0x1000;
export const CRC_TABLE_BYTES: u32 = 8 * 256 * 4;

// ---------------------------------------------------------------------------- port records, 64 B
export const PORTS_BASE: u32 = CRC_TABLE + CRC_TABLE_BYTES;
export const PORT_BYTES: u32 = 64;
export const PORT_MAC: u32 = 0; //                 6 B, then 2 B of zero
export const PORT_FLAGS: u32 = 8; //               u32 PortFlag
export const PORT_MTU: u32 = 12; //                u32
export const PORT_PEER_MAC: u32 = 16; //           6 B: where frames for the director's kernel go

// ----------------------------------------------- addresses of the director itself, 32 B, a list
export const LOCALS_BASE: u32 = PORTS_BASE + 0x1000;
export const LOCAL_BYTES: u32 = 32;
export const LOCAL_ADDRESS: u32 = 0; //            16 B
export const LOCAL_PORT: u32 = 16; //              u16 port index (0: any)
export const LOCAL_PREFIX: u32 = 18; //            u8 bits of the subnet, 0..128 (IPv4 96..128)
export const LOCAL_FAMILY: u32 = 19; //            u8 4, 6; 0 free
export const LOCAL_WHOLE: u32 = 20; //             u8 a LocalKind
// open-addressed hash of u16 indices into the list
export const LOCALS_HASH: u32 = LOCALS_BASE + LOCALS_MAX * LOCAL_BYTES;
export const LOCALS_HASH_PLACES: u32 = LOCALS_MAX * 2;
// the same for IPv4 alone, u32 addresses as on the wire, 0 empty: what every packet's target is looked for in
export const LOCALS4_HASH: u32 = LOCALS_HASH + LOCALS_HASH_PLACES * 2;

// a bit for each place of that: 1 where an address lies
export const LOCALS4_BITS: u32 = LOCALS4_HASH + LOCALS_HASH_PLACES * 4;

// ---------------------------------------------------------------------------------- routes, 64 B
export const ROUTES_BASE: u32 = LOCALS4_BITS + LOCALS_HASH_PLACES / 8;
export const ROUTE_BYTES: u32 = 64;
export const ROUTE_ADDRESS: u32 = 0; //            16 B
export const ROUTE_GATEWAY: u32 = 16; //           16 B, zeros: on link
export const ROUTE_PREFIX: u32 = 32; //            u8 bits, IPv4 96..128
export const ROUTE_FAMILY: u32 = 33; //            u8 4, 6; 0 free
export const ROUTE_PORT: u32 = 34; //              u16
export const ROUTE_METRIC: u32 = 36; //            u32

// ------------------------------------------------------------------------------ neighbours, 64 B
export const NEIGHBORS_BASE: u32 = ROUTES_BASE + ROUTES_MAX * ROUTE_BYTES;
export const NEIGHBOR_BYTES: u32 = 64;
export const NEIGHBOR_ADDRESS: u32 = 0; //         16 B
export const NEIGHBOR_MACS: u32 = 16; //           12 B as on the wire: neighbour's, then our port's
export const NEIGHBOR_PORT: u32 = 28; //           u16
export const NEIGHBOR_STATE: u32 = 30; //          u8 NeighborState
export const NEIGHBOR_FAMILY: u32 = 31; //         u8
export const NEIGHBOR_CONFIRMED_MS: u32 = 32; //   u32 last proof of life
export const NEIGHBOR_USED_MS: u32 = 36; //        u32 last looked up on the slow road
export const NEIGHBOR_ASKED_MS: u32 = 40; //       u32
export const NEIGHBOR_TRIES: u32 = 44; //          u16
export const NEIGHBOR_PENDING: u32 = 46; //        u16 frames waiting
export const NEIGHBOR_NEXT: u32 = 48; //           u32 hash chain
export const NEIGHBOR_MTU: u32 = 52; //            u32 of the port
export const NEIGHBOR_CHANNEL: u32 = 56; //        u32 PortFlag of the port
export const NEIGHBOR_NARROWEST: u32 = 60; //      u32 the least that any known path through it carries: the express road's measure
export const NEIGHBORS_HASH: u32 = NEIGHBORS_BASE + NEIGHBORS_MAX * NEIGHBOR_BYTES; // u32 heads
export const NEIGHBORS_HASH_PLACES: u32 = 4096;

// ------------------------------------------------- paths narrower than their first hop, 32 B, four to a bucket
export const PATHS_BASE: u32 = NEIGHBORS_HASH + NEIGHBORS_HASH_PLACES * 4;
export const PATH_BYTES: u32 = 32;
export const PATH_TARGET: u32 = 0; //              16 B
export const PATH_MTU: u32 = 16; //                u32 as a router has told; 0 free
export const PATH_TOLD_MS: u32 = 20; //            u32 when it did
export const PATH_FORCED: u32 = 24; //             u32 1: told less than IPv4's least, so that what is only routed is bound by it, too
export const PATHS_PER_BUCKET: u32 = 4;

// ---------------------------------------------------------- frames waiting for a neighbour, 2176 B
export const PENDING_BASE: u32 = PATHS_BASE + PATHS_MAX * PATH_BYTES;
export const PENDING_BYTES: u32 = 2176;
export const PENDING_NEIGHBOR: u32 = 0; //         u32, 0 free
export const PENDING_FRAME_BYTES: u32 = 4; //      u32
export const PENDING_ORDER: u32 = 8; //            u32 rises with every frame
export const PENDING_FLAGS: u32 = 12; //           u32 FrameFlag
export const PENDING_FRAME: u32 = 64 + 66; //      frame begins here, its virtio header before it

// ----------------------------------------------------------------------------- mark rules, 64 B
export const MARKS_BASE: u32 = PENDING_BASE + PENDING_MAX * PENDING_BYTES;
export const MARK_BYTES: u32 = 64;
export const MARK_TARGET: u32 = 0; //              16 B destination prefix
export const MARK_SOURCE: u32 = 16; //             16 B source prefix
export const MARK_TARGET_BITS: u32 = 32; //        u8
export const MARK_SOURCE_BITS: u32 = 33; //        u8
export const MARK_FAMILY: u32 = 34; //             u8
export const MARK_PROTOCOL: u32 = 35; //           u8, 0 any
export const MARK_PORT_LOW: u32 = 36; //           u16 destination port, host order
export const MARK_PORT_HIGH: u32 = 38; //          u16
export const MARK_INTERFACE: u32 = 40; //          u32, 0 any
export const MARK_VALUE: u32 = 44; //              u32

// ------------------------------------------------------------------------ service records, 128 B
export const SERVICES_BASE: u32 = MARKS_BASE + MARKS_MAX * MARK_BYTES;
export const SERVICE_BYTES: u32 = 128;
export const SERVICE_ADDRESS: u32 = 0; //          16 B
export const SERVICE_FWMARK: u32 = 16; //          u32
export const SERVICE_PORT: u32 = 20; //            u16 network order
export const SERVICE_PROTOCOL: u32 = 22; //        u8
export const SERVICE_FAMILY: u32 = 23; //          u8 4, 6; 0 free
export const SERVICE_FLAGS: u32 = 24; //           u32 ServiceFlag
export const SERVICE_SCHEDULER: u32 = 28; //       u32
export const SERVICE_TIMEOUT_S: u32 = 32; //       u32
export const SERVICE_PREFIX: u32 = 36; //          u32 see REQUEST_PREFIX
export const SERVICE_ENGINE: u32 = 40; //          u32
export const SERVICE_SERVERS: u32 = 44; //         u32 newest server; the list goes on by SERVER_NEXT
export const SERVICE_SERVERS_COUNT: u32 = 48; //   u32
export const SERVICE_NEXT: u32 = 52; //            u32 hash chain
export const SERVICE_ORDER: u32 = 56; //           u32 rises with every service added
export const SERVICE_CURSOR: u32 = 60; //          u32 rr, wrr: the server chosen last
export const SERVICE_CURRENT: u32 = 64; //         i32 wrr: current weight
export const SERVICE_MAXIMUM: u32 = 68; //         u32 wrr: greatest weight
export const SERVICE_DIVISOR: u32 = 72; //         u32 wrr: greatest common divisor of the weights
export const SERVICE_SLAB: u32 = 76; //            u32 scheduler slab, 0 none
export const SERVICE_RANDOM: u32 = 80; //          u32 twos: generator state
export const SERVICES_HASH: u32 = SERVICES_BASE + SERVICES_MAX * SERVICE_BYTES; // u32 heads
export const SERVICES_HASH_PLACES: u32 = 1024;

// ------------------------------------------------------------------------- server records, 128 B
export const SERVERS_BASE: u32 = SERVICES_HASH + SERVICES_HASH_PLACES * 4;
export const SERVER_BYTES: u32 = 128;
export const SERVER_ADDRESS: u32 = 0; //           16 B
export const SERVER_PORT: u32 = 16; //             u16 network order
export const SERVER_FAMILY: u32 = 18; //           u8 4, 6; 0 free
export const SERVER_FORWARD: u32 = 19; //          u8
export const SERVER_FLAGS: u32 = 20; //            u32 ServerFlag
export const SERVER_WEIGHT: u32 = 24; //           u32
export const SERVER_ACTIVE: u32 = 28; //           u32
export const SERVER_INACTIVE: u32 = 32; //         u32
export const SERVER_PERSISTENT: u32 = 36; //       u32 templates
export const SERVER_UPPER: u32 = 40; //            u32
export const SERVER_LOWER: u32 = 44; //            u32
export const SERVER_SERVICE: u32 = 48; //          u32 service index, 0 when removed
export const SERVER_NEXT: u32 = 52; //             u32 next server of the service, or of the removed
export const SERVER_REFERENCES: u32 = 56; //       u32 connections that name this record
export const SERVER_LOAD_PLACE: u32 = 60; //       u32 among its service's loads, from 1; 0 none (schedule/loads.ts)
export const SERVER_VIRTUAL: u32 = 64; //          16 B the service's address, kept when removed
export const SERVER_VIRTUAL_PORT: u32 = 80; //     u16
export const SERVER_PROTOCOL: u32 = 82; //         u8
export const SERVER_VIRTUAL_FAMILY: u32 = 83; //   u8
export const SERVER_FWMARK: u32 = 84; //           u32
export const SERVER_TUNNEL_TYPE: u32 = 88; //      u8
export const SERVER_TUNNEL_FLAGS: u32 = 89; //     u8
export const SERVER_TUNNEL_PORT: u32 = 90; //      u16 network order
export const SERVER_IDLE_MS: u32 = 92; //          u32 when a removed record was seen unused, 0 not yet
export const SERVER_CHAIN: u32 = 96; //            u32 hash chain of those reached at one place (service/ends.ts)
export const SERVER_ORDER: u32 = 100; //           u32 rises with every server added
export const SERVER_PLACE: u32 = 104; //           u32 mh, while its table is filled: the place looked at,
export const SERVER_STEP: u32 = 108; //            u32 the way to the next,
export const SERVER_TURNS: u32 = 112; //           u32 places taken in a row
export const SERVER_NEXT_NAMED: u32 = 116; //      u32 hash chain of names (service/named.ts)
export const SERVER_LAST_WEIGHT: u32 = 124; //     u32 last weight that was not 0 (mh)
export const SERVERS_HASH: u32 = SERVERS_BASE + SERVERS_MAX * SERVER_BYTES; // u32 heads
export const SERVERS_HASH_PLACES: u32 = 4096;
export const SERVERS_NAMED: u32 = SERVERS_HASH + SERVERS_HASH_PLACES * 4; // u32 heads
export const SERVERS_NAMED_PLACES: u32 = 4096;

// ------------------------------------------------------- scheduler tables: slabs and lblc's cache
export const SLABS_BASE: u32 = SERVERS_NAMED + SERVERS_NAMED_PLACES * 4;
export const SLAB_BYTES: u32 = 16384; //           server index per place: mh u16 x 4093, sh and dh u32 x 256
// lblc and lblcr: 1024 heads of chains of destinations, then these words
export const SLAB_HEADS: u32 = 1024;
export const SLAB_COUNT: u32 = 1024; //            u32 destinations
export const SLAB_ROVER: u32 = 1025; //            u32 chain at which the last sweep ended
export const SLAB_MINUTES: u32 = 1026; //          u32 sweeps
export const SLAB_SWEPT_MS: u32 = 1027; //         u32
// a destination of lblc or lblcr, 32 B
export const CACHE_BASE: u32 = SLABS_BASE + SLABS_MAX * SLAB_BYTES;
export const CACHE_BYTES: u32 = 32;
export const CACHE_NEXT: u32 = 16; //              u32 after the address of 16 B: chain
export const CACHE_SERVERS: u32 = 28; //           u32 lblc: the server; lblcr: the first member of its set
// a server in the set of an lblcr destination, 8 B
export const MEMBERS_BASE: u32 = CACHE_BASE + CACHE_MAX * CACHE_BYTES;
export const MEMBER_BYTES: u32 = 8;

// ------------------------------------------------------------ counters, one set for each worker
// u64 each; packets and bytes lie side by side, so that one addition of two lanes counts both
export const COUNTER_BYTES: u32 = 64;
export const COUNTER_IN_PACKETS: u32 = 0;
export const COUNTER_IN_BYTES: u32 = 8;
export const COUNTER_OUT_PACKETS: u32 = 16;
export const COUNTER_OUT_BYTES: u32 = 24;
export const COUNTER_CONNECTIONS: u32 = 32;
export const COUNTERS_END: u32 = 40;
// by place: 0 is the total, then services by index, then servers by SERVICES_MAX + index
export const COUNTERS_PLACES: u32 = SERVICES_MAX + SERVERS_MAX;
export const COUNTERS_BASE: u32 = MEMBERS_BASE + MEMBERS_MAX * MEMBER_BYTES;
export const COUNTERS_WORKER_BYTES: u32 = COUNTERS_PLACES * COUNTER_BYTES;

// Estimators, by the same places (worker independent): the counters' last sums, which are listed, rates, and what -Z subtracts, each as above
export const RATE_BYTES: u32 = 128;
export const RATE_LAST: u32 = 0;
export const RATE_VALUE: u32 = RATE_LAST + COUNTERS_END; //              scaled: packets and connections << 10, bytes << 5
export const RATE_ZERO: u32 = RATE_VALUE + COUNTERS_END;
export const RATES_BASE: u32 = COUNTERS_BASE + COUNTERS_WORKER_BYTES * WORKERS_MAX;

// Drops, u64 by DropReason, one set for each worker
export const DROPS_BASE: u32 = RATES_BASE + COUNTERS_PLACES * RATE_BYTES;
export const DROPS_WORKER_BYTES: u32 = 1024;

// ------------------------------------------------------------------------ connection extras, 64 B
// Sequence deltas of helped connections and data of persistence engines.
export const EXTRAS_BASE: u32 = DROPS_BASE + DROPS_WORKER_BYTES * WORKERS_MAX;
export const EXTRA_BYTES: u32 = 64;
// a Sequence, 12 bytes: u32 place of the last change, i32 shift after it, i32 shift up to it
export const EXTRA_OUT: u32 = 0; //                the server's bytes
export const EXTRA_IN: u32 = 12; //                the client's bytes
export const EXTRA_MODE: u32 = 24; //              u32 FtpMode
export const EXTRA_ANSWERED: u32 = 28; //          u32 1 when the reply to it was read
export const EXTRA_REPLY: u32 = 32; //             u32 that reply's sequence number
// or, of a template, the text its persistence engine finds it by
export const EXTRA_TEXT_HASH: u32 = 0; //          u32
export const EXTRA_TEXT_BYTES: u32 = 4; //         u8
export const EXTRA_TEXT: u32 = 5; //               up to EXTRA_NEXT, going on at the beginning of the next extra
export const EXTRA_NEXT: u32 = 60; //              u32 next extra of a text; free list
/** Each shard has its own part of the region, the commons the last: no locks. */
export const EXTRAS_WORKER: u32 = EXTRAS_MAX / (WORKERS_MAX + 1) | 0;

// ----------------------------------------------- sync messages on their way, 1 MiB and a page a worker
// A page of words, then a ring of records, each from a multiple of 64 and never across the end.
//
//    0 | record's bytes | SyncRecord | message's bytes | port of sync_ports |
//   16 | first entry ms | queued ms |
//  128 | message; the headers of its frame before it |
export const SYNC_QUEUE_BYTES: u32 = 1048576;
export const SYNC_WORKER_BYTES: u32 = 4096 + SYNC_QUEUE_BYTES;
export const SYNC_RING: u32 = 4096;
export const SYNC_TAIL: u32 = 0; //                u32 the ring's oldest record
export const SYNC_HEAD: u32 = 4; //                u32 where the next record goes
export const SYNC_USED: u32 = 8; //                u32 bytes from tail to head
export const SYNC_QUEUED: u32 = 12; //             u32 messages that wait
export const SYNC_SEEN: u32 = 16; //               u32 the master's epoch, as last seen
export const SYNC_OPEN: u32 = 64; //               u32 x SYNC_PORTS_MAX: address of the record that is filled, 0 none
export const SYNC_TEXT: u32 = 512; //              256 B: a text that is sent
export const SYNC_QUEUES_BASE: u32 = EXTRAS_BASE + EXTRAS_MAX * EXTRA_BYTES;
export const SYNC_RECORD_BYTES: u32 = 0; //        u32
export const SYNC_RECORD_STATE: u32 = 4; //        u32 a SyncRecord
export const SYNC_RECORD_MESSAGE_BYTES: u32 = 8; // u32
export const SYNC_RECORD_PORT: u32 = 12; //        u32 0..SYNC_PORTS_MAX-1
export const SYNC_RECORD_FIRST_MS: u32 = 16; //    u32
export const SYNC_RECORD_QUEUED_MS: u32 = 20; //   u32
export const SYNC_RECORD_MESSAGE: u32 = 128;
export const TOLD_BYTES: u32 = 104;

// ------------------------------------------------------------------------------- reassembly, 68 KiB
export const REASSEMBLIES_BASE: u32 = SYNC_QUEUES_BASE + SYNC_WORKER_BYTES * WORKERS_MAX;
export const REASSEMBLY_BYTES: u32 = 69632;

// --------------------------------------------------------------------------------- worker regions
// One for each worker: lists of frames, packets of the group, the engine's own slots.
export const LIST_ENTRY_BYTES: u32 = 16;
export const ENTRY_FRAME: u32 = 0; //              u32 address of the Ethernet header
export const ENTRY_BYTES: u32 = 4; //              u32 bytes of the frame
export const ENTRY_PORT: u32 = 8; //               u16 port index
export const ENTRY_FLAGS: u32 = 10; //             u16 FrameFlag
export const ENTRY_CAUSE: u32 = 12; //             u32 transmit: index of the received frame that caused it

export const WORKER_RECEIVE: u32 = 0;
// after the host's entries those that other workers have handed over: their index is BATCH_MAX and more
export const WORKER_TRANSMIT: u32 = WORKER_RECEIVE + 2 * BATCH_MAX * LIST_ENTRY_BYTES;
export const WORKER_PACKETS: u32 = WORKER_TRANSMIT + TRANSMIT_MAX * LIST_ENTRY_BYTES;
/** Odd in lines, so that the packets' first ones do not share every second set of a cache. */
export const PACKET_BYTES: u32 = 192;
export const WORKER_STATE: u32 = WORKER_PACKETS + (GROUP_MAX + 2) * PACKET_BYTES; // 4 KiB, see WORKER_* below
export const WORKER_OWN: u32 = WORKER_STATE + 4096;
/** An own slot: 66 bytes of headroom before the frame, so that IP and TCP headers share a line. */
export const OWN_SLOT_BYTES: u32 = 2112;
export const SLOT_HEADROOM: u32 = 66;
// Outer headers prepared for tunnels, by server: each worker has its own
export const WORKER_TUNNELS: u32 = WORKER_OWN + OWN_SLOTS_MAX * OWN_SLOT_BYTES;
export const TUNNEL_BYTES: u32 = 64;
export const TUNNEL_GENERATION: u32 = 0; //        u32 of routes, when it was prepared
export const TUNNEL_OUTER_BYTES: u32 = 4; //       u32 outer IP header and what stands between it and the inner one
export const TUNNEL_SUM: u32 = 8; //               u32 IPv4: sum of what is the same in every outer header
export const TUNNEL_PROTOCOL: u32 = 12; //         u32
export const TUNNEL_SOURCE: u32 = 16; //           16 B
export const TUNNEL_TARGET: u32 = 32; //           16 B
// What a new connection to each server looks like: the first line of a record. Its home is CONTROL_CHANGES of that time.
export const WORKER_PREPARED: u32 = WORKER_TUNNELS + SERVERS_MAX * TUNNEL_BYTES;
export const PREPARED_BYTES: u32 = 64;
export const WORKER_BYTES: u32 = WORKER_PREPARED + SERVERS_MAX * PREPARED_BYTES;
export const WORKERS_BASE: u32 = ((REASSEMBLIES_BASE + REASSEMBLIES_MAX * REASSEMBLY_BYTES + 4095) / 4096 | 0) * 4096;

// words of WORKER_STATE
export const STATE_TRANSMIT_COUNT: u32 = 0; //     u32
export const STATE_OWN_COUNT: u32 = 4; //          u32 own slots used in this batch
export const STATE_FREE: u32 = 8; //               u32 connections on the stack of the free
export const STATE_FRESH: u32 = 12; //             u32 connections below this index have been used
export const STATE_USED: u32 = 16; //              u32 connections in use
export const STATE_SWEEP: u32 = 20; //             u32 where the expiry sweep goes on, a multiple of SWEEP_BLOCK
export const STATE_CAUSE: u32 = 24; //             u32 index of the frame being handled
export const STATE_IDENTIFICATION: u32 = 28; //    u32 IP identification of frames we originate
export const STATE_TOUCHED: u32 = 32; //           u32 sink that keeps touch loops alive
export const STATE_SWEPT_MS: u32 = 36; //          u32
export const STATE_ESTIMATED_MS: u32 = 40; //      u32
export const STATE_EXTRA_FREE: u32 = 48; //        u32 first free extra, 0 none
export const STATE_EXTRA_FRESH: u32 = 52; //       u32 extras of this worker ever taken
export const STATE_AWAITED: u32 = 56; //           u32 connections whose client's port is not yet known
export const STATE_DEFENDED_MS: u32 = 60; //       u32 when drop_entry last looked at buckets
export const STATE_OWED_BUCKETS: u32 = 64; //      u32 thousandths of a bucket it has yet to look at
export const STATE_RANDOM: u32 = 68; //            u32 its generator's state, 0 not begun
export const STATE_HANDED_TO: u32 = 72; //         u32 one bit for each worker that got frames from us in this call: the host wakes it
export const STATE_DATAGRAMS: u32 = 76; //         u32 1: whole datagrams of the last batch keep their reassembly records
export const STATE_RECEIVED: u32 = 80; //          u64 frames the host has handed in
export const STATE_HANDED_OVER: u32 = 88; //       u64 frames given to their owner
export const STATE_HANDED_IN: u32 = 96; //         u64 frames got from other workers
export const STATE_ORPHANS: u32 = 104; //          u32 what CONTROL_ORPHANS was when connections without a server were last looked for
export const STATE_ORPHANS_AT: u32 = 108; //       u32 connection that search has come to, 0 when it is over
export const STATE_RETIRED_COUNT: u32 = 112; //    u32
export const STATE_SWEEP_OWED: u32 = 116; //       u32 connections the sweep has still to look at
export const STATE_SWEEP_ALL: u32 = 120; //        u32 of those it looks at whatever their words say: time has jumped
export const STATE_RETIRED: u32 = 1024; //         u32 x RETIRED_MAX: connections that end at the next tick
export const STATE_HELPER: u32 = 512; //           128 B of a helper's scratch: an address, then a text
export const STATE_TEMPLATE: u32 = 640; //         32 B: the client's net and the virtual address a template is looked for by
export const STATE_EMBEDDED: u32 = 672; //         32 B: source and target of the packet inside an ICMP error
export const STATE_SYNC_TOLD: u32 = 704; //        104 B: what an entry of a sync message says
export const STATE_WRITTEN: u32 = 832; //          48 B: client, virtual and server address of a connection without details, in their long form
export const STATE_ENDING: u32 = 3072; //          u32 x 256: connections the sweep has picked
// While packets are handled nothing is swept, and the same place holds what begin/foresee.ts lists:
export const STATE_FORESEEN_WORDS: u32 = STATE_ENDING; //                   u32 x GROUP_MAX: what Maglev hashes of clients
export const STATE_FORESEEN_PACKETS: u32 = STATE_ENDING + GROUP_MAX * 4; // u32 x GROUP_MAX: their packets

/** Everything with a fixed place ends here; the host may put frame slots and then the tables above. */
export const FIXED_END: u32 = WORKERS_BASE + WORKER_BYTES * WORKERS_MAX;

// ---------------------------------------------------------------- connection tables, by the worker
// At CONTROL_TABLE_BASE: for each worker its buckets, then its connections, then two words for each connection: when
// the sweep looks at it (connection/due.ts), and a place on the stack of the free. With more than one worker another
// such table follows, the commons, for what belongs to no worker alone (templates, announced connections), and
// then the rings. A connection's number names its shard in the uppermost byte: the worker, or CONTROL_WORKERS.
//
// Bucket, 64 bytes, one cache line:
//    0 | tag, u16 x 8 (0: empty)                            |
//   16 | connection index, u32 x 8                          |
//   48 | zero, u32 (index 8: what a miss reads) | overflow  |
export const BUCKET_BYTES: u32 = 64;
export const BUCKET_PLACES: u32 = 8;
export const BUCKET_INDICES: u32 = 16;
export const BUCKET_OVERFLOW: u32 = 52; //         u32 entries that had to go to a later bucket
export const BUCKET_PASSED: u32 = 56; //           u32 a bit for each value of five bits of their tags

// Connection, 128 bytes. The first line is all there is of an IPv4 connection on which nothing else hangs.
//
//    0 | client address | virtual address |          IPv6: 32-bit folds of both
//    8 | client, virtual port | protocol | state | flags, u16 |
//   16 | server address | client address |           IPv6: folds
//   24 | server, client port | server index, u16 | when last synced, u16 |
//   32 | IP delta in | L4 delta in | IP delta out | L4 delta out |
//   40 | last seen ms | timeout ms |
//   48 | packets in | home: bucket * 8 + place |
//   56 | neighbour to server, u16 | neighbour to client, u16 | route generation |
export const CONNECTION_BYTES: u32 = 128;
export const CONNECTION_CLIENT: u32 = 0;
export const CONNECTION_VIRTUAL: u32 = 4;
export const CONNECTION_CLIENT_PORT: u32 = 8;
export const CONNECTION_VIRTUAL_PORT: u32 = 10;
export const CONNECTION_PROTOCOL: u32 = 12;
export const CONNECTION_STATE: u32 = 13;
export const CONNECTION_FLAGS: u32 = 14;
export const CONNECTION_SERVER_ADDRESS: u32 = 16;
export const CONNECTION_CLIENT_AGAIN: u32 = 20;
export const CONNECTION_SERVER_PORT: u32 = 24;
export const CONNECTION_CLIENT_PORT_AGAIN: u32 = 26;
export const CONNECTION_SERVER: u32 = 28; //       u16
export const CONNECTION_SYNCED: u32 = 30; //       u16 when it was told to others, see sync/needed.ts
export const SYNCED_BY_OTHERS: u32 = 4; //         its bit: another director has told of the connection
export const CONNECTION_IP_DELTA_IN: u32 = 32;
export const CONNECTION_L4_DELTA_IN: u32 = 34;
export const CONNECTION_IP_DELTA_OUT: u32 = 36;
export const CONNECTION_L4_DELTA_OUT: u32 = 38;
export const CONNECTION_LAST_MS: u32 = 40;
export const CONNECTION_TIMEOUT_MS: u32 = 44;
export const CONNECTION_PACKETS: u32 = 48;
export const CONNECTION_HOME: u32 = 52;
export const CONNECTION_HOP_IN: u32 = 56;
export const CONNECTION_HOP_OUT: u32 = 58;
export const CONNECTION_GENERATION: u32 = 60;
// The second line, its details: of a connection that has the flag Detailed. Of any other it is not written, and means nothing.
export const CONNECTION_CLIENT16: u32 = 64; //     16 B the addresses in their long form
export const CONNECTION_VIRTUAL16: u32 = 80; //    16 B
export const CONNECTION_SERVER16: u32 = 96; //     16 B
export const CONNECTION_CONTROL: u32 = 112; //     u32 template or controlling connection
export const CONNECTION_CHILDREN: u32 = 116; //    u32 connections this one controls
export const CONNECTION_EXTRA: u32 = 120; //       u32 index into the extras
export const CONNECTION_FWMARK: u32 = 124; //      u32
/** The sweep's word and the stack's word of a connection. The sweep's is a time in units of 32 ms, modulo 2^16. */
export const DUE_UNIT_BITS: u32 = 5;
export const DUE_BYTES: u32 = 2;
export const FREE_BYTES: u32 = 4;
/** Connections whose words the sweep compares at once: two lines. */
export const SWEEP_BLOCK: u32 = 64;
/** A worker's part, for each of its buckets. */
export const SHARD_BYTES: u32 = BUCKET_BYTES + CONNECTIONS_PER_BUCKET * (CONNECTION_BYTES + DUE_BYTES + FREE_BYTES);

// ------------------------------------------------------------------- rings between workers, 1028 KiB
// After the tables, from the next page: one for each pair, at (to * workers + from). One writes, one reads.
//
//    0 | put: bytes ever put, u32            |   the giver's line
//   64 | taken, u32 | read, u32              |   the owner's line: given back; looked at, but not yet sent
// 4096 | records, one after the other, each from a multiple of 64 and never across the end |
export const RING_PUT: u32 = 0;
export const RING_TAKEN: u32 = 64;
export const RING_READ: u32 = 68;
export const RING_RECORDS: u32 = 4096;
/** 600 long frames: what a NIC brings while the owner waits for its turn of a processor. With a quarter, a tenth of bulk by AF_XDP was lost. */
export const RING_RECORDS_BYTES: u32 = 1048576;
export const RING_BYTES: u32 = RING_RECORDS + RING_RECORDS_BYTES;
// A record: bytes of it in all | Handed | frame's bytes | port and flags as in a list | aside; then a copy of the frame, its
// virtio header and headroom before it, or of a whole datagram's Packet, or the key of a connection of the owner's
export const HANDED_BYTES: u32 = 0;
export const HANDED_KIND: u32 = 4;
export const HANDED_FRAME_BYTES: u32 = 8;
export const HANDED_PORT: u32 = 12;
export const HANDED_ASIDE: u32 = 16; //           u32 of a frame: Packet.aside, as clearing behind its options has left nothing to see
export const HANDED_PACKET: u32 = 64;
export const HANDED_FRAME: u32 = 64 + SLOT_HEADROOM;
export const HANDED_CLIENT: u32 = 64; //           16 B
export const HANDED_VIRTUAL: u32 = 80; //          16 B
export const HANDED_CLIENT_PORT: u32 = 96; //      u16
export const HANDED_VIRTUAL_PORT: u32 = 98; //     u16
export const HANDED_PROTOCOL: u32 = 100; //        u8
export const HANDED_FAMILY: u32 = 101; //          u8
export const HANDED_KEY_BYTES: u32 = 128; //       of the whole record
