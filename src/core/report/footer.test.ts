import { expect, test } from "vitest";
import type { TraceSummary } from "../analyze/result.ts";
import { footerText, traceFacts } from "./footer.ts";

const clean: TraceSummary = {
  source: "perf.data",
  spanNs: 1_500_000_000,
  cpuCount: 1,
  events: 0,
  lost: 0,
  rejects: [],
  sees: ["lockWait"],
};

test("lost and rejected are said also when they are none", () => {
  expect(footerText(traceFacts(clean), 80)).toBe(
    `source    perf.data
observed  1.50 s on 1 CPU
events    0
lost      0
rejected  0
can see   lockWait`,
  );
});

test("each reason of a rejection is counted", () => {
  const rejects = [
    { why: "end without a begin", count: 3 },
    { why: "nested begin", count: 1_200 },
  ];
  expect(footerText(traceFacts({ ...clean, rejects }), 80)).toContain(
    "rejected  3 (end without a begin), 1,200 (nested begin)",
  );
});
