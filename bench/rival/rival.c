// The same roads as the engine's for a client's packet (NAT, direct routing, a tunnel by IPIP), written in C: what
// a native director would spend on them.
//
// The same work: Ethernet, IPv4 and TCP validated, the IP checksum verified, the local address looked up, the
// connection found by its client, TCP state and timeout, the counters, hops, size, neighbour, checksums amended or
// an outer header written, an entry in the transmit list. The same lists and frames as the engine's, in its memory.

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { GROUP = 64, SERVERS = 64, ESTABLISHED = 1, STATES = 16, ACK = 0x10, FIN_SYN_RST = 0x07 };
enum { NAT = 0, TUNNEL = 2, DIRECT = 3, OUTER_BYTES = 20, HOP = 0xfffe };

typedef struct { uint32_t frame, bytes; uint16_t port, flags; uint32_t cause; } entry;

typedef struct {
  uint32_t client, virtual_address;
  uint16_t client_port, virtual_port;
  uint8_t protocol, state;
  uint16_t server;
  uint32_t server_address;
  uint16_t server_port, ip_delta, l4_delta, neighbor;
  uint32_t last_ms, timeout_ms, packets, spare;
} connection;

typedef struct { uint32_t hash, index; } place;
typedef struct { uint64_t packets, bytes; } counter;
typedef struct { uint8_t macs[12]; uint16_t port, reachable; uint32_t mtu, available, source, address, outer_sum; } neighbor;
typedef struct { uint32_t frame, bytes, hash; uint16_t total_bytes, ordinary; connection *found; } packet;

typedef struct {
  uint8_t mac[8];
  uint32_t virtual_address, seed, place_mask, used, staged, method, identification;
  uint16_t virtual_port, spare;
  uint32_t timeouts[STATES];
  uint8_t next_state[STATES];
  neighbor neighbors[SERVERS];
  counter total, service, servers[SERVERS];
  place *places;
  connection *connections;
  packet packets[GROUP];
  volatile uint32_t touched;
} rival;

static uint16_t load16(const uint8_t *at) { uint16_t value; memcpy(&value, at, 2); return value; }
static uint32_t load32(const uint8_t *at) { uint32_t value; memcpy(&value, at, 4); return value; }
static void store16(uint8_t *at, uint16_t value) { memcpy(at, &value, 2); }
static void store32(uint8_t *at, uint32_t value) { memcpy(at, &value, 4); }

static uint32_t fold(uint32_t sum) {
  sum = (sum & 0xffff) + (sum >> 16);
  return (sum & 0xffff) + (sum >> 16);
}

static uint32_t difference32(uint32_t before, uint32_t after) {
  return fold((~before & 0xffff) + (~before >> 16) + (after & 0xffff) + (after >> 16));
}

static void amend(uint8_t *at, uint32_t delta) { store16(at, (uint16_t)~fold((~load16(at) & 0xffff) + delta)); }

static uint32_t hash_client(const rival *own, uint32_t client, uint32_t port, uint32_t protocol) {
  uint64_t value = ((uint64_t)(client ^ own->seed) << 32 | (protocol << 16 | port)) * 0x9e3779b97f4a7c15u;
  return (uint32_t)(((value ^ (value >> 32)) * 0xd6e8feb86659fd93u) >> 32);
}

/** Zeroed memory in huge pages where the kernel has some, as the engine's tables. */
static void *reserve(size_t bytes) {
  const size_t huge = (size_t)2 << 20;
  void *at;
  bytes = (bytes + huge - 1) / huge * huge;
  if (posix_memalign(&at, huge, bytes) != 0) abort();
  madvise(at, bytes, MADV_HUGEPAGE);
  memset(at, 0, bytes);
  return at;
}

uintptr_t rival_create(uint32_t connections, uint32_t staged, uint32_t method) {
  rival *own = calloc(1, sizeof *own);
  uint32_t places = 16;
  while (places < connections * 2) places *= 2;
  own->places = reserve(places * sizeof(place));
  own->connections = reserve((connections + 1) * sizeof(connection));
  own->place_mask = places - 1;
  own->seed = 7;
  own->staged = staged;
  own->method = method;
  own->next_state[ESTABLISHED] = ESTABLISHED;
  own->timeouts[ESTABLISHED] = 900000;
  return (uintptr_t)own;
}

void rival_free(uintptr_t handle) {
  rival *own = (rival *)handle;
  free(own->places);
  free(own->connections);
  free(own);
}

/** The port's own hardware address and the virtual service. */
void rival_virtual(uintptr_t handle, const uint8_t *mac, uint32_t address, uint32_t port) {
  rival *own = (rival *)handle;
  memcpy(own->mac, mac, 6);
  own->virtual_address = address;
  own->virtual_port = (uint16_t)port;
}

/** A server, its hardware addresses, and what every outer header of a tunnel to it has in common. */
void rival_neighbor(uintptr_t handle, uint32_t server, const uint8_t *macs, uint32_t port, uint32_t mtu, uint32_t source, uint32_t address) {
  neighbor *hop = &((rival *)handle)->neighbors[server];
  memcpy(hop->macs, macs, 12);
  hop->port = (uint16_t)port;
  hop->mtu = mtu;
  hop->reachable = 1;
  hop->available = 1;
  hop->source = source;
  hop->address = address;
  hop->outer_sum = fold((source & 0xffff) + (source >> 16) + (address & 0xffff) + (address >> 16) + 0x45 + (4 << 8));
}

void rival_connect(uintptr_t handle, uint32_t client, uint32_t port, uint32_t server, uint32_t address, uint32_t server_port) {
  rival *own = (rival *)handle;
  uint32_t index = ++own->used;
  uint32_t addresses = difference32(own->virtual_address, address);
  uint32_t ports = fold((~own->virtual_port & 0xffff) + server_port);
  connection *opened = &own->connections[index];
  *opened = (connection){ .client = client, .virtual_address = own->virtual_address, .client_port = (uint16_t)port,
    .virtual_port = own->virtual_port, .protocol = 6, .state = ESTABLISHED, .server = (uint16_t)server, .server_address = address,
    .server_port = (uint16_t)server_port, .ip_delta = (uint16_t)(own->method == NAT ? fold(addresses + HOP) : HOP),
    .l4_delta = (uint16_t)fold(addresses + ports), .neighbor = (uint16_t)server };
  uint32_t hash = hash_client(own, client, port, 6);
  uint32_t at = hash & own->place_mask;
  while (own->places[at].index != 0) at = (at + 1) & own->place_mask;
  own->places[at] = (place){ hash, index };
}

/** Reads one frame; `ordinary` when it is TCP over IPv4 to the virtual address, whole and right. */
static void scan(const rival *own, const uint8_t *memory, const entry *from, packet *to) {
  const uint8_t *frame = memory + from->frame;
  const uint8_t *ip = frame + 14;
  to->frame = from->frame;
  to->bytes = from->bytes;
  to->ordinary = 0;
  to->hash = 0;
  if (from->bytes < 54 || memcmp(frame, own->mac, 6) != 0) return;
  if ((load32(frame + 12) & 0x00ffffff) != 0x00450008) return;
  uint32_t total_bytes = (uint32_t)ip[2] << 8 | ip[3];
  if (total_bytes > from->bytes - 14 || total_bytes < 40) return;
  if ((load16(ip + 6) & 0xffbf) != 0 || ip[9] != 6) return;
  uint64_t sum = (uint64_t)load32(ip) + load32(ip + 4) + load32(ip + 8) + load32(ip + 12) + load32(ip + 16);
  sum = (sum & 0xffffffff) + (sum >> 32);
  if (fold((uint32_t)(sum & 0xffff) + (uint32_t)(sum >> 16)) != 0xffff) return;
  if (ip[12] == 0 || ip[12] == 127 || ip[12] >= 224) return;
  if (load32(ip + 16) != own->virtual_address) return;
  to->total_bytes = (uint16_t)total_bytes;
  to->hash = hash_client(own, load32(ip + 12), load16(ip + 20), 6);
  to->ordinary = 1;
}

/** The connection that the packet's client opened, or record 0, which is nobody's. The first of its hash, unless `exact`. */
static connection *find(const rival *own, const uint8_t *memory, const packet *one, int exact) {
  const uint8_t *ip = memory + one->frame + 14;
  for (uint32_t at = one->hash & own->place_mask; own->places[at].index != 0; at = (at + 1) & own->place_mask) {
    if (own->places[at].hash != one->hash) continue;
    connection *candidate = &own->connections[own->places[at].index];
    if (!exact) return candidate;
    if (candidate->client == load32(ip + 12) && candidate->client_port == load16(ip + 20)) return candidate;
  }
  return &own->connections[0];
}

static void count(counter *one, uint32_t bytes) {
  one->packets++;
  one->bytes += bytes;
}

/** Writes an outer IPv4 header before the inner one (RFC 2003), whose hop has been taken. */
static void wrap(rival *own, uint8_t *ip, uint32_t inner_bytes, const neighbor *hop) {
  uint8_t *outer = ip - OUTER_BYTES;
  uint32_t total = inner_bytes + OUTER_BYTES, service = ip[1], middle = 0x00400000;
  if ((service & 3) == 3) service--;
  uint32_t first = 0x45 | service << 8 | (total & 0xff) << 24 | (total >> 8) << 16;
  if ((ip[6] & 0x40) == 0) {
    uint32_t name = ++own->identification;
    middle = (name & 0xff) << 8 | (name >> 8 & 0xff);
  }
  uint32_t sum = hop->outer_sum + (service << 8) + (first >> 16) + (middle & 0xffff) + (middle >> 16) + ip[8];
  store16(outer - 2, 0x0008);
  store32(outer, first);
  store32(outer + 4, middle);
  store32(outer + 8, ip[8] | 4 << 8 | (~fold(sum) & 0xffff) << 16);
  store32(outer + 12, hop->source);
  store32(outer + 16, hop->address);
}

/** Rewrites one packet and lists it; answers how many entries there are then. The method is a constant where this is inlined. */
static inline __attribute__((always_inline)) uint32_t forward(
  rival *own, uint8_t *memory, const packet *one, entry *out, uint32_t sent, uint32_t cause, uint32_t now_ms, uint32_t method) {
  uint8_t *frame = memory + one->frame, *ip = frame + 14, *tcp = ip + 20;
  connection *found = one->found;
  uint32_t extra = method == TUNNEL ? OUTER_BYTES : 0;
  // Two clients of one hash: rare, so the stages do not look.
  if (own->staged && (found->client != load32(ip + 12) || found->client_port != load16(tcp))) found = find(own, memory, one, 1);
  if (!one->ordinary || found->client != load32(ip + 12) || found->virtual_address != load32(ip + 16) ||
    found->client_port != load16(tcp) || found->virtual_port != load16(tcp + 2) || found->protocol != 6) return sent;
  const neighbor *hop = &own->neighbors[found->neighbor];
  if ((tcp[13] & FIN_SYN_RST) != 0 || (tcp[13] & ACK) == 0 || !hop->available || !hop->reachable) return sent;
  if (ip[8] <= 1 || one->total_bytes + extra > hop->mtu) return sent;
  found->state = own->next_state[found->state];
  found->last_ms = now_ms;
  found->timeout_ms = own->timeouts[found->state];
  found->packets++;
  count(&own->servers[found->server], one->total_bytes);
  count(&own->service, one->total_bytes);
  count(&own->total, one->total_bytes);
  ip[8]--;
  amend(ip + 10, found->ip_delta);
  if (method == NAT) {
    store32(ip + 16, found->server_address);
    store16(tcp + 2, found->server_port);
    amend(tcp + 16, found->l4_delta);
  }
  if (method == TUNNEL) wrap(own, ip, one->total_bytes, hop);
  memcpy(frame - extra, hop->macs, 12);
  out[sent] = (entry){ one->frame - extra, 14u + extra + one->total_bytes, hop->port, 0, cause };
  return sent + 1;
}

static inline __attribute__((always_inline)) uint32_t receive(
  rival *own, uint8_t *memory, uint32_t list, uint32_t transmit, uint32_t frames, uint32_t now_ms, uint32_t method) {
  const entry *in = (const entry *)(memory + list);
  entry *out = (entry *)(memory + transmit);
  uint32_t sent = 0, group = own->staged ? GROUP : 1;
  for (uint32_t first = 0; first < frames; first += group) {
    uint32_t some = frames - first < group ? frames - first : group, touched = 0;
    packet *packets = own->packets;
    for (uint32_t i = 0; i < some; i++) scan(own, memory, &in[first + i], &packets[i]);
    if (own->staged) for (uint32_t i = 0; i < some; i++) touched += own->places[packets[i].hash & own->place_mask].hash;
    for (uint32_t i = 0; i < some; i++) packets[i].found = find(own, memory, &packets[i], !own->staged);
    if (own->staged) for (uint32_t i = 0; i < some; i++) touched += packets[i].found->client;
    own->touched = touched;
    for (uint32_t i = 0; i < some; i++) sent = forward(own, memory, &packets[i], out, sent, first + i, now_ms, method);
  }
  return sent;
}

/** Handles a receive list. Staged: as the engine does it, so that the waits for memory overlap. */
uint32_t rival_receive(uintptr_t handle, uintptr_t base, uint32_t list, uint32_t transmit, uint32_t frames, uint32_t now_ms) {
  rival *own = (rival *)handle;
  uint8_t *memory = (uint8_t *)base;
  if (own->method == TUNNEL) return receive(own, memory, list, transmit, frames, now_ms, TUNNEL);
  if (own->method == DIRECT) return receive(own, memory, list, transmit, frames, now_ms, DIRECT);
  return receive(own, memory, list, transmit, frames, now_ms, NAT);
}
