import fc from "fast-check";
import { expect, it } from "vitest";
import { Cpus } from "./cpus.ts";
import { plainStorm } from "./plain-storm.ts";

it("whoever runs, waits and leaves: totals are the sums over all tasks, and over boots", () => {
  const plain = plainStorm({ tasks: 4, pages: 1, holdNs: 0, thinkNs: 0 });
  const topology = { ...plain.topology, cpus: 2 };
  const neighbour = { name: "n", startNs: 0, vm: 0, tenant: 0, pages: 0, phases: [] };
  const setup = { ...plain, topology, background: [neighbour, neighbour] };
  const [tasks, boots] = [6, 4];
  let waited = 0;
  fc.assert(
    fc.property(
      fc.array(fc.record({ task: fc.nat(tasks - 1), ns: fc.nat(100_000) }), { maxLength: 60 }),
      (steps) => {
        const cpus = new Cpus(setup, tasks);
        const queued = new Set<number>();
        let now = 0;
        for (const { task, ns } of steps) {
          now += ns;
          if (cpus.of(task) >= 0) {
            const next = cpus.leave(task, now);
            if (next >= 0) queued.delete(next);
          } else if (!queued.has(task)) {
            if (!cpus.take(task, now)) queued.add(task);
          }
          waited += queued.size;
          const each = Array.from({ length: tasks }, (_, t) => cpus.busyNsOf(t, now));
          const sum = (of: readonly number[]) => of.reduce((a, b) => a + b, 0);
          expect(cpus.totals(now)).toEqual({
            busyNs: sum(each),
            bootNs: sum(each.slice(0, boots)),
          });
        }
      },
    ),
  );
  expect(waited).toBeGreaterThan(100);
});
