// The hold model on std::priority_queue; events of one time leave in the order they came.
#include "hold-model.h"

#include <queue>

struct Event {
  int64_t at;
  uint64_t sequence;
  int id;
};

struct Later {
  bool operator()(const Event &a, const Event &b) const {
    return a.at != b.at ? a.at > b.at : a.sequence > b.sequence;
  }
};

int main(int, char **argv) {
  std::priority_queue<Event, std::vector<Event>, Later> queue;
  uint64_t sequence = 0;
  return hold(
      argv, [&](int64_t at, int id) { queue.push({at, sequence++, id}); },
      [&](int64_t &at) {
        const Event next = queue.top();
        queue.pop();
        at = next.at;
        return next.id;
      });
}
