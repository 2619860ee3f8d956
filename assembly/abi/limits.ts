// Every maximum of the engine, with its reason. Reaching one is counted, never silent.

/** Frames handled in one pass through the stages; 64 hides memory latency, more only adds cache. */
export const GROUP_MAX: u32 = 64;
/** Frames in one call of `receive`: the longest receive list a host may hand over. */
export const BATCH_MAX: u32 = 256;
/** Frames one batch can cause to be sent: a 64 KB super-frame may leave as 46 segments. */
export const TRANSMIT_MAX: u32 = 4096;

/** Workers (shards) of one engine memory; more than the cores of a common director. */
export const WORKERS_MAX: u32 = 8;

/** Network ports of the director. */
export const PORTS_MAX: u32 = 16;
/** Addresses that are the director's own (VIPs included); a hash of twice this many places. */
export const LOCALS_MAX: u32 = 2048;
/** Routes; they are searched one after the other when a neighbour is not yet known. */
export const ROUTES_MAX: u32 = 256;
/** Neighbours (ARP and ND); the oldest unused one makes room. */
export const NEIGHBORS_MAX: u32 = 4096;
/** Neighbours that nobody has sent to yet: a flood of strangers gets no more of the table, and takes nobody's place. */
export const NEIGHBORS_HEARD_MAX: u32 = 1024;
/** Targets whose way is known to be narrower than its first hop; a multiple of four, the oldest of which makes room. */
export const PATHS_MAX: u32 = 1024;
/** Frames that wait for a neighbour's answer, in all. */
export const PENDING_MAX: u32 = 512;
/**
 * Frames that wait for one neighbour's answer; for more the oldest goes. A kernel lets 212,992 bytes wait (unres_qlen_bytes), and counts
 * 2,304 for each packet of a card whose buffers have 2 KB, however long it is (recording unanswered4).
 */
export const PENDING_PER_NEIGHBOR: u32 = 92;
/** Rules that mark packets (`iptables -t mangle ... MARK`). */
export const MARKS_MAX: u32 = 256;

/** Virtual services. */
export const SERVICES_MAX: u32 = 4096;
/** Real servers over all services, those kept for their connections included. */
export const SERVERS_MAX: u32 = 16384;
/** Scheduler slabs: one for each service whose scheduler keeps a table (sh, dh, mh, lblc, lblcr). */
export const SLABS_MAX: u32 = 1024;
/** Destinations remembered by lblc and lblcr over all services. */
export const CACHE_MAX: u32 = 32768;
/** Servers in the sets of lblcr's destinations: four for each, were all of them lblcr's. */
export const MEMBERS_MAX: u32 = 131072;

/** Fewest and most bits of the connection table; 2^22 buckets and their connections fill 2.4 GiB. */
export const BUCKET_BITS_MIN: u32 = 8;
export const BUCKET_BITS_MAX: u32 = 22;
/** Connections per bucket of eight places: half full at most, so that overflow stays rare. */
export const CONNECTIONS_PER_BUCKET: u32 = 4;
/** Connections one tick ends at most: about 2 ms. The others wait for the next tick. */
export const ENDED_PER_TICK: u32 = 32768;
/** Connections with sequence deltas or persistence data (FTP, SIP): 8192 for each worker and as many in common. */
export const EXTRAS_MAX: u32 = 73728;
/** Bytes of the text a persistence engine may find a template by: what the kernel keeps. */
export const TEXT_BYTES_MAX: u32 = 255;

/** Connections that wait for the next tick to end; one more ends at once. */
export const RETIRED_MAX: u32 = 512;
/** Connections looked at in a tick for servers that are gone: 64 K take about a millisecond. */
export const ORPHANS_PER_TICK: u32 = 65536;

/** A controlling connection whose time is over while others live by it is looked at again after this long. */
export const CONTROL_RETRY_MS: u32 = 60000;

/** Datagrams that are being put together from fragments; the oldest makes room. */
export const REASSEMBLIES_MAX: u32 = 128;
/** Fragments of one datagram: 64 KB in pieces of 576 bytes, doubled. */
export const FRAGMENTS_MAX: u32 = 256;

/** Frames the engine itself can originate in one batch. */
export const OWN_SLOTS_MAX: u32 = 1024;

/** UDP ports a master may spread its messages over, as in the kernel. */
export const SYNC_PORTS_MAX: u32 = 64;
/** Times a connection is told again within a sync_refresh_period, as in the kernel. */
export const SYNC_RETRIES_MAX: u32 = 3;
/** Bytes of the longest sync message: what one datagram holds. */
export const SYNC_MESSAGE_BYTES_MAX: u32 = 65507;
/** Sync messages that may wait to be sent, where sync_qlen_max is not set: a thirty-second of a small kernel's pages. */
export const SYNC_QUEUE_MAX: u32 = 874;
