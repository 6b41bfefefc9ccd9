import { expect, test } from "vitest";
import { coresFirst, parseCpuList } from "./cpus.ts";

test.each([
  { list: "0-1\n", cpus: [0, 1] },
  { list: "0-2,8,10-11", cpus: [0, 1, 2, 8, 10, 11] },
  { list: "5", cpus: [5] },
  { list: "", cpus: [] },
])("CPU list $list", ({ list, cpus }) => {
  expect(parseCpuList(list)).toEqual(cpus);
});

test.each([
  {
    name: "siblings are neighbours (many VMs, Zen desktops)",
    cpus: [0, 1, 2, 3],
    siblings: [
      [0, 1],
      [0, 1],
      [2, 3],
      [2, 3],
    ],
    expected: [0, 2, 1, 3],
  },
  {
    name: "siblings are far apart (two-socket servers)",
    cpus: [0, 1, 2, 3],
    siblings: [
      [0, 2],
      [1, 3],
      [0, 2],
      [1, 3],
    ],
    expected: [0, 1, 2, 3],
  },
  {
    name: "a core of which we may use only the second thread counts as a core",
    cpus: [1, 2, 3],
    siblings: [
      [0, 1],
      [0, 1],
      [2, 3],
      [2, 3],
    ],
    expected: [1, 2, 3],
  },
])("$name", ({ cpus, siblings, expected }) => {
  expect(coresFirst(cpus, (cpu) => siblings[cpu]!)).toEqual(expected);
});
