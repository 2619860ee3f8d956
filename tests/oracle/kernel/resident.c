/* ipvsadm, loaded once, as the guest's servant: preloaded, this takes the place of main() and calls the real one for each
 * command. A process costs a guest tens of milliseconds, a call a few hundredths of that.
 *
 * Requests and answers go by standard input and output, the serial line:
 *
 *   "words BYTES\n"   programs with their words, each word ended by a zero, each program by one more
 *   "shell BYTES\n"   a script for a shell; of both, BYTES has five digits
 *   "+"               after each kilobyte of a request, when the next may come: a terminal's buffer is small
 *   "done STATUS BYTES BYTES\n"   followed by what went to standard output and to standard error
 *
 * "cat FILE" and "put FILE TEXT" are done here; all programs but ipvsadm are started as processes.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/reboot.h>
#include <sys/wait.h>
#include <unistd.h>

#define WORDS_MAX 64
#define REQUEST_MAX 65536
#define HEADER_MAX 32
#define CHUNK_BYTES 1024
#define KIND_BYTES 6 /* "words " or "shell " */
#define REQUEST_HEADER_BYTES 12
#define SEGMENTS_MAX 16
/* What a call allocates is lost: after so many the program is loaded anew. */
#define CALLS_MAX 250

typedef int (*Main)(int, char **, char **);
typedef int (*Start)(Main, int, char **, void (*)(void), void (*)(void), void (*)(void), void *);

/* Memory that a call may change, and what was in it before the first. */
struct segment { char *at, *before; size_t bytes; };

static Main real_main;
static char **variables;
static char request[REQUEST_MAX + 1];
static char text[REQUEST_MAX];
static int serial[2];
static struct segment segments[SEGMENTS_MAX];
static int segment_count;
static jmp_buf returning;
static int is_called;
static int calls;

/* The harness is gone or speaks another language: so ends the guest. */
static void halt(void) {
  if (getpid() == 1) reboot(RB_POWER_OFF);
  _exit(1);
}

static void read_all(char *to, size_t bytes) {
  while (bytes > 0) {
    ssize_t got = read(serial[0], to, bytes);
    if (got <= 0) halt();
    to += got;
    bytes -= got;
  }
}

static void write_all(const char *from, size_t bytes) {
  while (bytes > 0) {
    ssize_t put = write(serial[1], from, bytes);
    if (put <= 0) halt();
    from += put;
    bytes -= put;
  }
}

/* Writable memory of ipvsadm and its libraries; not of libc, whose state outlives a call, nor of this one. */
static int keep_segments(struct dl_phdr_info *object, size_t size, void *unused) {
  (void)size;
  (void)unused;
  if (object->dlpi_name[0] != 0 && !strstr(object->dlpi_name, "libnl") && !strstr(object->dlpi_name, "libpopt")) return 0;
  uintptr_t sealed = 0;
  for (int at = 0; at < object->dlpi_phnum; at++) {
    const ElfW(Phdr) *part = &object->dlpi_phdr[at];
    if (part->p_type == PT_GNU_RELRO) sealed = (object->dlpi_addr + part->p_vaddr + part->p_memsz) & -4096;
  }
  for (int at = 0; at < object->dlpi_phnum; at++) {
    const ElfW(Phdr) *part = &object->dlpi_phdr[at];
    if (part->p_type != PT_LOAD || !(part->p_flags & PF_W) || segment_count == SEGMENTS_MAX) continue;
    uintptr_t from = object->dlpi_addr + part->p_vaddr, end = from + part->p_memsz;
    if (sealed > from) from = sealed;
    if (from >= end) continue;
    struct segment *kept = &segments[segment_count++];
    *kept = (struct segment){(char *)from, malloc(end - from), end - from};
    memcpy(kept->before, kept->at, kept->bytes);
  }
  return 0;
}

/* ipvsadm ends by exit() as often as by returning. */
void exit(int status) {
  /* Of a status only the lowest byte is seen; a jump cannot bring 0. */
  if (is_called) longjmp(returning, (status & 255) + 1);
  ((void (*)(int))dlsym(RTLD_NEXT, "exit"))(status);
  __builtin_unreachable();
}

static int call(char **words, int count) {
  for (int at = 0; at < segment_count; at++) memcpy(segments[at].at, segments[at].before, segments[at].bytes);
  int lowest = dup(1);
  close(lowest);
  is_called = 1;
  int ended = setjmp(returning);
  int status = ended ? ended - 1 : real_main(count, words, variables);
  is_called = 0;
  fflush(stdout);
  fflush(stderr);
  close_range(lowest, ~0U, 0);
  calls++;
  return status & 255;
}

static int run(char **words) {
  pid_t child = fork();
  if (child == 0) {
    execvp(words[0], words);
    _exit(127);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int show(const char *path) {
  int file = open(path, O_RDONLY);
  if (file < 0) return 1;
  ssize_t got;
  while ((got = read(file, text, sizeof text)) > 0) if (write(1, text, got) != got) return 1;
  close(file);
  return got < 0;
}

static int put(const char *path, const char *value) {
  int file = open(path, O_WRONLY);
  if (file < 0) return 1;
  ssize_t bytes = strlen(value);
  int failed = write(file, value, bytes) != bytes;
  close(file);
  return failed;
}

static int perform(char **words, int count) {
  if (count == 2 && strcmp(words[0], "cat") == 0) return show(words[1]);
  if (count == 3 && strcmp(words[0], "put") == 0) return put(words[1], words[2]);
  return strcmp(words[0], "ipvsadm") == 0 ? call(words, count) : run(words);
}

/* Every program in turn; the last one's status, as a shell's. */
static int perform_all(size_t bytes) {
  char *words[WORDS_MAX + 1];
  int count = 0, status = 0;
  for (char *at = request; at < request + bytes; at += strlen(at) + 1) {
    if (*at != 0 && count < WORDS_MAX) {
      words[count++] = at;
    } else if (*at == 0 && count > 0) {
      words[count] = NULL;
      status = perform(words, count);
      count = 0;
    }
  }
  return status;
}

/* Every system call costs a guest tens of microseconds: as few as can be. What was written ends where the next would go. */
static void answer(int status) {
  long bytes[2];
  for (int at = 0; at < 2; at++) bytes[at] = lseek(1 + at, 0, SEEK_CUR);
  char header[HEADER_MAX * 2];
  write_all(header, snprintf(header, sizeof header, "done %d %ld %ld\n", status, bytes[0], bytes[1]));
  for (int at = 0; at < 2; at++) {
    for (long from = 0; from < bytes[at];) {
      ssize_t got = pread(1 + at, text, sizeof text, from);
      if (got <= 0) halt();
      write_all(text, got);
      from += got;
    }
    if (bytes[at] > 0 && (lseek(1 + at, 0, SEEK_SET) != 0 || ftruncate(1 + at, 0) != 0)) halt();
  }
}

/* Takes in a request; answers its first letter and how long it is. */
static char receive(size_t *bytes) {
  char header[HEADER_MAX] = "";
  read_all(header, REQUEST_HEADER_BYTES);
  *bytes = strtoul(header + KIND_BYTES, NULL, 10);
  if (*bytes > REQUEST_MAX) halt();
  for (size_t at = 0; at < *bytes; at += CHUNK_BYTES) {
    size_t left = *bytes - at;
    read_all(request + at, left < CHUNK_BYTES ? left : CHUNK_BYTES);
    if (left > CHUNK_BYTES) write_all("+", 1);
  }
  request[*bytes] = 0;
  return header[0];
}

/* The serial line moves away; programs read nothing and write to memory. */
static void redirect(void) {
  for (int at = 0; at < 2; at++) serial[at] = fcntl(at, F_DUPFD_CLOEXEC, 3);
  int nothing = open("/dev/null", O_RDONLY);
  int outputs[] = {nothing, memfd_create("output", 0), memfd_create("error", 0)};
  for (int at = 0; at < 3; at++) dup2(outputs[at], at);
  for (int at = 0; at < 3; at++) if (outputs[at] > 2) close(outputs[at]);
}

static void begin_anew(char **words) {
  for (int at = 0; at < 2; at++) dup2(serial[at], at);
  setenv("LD_PRELOAD", "/lib/resident.so", 1);
  setenv("BEGUN", "1", 1);
  execvp(words[0], words);
  halt();
}

/* Instead of main(): ends with the guest. */
static int serve(int count, char **words, char **environment) {
  (void)count;
  variables = environment;
  redirect();
  dl_iterate_phdr(keep_segments, NULL);
  if (!getenv("BEGUN")) write_all("ready\n", 6);
  while (calls < CALLS_MAX) {
    size_t bytes;
    char *shell[] = {"dash", "-c", request, NULL};
    answer(receive(&bytes) == 'w' ? perform_all(bytes) : run(shell));
  }
  begin_anew(words);
  return 1;
}

int __libc_start_main(Main program, int count, char **words, void (*begin)(void), void (*finish)(void), void (*loader)(void), void *stack) {
  real_main = program;
  Start start = (Start)dlsym(RTLD_NEXT, "__libc_start_main");
  /* Only the servant is one: what it starts is itself. */
  unsetenv("LD_PRELOAD");
  return start(serve, count, words, begin, finish, loader, stack);
}
