// Whole reports, as their readers get them.
import { describe, expect, test } from "vitest";
import { pressureCurve } from "../src/core/report/curve.ts";
import { curveChart } from "../src/core/report/curve-chart.ts";
import { htmlPage } from "../src/core/report/html-page.ts";
import { investigateReport } from "../src/core/report/investigate-report.ts";
import { markupText } from "../src/core/report/markup.ts";
import { displayWidth } from "../src/core/report/plain-text.ts";
import type { Report } from "../src/core/report/report.ts";
import { standaloneSvg } from "../src/core/report/svg.ts";
import { terminalReport } from "../src/core/report/terminal-report.ts";
import { timelineChart } from "../src/core/report/timeline-chart.ts";
import {
  HOSTILE,
  hostileHost,
  largeHost,
  smallHost,
  withoutPressure,
  withoutRecording,
} from "./fixtures/investigate.ts";
import { expectGolden } from "./golden.ts";

const maker = { version: "0.1.0", at: "2025-11-22 11:20 UTC" };
const hosts = [
  ["small", smallHost],
  ["large", largeHost],
  ["without-recording", withoutRecording],
  ["without-pressure", withoutPressure],
  ["hostile", hostileHost],
] as const;

describe("in a terminal of 80 columns", () => {
  test.each(hosts)("%s", (name, result) => {
    const text = terminalReport(investigateReport(result, maker), { width: 80, ascii: false });
    expectGolden(`report/${name}.txt`, text);
  });

  test("without Unicode", () => {
    const text = terminalReport(investigateReport(smallHost, maker), { width: 80, ascii: true });
    expect(text).toMatch(/^[\n -~]*$/);
    expectGolden("report/small.ascii.txt", text);
  });

  test("no line is wider, for names of any kind", () => {
    for (const [, result] of hosts) {
      const report = investigateReport(result, maker);
      for (const width of [60, 80, 120]) {
        for (const line of terminalReport(report, { width, ascii: false }).split("\n")) {
          // A single word, such as a path, is never broken.
          if (line.trim().includes(" ")) expect(displayWidth(line)).toBeLessThanOrEqual(width);
        }
      }
    }
  });
});

describe("as a page", () => {
  test.each([hosts[0], hosts[4]])("%s", (name, result) => {
    expectGolden(`report/${name}.html`, htmlPage(investigateReport(result, maker)));
  });

  test("what comes from outside is text: no element, no control character, nothing hidden", () => {
    const report = investigateReport(hostileHost, maker);
    const page = htmlPage(report);
    expect(page).not.toMatch(/<(script|img)/i);
    const terminal = terminalReport(report, { width: 80, ascii: false });
    for (const text of [page, terminal]) {
      expect(text.replaceAll("\n", "")).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}]/u);
    }
    expect(page).toContain("&lt;script&gt;alert(1)&lt;/script&gt;");
    expect(HOSTILE.length).toBeGreaterThan(5);
  });

  test("a later step adds a section, and it appears in both", () => {
    const base = investigateReport(smallHost, maker);
    const extra = { ...base.sections.at(-1)!, id: "check", title: "Can the lock go?" };
    const report: Report = { ...base, sections: [...base.sections, extra] };
    expect(htmlPage(report)).toContain('<h2 id="check-heading">Can the lock go?</h2>');
    expect(terminalReport(report, { width: 80, ascii: false })).toContain("\nCan the lock go?\n");
  });
});

describe("as pictures that stand alone", () => {
  test.each([hosts[0], hosts[1]])("%s: the curve", (name, { pressure }) => {
    const drawing = curveChart(pressureCurve(pressure!), { width: 860, height: 440 });
    expectGolden(`report/${name}-curve.svg`, markupText(standaloneSvg(drawing, "curve")));
  });

  test("small: the timeline", () => {
    const drawing = timelineChart(smallHost.timeline!, { width: 860 });
    expectGolden("report/small-timeline.svg", markupText(standaloneSvg(drawing, "timeline")));
  });
});
