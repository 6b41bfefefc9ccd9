// The hold model (Vaucher and Duval, 1975): the number of pending events stays; the next one is
// taken out and scheduled again, later by an increment. Peers of bench/sim-calendar.ts.
//   increments as text on standard input; arguments: pending, events
//   prints millions of events a second of CPU time, and the time of the last event
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <vector>

// insert(at, id) schedules an event; removeNext(at) takes the earliest out: its time and its id.
template <typename Insert, typename RemoveNext>
int hold(char **argv, Insert insert, RemoveNext removeNext) {
  const int pending = atoi(argv[1]);
  const long events = atol(argv[2]);
  std::vector<int64_t> increments;
  for (long ns; scanf("%ld", &ns) == 1;) increments.push_back(ns);
  const size_t mask = increments.size() - 1; // a power of two
  for (int id = 0; id < pending; id++) insert(increments[id & mask], id);
  const clock_t start = clock();
  int64_t now = 0;
  for (long i = 0; i < events; i++) {
    const int id = removeNext(now);
    insert(now + increments[i & mask], id);
  }
  const double seconds = double(clock() - start) / CLOCKS_PER_SEC;
  printf("%f %ld\n", events / seconds / 1e6, now);
  return 0;
}
