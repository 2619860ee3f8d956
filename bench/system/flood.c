// Sends UDP frames as fast as one core can, for a bounded time: what a director is flooded with.
//
//   flood DEVICE TARGET-MAC SOURCE TARGET PORT FRAME-BYTES FLOWS MILLISECONDS
//
// One packet socket, 64 frames a call, past the queue of the device. Prints how many frames the kernel took
// and in how many nanoseconds. FRAME-BYTES is without the checksum of Ethernet; 60 is a 64-byte frame.

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 64, FRAME_MIN = 60, FRAME_MAX = 1514, FLOWS_MAX = 4096, MILLISECONDS_MAX = 60000, HEADERS = 42, FIRST_PORT = 10000 };

static uint8_t frames[BATCH][FRAME_MAX];
static struct iovec vectors[BATCH];
static struct mmsghdr messages[BATCH];

static void fail(const char *what) {
  fprintf(stderr, "flood: %s: %s\n", what, strerror(errno));
  exit(1);
}

static void put16(uint8_t *at, uint32_t value) {
  at[0] = (uint8_t)(value >> 8);
  at[1] = (uint8_t)value;
}

static uint32_t sum(const uint8_t *at, uint32_t bytes) {
  uint32_t total = 0;
  for (uint32_t index = 0; index + 1 < bytes; index += 2) total += (uint32_t)at[index] << 8 | at[index + 1];
  return total;
}

static uint16_t fold(uint32_t total) {
  while (total >> 16) total = (total & 0xffff) + (total >> 16);
  return (uint16_t)~total;
}

static void build(uint8_t *frame, uint32_t bytes, const uint8_t *target, const uint8_t *source, uint32_t from, uint32_t to, uint32_t port) {
  memcpy(frame, target, 6);
  memcpy(frame + 6, source, 6);
  put16(frame + 12, ETH_P_IP);
  uint8_t *ip = frame + 14;
  ip[0] = 0x45;
  put16(ip + 2, bytes - 14);
  ip[8] = 64;
  ip[9] = 17;
  memcpy(ip + 12, &from, 4);
  memcpy(ip + 16, &to, 4);
  put16(ip + 10, fold(sum(ip, 20)));
  put16(ip + 22, port);
  put16(ip + 24, bytes - 34);
  memset(frame + HEADERS, 'f', bytes - HEADERS);
}

/** The flow's port and the datagram's checksum with it. */
static void aim(uint8_t *frame, uint32_t bytes, uint32_t flow) {
  uint8_t *udp = frame + 34;
  put16(udp, FIRST_PORT + flow);
  put16(udp + 6, 0);
  uint16_t check = fold(sum(frame + 26, 8) + 17 + (bytes - 34) + sum(udp, bytes - 34));
  put16(udp + 6, check == 0 ? 0xffff : check);
}

static uint64_t nanoseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static uint32_t within(const char *text, uint32_t low, uint32_t high, const char *what) {
  long value = strtol(text, NULL, 10);
  if (value < (long)low || value > (long)high) {
    fprintf(stderr, "flood: %s: %u to %u\n", what, low, high);
    exit(2);
  }
  return (uint32_t)value;
}

static int open_device(const char *device, uint8_t *mac) {
  int fd = socket(AF_PACKET, SOCK_RAW, 0);
  if (fd < 0) fail("packet socket");
  int one = 1;
  if (setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &one, sizeof one) < 0) fail("queue bypass");
  struct ifreq request;
  memset(&request, 0, sizeof request);
  strncpy(request.ifr_name, device, IFNAMSIZ - 1);
  if (ioctl(fd, SIOCGIFHWADDR, &request) < 0) fail(device);
  memcpy(mac, request.ifr_hwaddr.sa_data, 6);
  struct sockaddr_ll place = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_IP), .sll_ifindex = (int)if_nametoindex(device) };
  if (bind(fd, (struct sockaddr *)&place, sizeof place) < 0) fail("bind");
  return fd;
}

int main(int count, char **words) {
  if (count != 9) {
    fprintf(stderr, "flood DEVICE TARGET-MAC SOURCE TARGET PORT FRAME-BYTES FLOWS MILLISECONDS\n");
    return 2;
  }
  uint8_t target[6], source[6];
  uint32_t from, to;
  if (sscanf(words[2], "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", target, target + 1, target + 2, target + 3, target + 4, target + 5) != 6
      || inet_pton(AF_INET, words[3], &from) != 1 || inet_pton(AF_INET, words[4], &to) != 1) {
    fprintf(stderr, "flood: an address cannot be read\n");
    return 2;
  }
  uint32_t port = within(words[5], 1, 65535, "port"), bytes = within(words[6], FRAME_MIN, FRAME_MAX, "frame bytes");
  uint32_t flows = within(words[7], 1, FLOWS_MAX, "flows"), milliseconds = within(words[8], 1, MILLISECONDS_MAX, "milliseconds");
  int fd = open_device(words[1], source);
  for (uint32_t index = 0; index < BATCH; index++) {
    build(frames[index], bytes, target, source, from, to, port);
    vectors[index] = (struct iovec){ frames[index], bytes };
    messages[index].msg_hdr = (struct msghdr){ .msg_iov = &vectors[index], .msg_iovlen = 1 };
  }
  uint64_t start = nanoseconds(), end = start + milliseconds * 1000000ull, sent = 0;
  for (uint32_t flow = 0; nanoseconds() < end;) {
    // With as many flows as frames a batch, or fewer, the frames stay as they are.
    if (sent == 0 || flows > BATCH) {
      for (uint32_t index = 0; index < BATCH; index++, flow = (flow + 1) % flows) aim(frames[index], bytes, flow);
    }
    int done = sendmmsg(fd, messages, BATCH, 0);
    if (done > 0) sent += (uint64_t)done;
    else if (errno != ENOBUFS && errno != EAGAIN) fail("sendmmsg");
  }
  printf("%llu %llu\n", (unsigned long long)sent, (unsigned long long)(nanoseconds() - start));
  return 0;
}
