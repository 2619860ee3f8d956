/* The guest's clock, preloaded into linux.uml: it reads the word that the harness writes to GUEST_CLOCK.
 *
 *   even   is added to the host's monotonic clock: the guest's time runs
 *   odd    is the time itself, in nanoseconds:     the guest's time stands still
 *
 * One aligned word, so that a change is seen whole or not at all.
 *
 * While time stands still no timer can be due. The kernel would arm one all the same, and again each time it
 * went off too early, hundreds of times in a command: so it gets a later one, which still wakes who waits for
 * any interrupt. Who moves the clock sends the signal (guest.ts).
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define SECOND INT64_C(1000000000)
#define LATER_MS 5

static _Atomic int64_t none;
static _Atomic int64_t *word = &none;
static int64_t epoch; /* real time minus monotonic time, fixed at the start */

static int64_t host(clockid_t clock) {
  struct timespec time;
  syscall(SYS_clock_gettime, clock, &time);
  return time.tv_sec * SECOND + time.tv_nsec;
}

__attribute__((constructor)) static void attach(void) {
  epoch = host(CLOCK_REALTIME) - host(CLOCK_MONOTONIC);
  const char *path = getenv("GUEST_CLOCK");
  int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
  if (file < 0) return;
  void *page = mmap(NULL, sizeof *word, PROT_READ, MAP_SHARED, file, 0);
  if (page != MAP_FAILED) word = page;
  close(file);
}

int clock_gettime(clockid_t clock, struct timespec *time) {
  if (clock != CLOCK_MONOTONIC && clock != CLOCK_REALTIME) return syscall(SYS_clock_gettime, clock, time);
  int64_t value = *word;
  int64_t now = value & 1 ? value : value + host(CLOCK_MONOTONIC);
  if (clock == CLOCK_REALTIME) now += epoch;
  time->tv_sec = now / SECOND;
  time->tv_nsec = now % SECOND;
  return 0;
}

int gettimeofday(struct timeval *restrict time, void *restrict zone) {
  struct timespec fine;
  (void)zone;
  clock_gettime(CLOCK_REALTIME, &fine);
  time->tv_sec = fine.tv_sec;
  time->tv_usec = fine.tv_nsec / 1000;
  return 0;
}

typedef int (*Set)(timer_t, int, const struct itimerspec *, struct itimerspec *);

int timer_settime(timer_t timer, int flags, const struct itimerspec *restrict value, struct itimerspec *restrict before) {
  static Set set;
  if (!set) set = (Set)dlsym(RTLD_NEXT, "timer_settime");
  int is_armed = value->it_value.tv_sec != 0 || value->it_value.tv_nsec != 0;
  struct itimerspec later = {.it_value = {0, LATER_MS * 1000000}};
  return set(timer, flags, is_armed && *word & 1 ? &later : value, before);
}
