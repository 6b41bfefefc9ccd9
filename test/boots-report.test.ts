// Whole reports of real boots, as their readers get them.
import { describe, expect, test } from "vitest";
import { bootsReport } from "../src/core/report/boots-report.ts";
import { htmlPage } from "../src/core/report/html-page.ts";
import { displayWidth } from "../src/core/report/plain-text.ts";
import { terminalReport } from "../src/core/report/terminal-report.ts";
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
