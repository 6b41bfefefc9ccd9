import fc from "fast-check";
import { expect, it } from "vitest";
import { costsNs, EPYC_MILAN } from "../kernel/cost/cost-table.ts";
import { plainStorm } from "./plain-storm.ts";
import { runStorm } from "./storm.ts";
import { distanceOf, lineNs, spreadOrder, type Topology } from "./topology.ts";

/** Two sockets of 64 cores in complexes of 8, two threads each: CPU 130 is the sibling of CPU 2. */
const milan: Topology = { cpus: 256, sockets: 2, coresPerL3: 8, smt: 2 };

it.each([
  [2, 2, 0],
  [2, 130, 1],
  [2, 7, 2],
  [2, 135, 2],
  [2, 8, 3],
  [2, 63, 3],
  [2, 64, 4],
  [2, 255, 4],
])("CPU %i to CPU %i of two Milans: distance %i", (a, b, distance) => {
  expect(distanceOf(milan, a, b)).toBe(distance);
});

it("distances are the same both ways, and never less than to oneself", () => {
  const cpu = fc.integer({ min: 0, max: 255 });
  fc.assert(
    fc.property(cpu, cpu, (a, b) => {
      expect(distanceOf(milan, a, b)).toBe(distanceOf(milan, b, a));
      expect(distanceOf(milan, a, b) === 0).toBe(a === b);
    }),
  );
});

it("the first CPUs taken are on different sockets and complexes, every CPU once, siblings last", () => {
  const order = spreadOrder(milan);
  expect([...order].toSorted((a, b) => a - b)).toEqual(Array.from({ length: 256 }, (_, i) => i));
  expect([...order.subarray(0, 4)].map((cpu) => Math.floor((cpu % 128) / 64))).toEqual([
    0, 1, 0, 1,
  ]);
  expect(new Set([...order.subarray(0, 16)].map((cpu) => Math.floor(cpu / 8))).size).toBe(16);
  expect(Math.min(...order.subarray(128))).toBe(128);
});

it("a lock goes between two CPUs: two cache lines behind a waiter, one when it was free", () => {
  const costs = costsNs(EPYC_MILAN);
  const line = lineNs(costs);
  for (const [topology, distance] of [
    [{ cpus: 2, sockets: 1, coresPerL3: 1, smt: 2 }, 1],
    [{ cpus: 2, sockets: 1, coresPerL3: 2, smt: 1 }, 2],
    [{ cpus: 2, sockets: 1, coresPerL3: 1, smt: 1 }, 3],
    [{ cpus: 2, sockets: 2, coresPerL3: 1, smt: 1 }, 4],
  ] as const) {
    const { lineSmt, lineL3, lineSocket, lineRemote } = costs;
    const lines = { lineSmt, lineL3, lineSocket, lineRemote };
    const pages = 1000;
    const busy = { tasks: 2, pages, holdNs: 1000, thinkNs: 0, costs: lines };
    const storm = runStorm({ ...plainStorm(busy), topology });
    // The very first acquisition finds the line nowhere.
    expect(storm.makespanNs).toBe(2 * pages * 1000 + (2 * pages - 1) * 2 * line[distance]!);
    const calm = { ...busy, thinkNs: 9000, startNs: (task: number) => task * 5000 };
    const { locks, vms } = runStorm({ ...plainStorm(calm), topology });
    expect(locks[0]).toMatchObject({ contended: 0, waitNsTotal: 0 });
    expect(vms[1]!.bootNs).toBe(pages * (10_000 + line[distance]!));
  }
});
