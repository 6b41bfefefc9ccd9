// The hold model on an event scheduler of ns-3, called directly: without the simulator around it,
// which would make an object for each event and call it. Third argument: the scheduler's type.
#include "hold-model.h"

#include <ns3/object-factory.h>
#include <ns3/scheduler.h>

int main(int, char **argv) {
  const auto scheduler = ns3::ObjectFactory(argv[3]).Create<ns3::Scheduler>();
  uint32_t uid = 0;
  return hold(
      argv,
      [&](int64_t at, int id) {
        scheduler->Insert({nullptr, {uint64_t(at), uid++, uint32_t(id)}});
      },
      [&](int64_t &at) {
        const ns3::Scheduler::EventKey next = scheduler->RemoveNext().key;
        at = next.m_ts;
        return int(next.m_context);
      });
}
