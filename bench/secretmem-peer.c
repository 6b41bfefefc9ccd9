// The pressure load of src/host/secretmem in C, for bench/secretmem.ts to compare with: the same
// protocol (map, meet, fill, meet, free), the same system calls, no interpreter.
//
//   secretmem-peer CPU,CPU,…      one process per CPU listed
//   stdin:  secret 2 512          kind, processes, pages of each
//   stdout: S E S E S E S E       per process: fill start, end, free start, end (CLOCK_MONOTONIC ns)
#define _GNU_SOURCE
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096
#define WORKERS_MAX 1024
#define SPIN_NS 300000

struct Order {
  char kind; // 's' secret, 'p' plain
  char step; // 'm' map, 'f' fill, 'x' free
  int pages;
  int64_t at_ns;
};

struct Span {
  int64_t start_ns, end_ns;
};

struct Worker {
  int orders, replies; // pipe ends of the parent
};

static void die(const char *what) {
  perror(what);
  exit(1);
}

static int64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void wait_until(int64_t at_ns) {
  int64_t left = at_ns - now_ns() - SPIN_NS;
  if (left > 0) {
    struct timespec t = {left / 1000000000, left % 1000000000};
    nanosleep(&t, NULL);
  }
  while (now_ns() < at_ns)
    ;
}

static void *map_pages(char kind, size_t bytes) {
  int fd = kind == 's' ? (int)syscall(447, 0) : memfd_create("peer", 0);
  if (fd < 0) die("memfd");
  if (ftruncate(fd, bytes) < 0) die("ftruncate");
  void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (at == MAP_FAILED) die("mmap");
  madvise(at, bytes, MADV_NOHUGEPAGE);
  close(fd);
  return at;
}

static void work(int orders, int replies, int cpu) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  if (sched_setaffinity(0, sizeof set, &set) < 0) die("sched_setaffinity");
  void *at = NULL;
  struct Order order;
  while (read(orders, &order, sizeof order) == sizeof order) {
    size_t bytes = (size_t)order.pages * PAGE;
    struct Span span = {0, 0};
    if (order.step == 'm') {
      at = map_pages(order.kind, bytes);
    } else {
      wait_until(order.at_ns);
      span.start_ns = now_ns();
      if (order.step == 'f') memset(at, 0x5a, bytes);
      else munmap(at, bytes);
      span.end_ns = now_ns();
    }
    if (write(replies, &span, sizeof span) != sizeof span) die("write");
  }
  exit(0);
}

static struct Worker start(int cpu) {
  int orders[2], replies[2];
  if (pipe(orders) < 0 || pipe(replies) < 0) die("pipe");
  pid_t pid = fork();
  if (pid < 0) die("fork");
  if (pid == 0) {
    close(orders[1]);
    close(replies[0]);
    work(orders[0], replies[1], cpu);
  }
  close(orders[0]);
  close(replies[1]);
  return (struct Worker){orders[1], replies[0]};
}

static void together(struct Worker *team, int processes, struct Order order, struct Span *spans) {
  order.at_ns = now_ns() + 1000000 + 100000 * processes;
  for (int i = 0; i < processes; i++)
    if (write(team[i].orders, &order, sizeof order) != sizeof order) die("write");
  for (int i = 0; i < processes; i++)
    if (read(team[i].replies, &spans[i], sizeof spans[i]) != sizeof spans[i]) die("read");
}

int main(int argc, char **argv) {
  static struct Worker team[WORKERS_MAX];
  static struct Span fill[WORKERS_MAX], freed[WORKERS_MAX], none[WORKERS_MAX];
  int count = 0;
  if (argc != 2) return 2;
  for (char *cpu = strtok(argv[1], ","); cpu && count < WORKERS_MAX; cpu = strtok(NULL, ","))
    team[count++] = start(atoi(cpu));
  char kind[8];
  int processes, pages;
  while (scanf("%7s %d %d", kind, &processes, &pages) == 3) {
    if (processes < 1 || processes > count) return 2;
    struct Order order = {kind[0], 'm', pages, 0};
    together(team, processes, order, none);
    order.step = 'f';
    together(team, processes, order, fill);
    order.step = 'x';
    together(team, processes, order, freed);
    for (int i = 0; i < processes; i++)
      printf("%ld %ld %ld %ld ", fill[i].start_ns, fill[i].end_ns, freed[i].start_ns, freed[i].end_ns);
    printf("\n");
    fflush(stdout);
  }
  return 0;
}
