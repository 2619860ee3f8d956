// The same road as the engine's "NAT in", written in C: what a native director would spend on it.
//
// The same work: Ethernet, IPv4 and TCP validated, the IP checksum verified, the local address looked up, the
// connection found by its client, TCP state and timeout, nine counters, hops, size, neighbour, both checksums
// amended, an entry in the transmit list. The same lists and frames as the engine's, in the engine's memory.

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { GROUP = 64, SERVERS = 64, ESTABLISHED = 1, STATES = 16, ACK = 0x10, FIN_SYN_RST = 0x07 };

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
typedef struct { uint8_t macs[12]; uint16_t port, reachable; uint32_t mtu, available; } neighbor;
typedef struct { uint32_t frame, bytes, hash; uint16_t total_bytes, ordinary; connection *found; } packet;

typedef struct {
  uint8_t mac[8];
  uint32_t virtual_address, seed, place_mask, used, staged;
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

uintptr_t rival_create(uint32_t connections, uint32_t staged) {
  rival *own = calloc(1, sizeof *own);
  uint32_t places = 16;
  while (places < connections * 2) places *= 2;
  own->places = calloc(places, sizeof(place));
  if (posix_memalign((void **)&own->connections, 64, (connections + 1) * sizeof(connection)) != 0) abort();
  own->place_mask = places - 1;
  own->seed = 7;
  own->staged = staged;
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

void rival_neighbor(uintptr_t handle, uint32_t server, const uint8_t *macs, uint32_t port, uint32_t mtu) {
  neighbor *hop = &((rival *)handle)->neighbors[server];
  memcpy(hop->macs, macs, 12);
  hop->port = (uint16_t)port;
  hop->mtu = mtu;
  hop->reachable = 1;
  hop->available = 1;
}

void rival_connect(uintptr_t handle, uint32_t client, uint32_t port, uint32_t server, uint32_t address, uint32_t server_port) {
  rival *own = (rival *)handle;
  uint32_t index = ++own->used;
  uint32_t addresses = difference32(own->virtual_address, address);
  uint32_t ports = fold((~own->virtual_port & 0xffff) + server_port);
  connection *opened = &own->connections[index];
  *opened = (connection){ .client = client, .virtual_address = own->virtual_address, .client_port = (uint16_t)port,
    .virtual_port = own->virtual_port, .protocol = 6, .state = ESTABLISHED, .server = (uint16_t)server, .server_address = address,
    .server_port = (uint16_t)server_port, .ip_delta = (uint16_t)fold(addresses + 0xfffe),
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

/** The connection that the packet's client opened, or record 0, which is nobody's. */
static connection *find(const rival *own, const uint8_t *memory, const packet *one) {
  const uint8_t *ip = memory + one->frame + 14;
  for (uint32_t at = one->hash & own->place_mask; own->places[at].index != 0; at = (at + 1) & own->place_mask) {
    if (own->places[at].hash != one->hash) continue;
    connection *candidate = &own->connections[own->places[at].index];
    if (own->staged) return candidate;
    if (candidate->client == load32(ip + 12) && candidate->client_port == load16(ip + 20)) return candidate;
  }
  return &own->connections[0];
}

static void count(counter *one, uint32_t bytes) {
  one->packets++;
  one->bytes += bytes;
}

/** Rewrites one packet and lists it; answers how many entries there are then. */
static uint32_t forward(rival *own, uint8_t *memory, const packet *one, entry *out, uint32_t sent, uint32_t cause, uint32_t now_ms) {
  uint8_t *frame = memory + one->frame, *ip = frame + 14, *tcp = ip + 20;
  connection *found = one->found;
  if (!one->ordinary || found->client != load32(ip + 12) || found->virtual_address != load32(ip + 16) ||
    found->client_port != load16(tcp) || found->virtual_port != load16(tcp + 2) || found->protocol != 6) return sent;
  const neighbor *hop = &own->neighbors[found->neighbor];
  if ((tcp[13] & FIN_SYN_RST) != 0 || (tcp[13] & ACK) == 0 || !hop->available || !hop->reachable) return sent;
  if (ip[8] <= 1 || one->total_bytes > hop->mtu) return sent;
  found->state = own->next_state[found->state];
  found->last_ms = now_ms;
  found->timeout_ms = own->timeouts[found->state];
  found->packets++;
  count(&own->servers[found->server], one->total_bytes);
  count(&own->service, one->total_bytes);
  count(&own->total, one->total_bytes);
  store32(ip + 16, found->server_address);
  store16(tcp + 2, found->server_port);
  ip[8]--;
  amend(ip + 10, found->ip_delta);
  amend(tcp + 16, found->l4_delta);
  memcpy(frame, hop->macs, 12);
  out[sent] = (entry){ one->frame, 14u + one->total_bytes, hop->port, 0, cause };
  return sent + 1;
}

/** Handles a receive list. Staged: as the engine does it, so that the waits for memory overlap. */
uint32_t rival_receive(uintptr_t handle, uintptr_t base, uint32_t list, uint32_t transmit, uint32_t frames, uint32_t now_ms) {
  rival *own = (rival *)handle;
  uint8_t *memory = (uint8_t *)base;
  const entry *in = (const entry *)(memory + list);
  entry *out = (entry *)(memory + transmit);
  uint32_t sent = 0, group = own->staged ? GROUP : 1;
  for (uint32_t first = 0; first < frames; first += group) {
    uint32_t some = frames - first < group ? frames - first : group, touched = 0;
    packet *packets = own->packets;
    for (uint32_t i = 0; i < some; i++) scan(own, memory, &in[first + i], &packets[i]);
    if (own->staged) for (uint32_t i = 0; i < some; i++) touched += own->places[packets[i].hash & own->place_mask].hash;
    for (uint32_t i = 0; i < some; i++) packets[i].found = find(own, memory, &packets[i]);
    if (own->staged) for (uint32_t i = 0; i < some; i++) touched += packets[i].found->client;
    own->touched = touched;
    for (uint32_t i = 0; i < some; i++) sent = forward(own, memory, &packets[i], out, sent, first + i, now_ms);
  }
  return sent;
}
