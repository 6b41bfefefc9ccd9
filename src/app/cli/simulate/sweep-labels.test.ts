import { expect, test } from "vitest";
import type { PolicySpec } from "../../../core/policy/policy.ts";
import type { Scenario, SweepValue } from "../../../core/scenario/scenario.ts";
import { sweepLabels } from "./sweep-labels.ts";

const rate = (pagesPerSecond: number, burstPages = 1): PolicySpec => ({
  name: "psc-rate",
  options: { scope: "vm", pagesPerSecond, burstPages },
});
const cap = (boots: number): PolicySpec => ({ name: "boot-cap", options: { boots } });

const cases: readonly [story: string, values: readonly SweepValue[], labels: readonly string[]][] =
  [
    ["numbers and names are themselves", [1, "linux-4.20", true], ["1", "linux-4.20", "true"]],
    [
      "one of each name needs no option",
      [[], [rate(5)], [cap(2)]],
      ["none", "psc-rate", "boot-cap"],
    ],
    [
      "the first option that tells all apart is enough",
      [[rate(5, 1)], [rate(7, 2)]],
      ["psc-rate (pagesPerSecond 5)", "psc-rate (pagesPerSecond 7)"],
    ],
    [
      "where none does alone: all that differ",
      [[rate(5, 1)], [rate(5, 2)], [rate(7, 1)]],
      [
        "psc-rate (pagesPerSecond 5, burstPages 1)",
        "psc-rate (pagesPerSecond 5, burstPages 2)",
        "psc-rate (pagesPerSecond 7, burstPages 1)",
      ],
    ],
    [
      "of several, the one that differs",
      [[rate(5), cap(2)], [rate(5), cap(3)], [cap(2)]],
      ["psc-rate + boot-cap (boots 2)", "psc-rate + boot-cap (boots 3)", "boot-cap"],
    ],
  ];

test.each(cases)("%s", (_, values, expected) => {
  const points = values.map((value) => ({
    fields: [{ path: "policy", value }],
    scenario: {} as Scenario,
  }));
  const labels = sweepLabels(points);
  expect(values.map((value) => labels("policy", value))).toEqual(expected);
});
