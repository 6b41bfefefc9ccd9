// Whole reports of real boots, as their readers get them.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { bootsResult } from "../src/core/analyze/boots-result.ts";
import { MILESTONES, OUTCOMES } from "../src/core/event/boot.ts";
import { readRounds, roundsHeaderLine } from "../src/core/event/boot-codec.ts";
import { bootsReport } from "../src/core/report/boots-report.ts";
import { htmlPage } from "../src/core/report/html-page.ts";
import { displayWidth } from "../src/core/report/plain-text.ts";
import { terminalReport } from "../src/core/report/terminal-report.ts";
import { roundOf } from "./fixtures/boot-rounds.ts";
import {
  confidentialStorm,
  deadStorm,
  failingStorm,
  limitedStorm,
  plainStorm,
} from "./fixtures/boot-storms.ts";
import { expectGolden } from "./golden.ts";

const maker = { version: "0.1.0", at: "2025-11-22 11:20 UTC" };
const run = {
  obtained: [{ label: "guest", text: "tiny, 128 MiB, 1 vCPU" }],
  reproduce: ["bootstorm storm tiny --vms 1,2,4,8,16 --repetitions 8"],
};
const storms = [
  ["plain", plainStorm],
  ["limited", limitedStorm],
  ["confidential", confidentialStorm],
  ["failing", failingStorm],
  ["dead", deadStorm],
] as const;

describe("in a terminal of 80 columns", () => {
  test.each(storms)("%s", (name, result) => {
    const text = terminalReport(bootsReport(result, maker, run), { width: 80, ascii: false });
    expectGolden(`boots/${name}.txt`, text);
  });

  test("without Unicode", () => {
    const text = terminalReport(bootsReport(plainStorm, maker, run), { width: 80, ascii: true });
    expect(text).toMatch(/^[\n -~]*$/);
    expectGolden("boots/plain.ascii.txt", text);
  });

  test("no line is wider, whatever guests write", () => {
    for (const [, result] of storms) {
      for (const width of [60, 80, 120]) {
        const text = terminalReport(bootsReport(result, maker), { width, ascii: false });
        for (const line of text.split("\n")) {
          // Console lines are kept as they are, bounded; a single word is never broken.
          const isConsole = line.startsWith("  ");
          if (line.trim().includes(" ") && !isConsole) {
            expect(displayWidth(line)).toBeLessThanOrEqual(width);
          }
          expect(displayWidth(line)).toBeLessThan(1_000);
        }
      }
    }
  });
});

describe("as a page", () => {
  test.each(storms.slice(0, 4))("%s", (name, result) => {
    expectGolden(`boots/${name}.html`, htmlPage(bootsReport(result, maker, run)));
  });

  test("what guests wrote is text: no element, no control character, and not much of it", () => {
    const report = bootsReport(failingStorm, maker, run);
    const page = htmlPage(report);
    expect(page).not.toMatch(/<(script|img)/i);
    expect(page).toContain("&lt;script&gt;alert(1)&lt;/script&gt;");
    for (const text of [page, terminalReport(report, { width: 80, ascii: false })]) {
      expect(text.replaceAll("\n", "")).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}]/u);
      expect(text).not.toMatch(/x{200}/);
    }
  });
});

test("whatever rounds can be read can be told, in text without control characters", () => {
  const ns = fc.integer({ min: 0, max: 2e10 });
  const text = fc.string({ unit: "binary", maxLength: 12 });
  const boot = fc
    .record({
      name: text,
      group: text,
      accelerator: fc.constantFrom("snp", "kvm", "tcg", "command"),
      outcome: fc.constantFrom("ready", ...OUTCOMES),
      why: text,
      consoleTail: fc.array(text, { maxLength: 2 }),
      times: fc.dictionary(fc.constantFrom(...MILESTONES), ns),
      readyNs: fc.integer({ min: 1, max: 2e10 }),
      vcpuCpuNs: ns,
      threads: fc.constantFrom({}, { 7: "CPU 0/KVM" }, { 7: "vcpu0", 8: "vcpu1" }),
    })
    .map(({ times, readyNs, ...rest }) => {
      const own = rest.outcome === "ready" ? { requested: 0, admitted: 0, ready: readyNs } : {};
      const seen = Object.fromEntries(
        Object.entries({ ...times, ...own }).map(([milestone, atNs]) => [
          milestone,
          { atNs, source: "serial" },
        ]),
      );
      return { ...rest, seen };
    });
  const round = fc
    .record({
      boots: fc.array(boot, { maxLength: 4 }),
      limit: fc.constantFrom("none", "1", "2", "boot-cap-aimd", "<b>"),
      kind: fc.constantFrom("plain", "confidential"),
      pressure: fc.nat(1),
      repetition: fc.nat(2),
      role: fc.constantFrom("measured", "measured", "recorded", "warm-up"),
    })
    .map((fields) => ({ ...roundOf([]), ...fields, vms: fields.boots.length }));
  fc.assert(
    fc.property(fc.array(round, { maxLength: 8 }), (rounds) => {
      const lines = rounds.map((each) => `${JSON.stringify(each)}\n`).join("");
      const read = readRounds(new TextEncoder().encode(roundsHeaderLine() + lines));
      const result = bootsResult(read.rounds, [], { seed: 1, rejects: read.rejects });
      expect(JSON.parse(JSON.stringify(result))).toEqual(result);
      const report = bootsReport(result, maker);
      for (const out of [htmlPage(report), terminalReport(report, { width: 80, ascii: false })]) {
        expect(out).not.toMatch(/NaN|undefined|Infinity|\bnull\b/);
        expect(out.replaceAll("\n", "")).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}]/u);
      }
    }),
    { numRuns: 40 },
  );
});
