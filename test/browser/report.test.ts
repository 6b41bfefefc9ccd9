// The page as a browser shows it: opened from disk, wide and narrow, light and dark.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import axe from "axe-core";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { InvestigateResult } from "../../src/core/analyze/investigate.ts";
import { pressureCurve } from "../../src/core/report/curve.ts";
import { curveChart } from "../../src/core/report/curve-chart.ts";
import { exploreReport } from "../../src/core/report/explore-report.ts";
import { htmlPage } from "../../src/core/report/html-page.ts";
import { investigateReport } from "../../src/core/report/investigate-report.ts";
import type { KernelAbReport } from "../../src/core/report/kernel-ab/input.ts";
import { kernelAbReport } from "../../src/core/report/kernel-ab/kernel-ab-report.ts";
import { markupText } from "../../src/core/report/markup.ts";
import { stormReport } from "../../src/core/report/storm-report.ts";
import { standaloneSvg } from "../../src/core/report/svg.ts";
import { talkParts } from "../../src/core/report/talk-story.ts";
import {
  hostileHost,
  largeHost,
  smallHost,
  withoutPressure,
  withoutRecording,
} from "../fixtures/investigate.ts";
import {
  fivePatches,
  hostileNames as hostileKernels,
  neverBooted,
  tooFew,
} from "../fixtures/kernel-ab.ts";
import { exploreRows, ladderPoints, talk } from "../fixtures/storm-points.ts";
import { needs } from "../needs.ts";
import { openChromium } from "./chromium.ts";

const maker = { version: "0.1.0", at: "2025-11-22 11:20 UTC" };
const missing = needs("program chromium");

let folder: string;
let browser: Browser;

beforeAll(async () => {
  if (missing) return;
  folder = mkdtempSync(join(tmpdir(), "bootstorm-report-"));
  browser = await openChromium();
});

afterAll(async () => {
  await browser?.close();
  if (folder) rmSync(folder, { recursive: true });
});

type Scheme = "light" | "dark";
const schemes: readonly Scheme[] = ["light", "dark"];
const widths = [360, 1200];
const views = schemes.flatMap((scheme) => widths.map((width) => ({ scheme, width })));

/** Opens a file with this content, runs the work, and returns what the page asked and complained. */
async function opened(
  content: string,
  { scheme, width, ending = "html" }: { scheme: Scheme; width: number; ending?: string },
  work: (page: Page) => Promise<void>,
): Promise<{ requests: string[]; complaints: string[] }> {
  const file = join(folder, `report.${ending}`);
  writeFileSync(file, content);
  const address = pathToFileURL(file).href;
  const page = await browser.newPage({
    colorScheme: scheme,
    viewport: { width, height: 800 },
  });
  const requests: string[] = [];
  const complaints: string[] = [];
  page.on("request", (request) => requests.push(request.url()));
  page.on("console", (message) => complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(error.message));
  page.on("dialog", (dialog) => {
    complaints.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  await page.goto(address);
  await work(page);
  await page.close();
  return { requests: requests.filter((url) => url !== address), complaints };
}

const pageOf = (result: InvestigateResult) => htmlPage(investigateReport(result, maker));

const hosts = [
  ["two CPUs", smallHost],
  ["64 CPUs", largeHost],
  ["no recording", withoutRecording],
  ["no load", withoutPressure],
  ["hostile names", hostileHost],
] as const;

beforeEach((ctx) => {
  if (missing) ctx.skip(missing);
});

const simulated = { caveats: ["a model"], obtained: [], reproduce: ["bootstorm explore"] };
const explorePage = htmlPage(
  exploreReport({
    ...simulated,
    rows: exploreRows,
    verdicts: talk.verdicts,
    replications: 1,
    version: maker.version,
  }),
);
const storm = stormReport({
  ...simulated,
  name: "fixes-ladder",
  title: "Lock designs",
  points: ladderPoints,
  view: { unit: "percent", scale: "log" },
  version: maker.version,
});
const stormPage = htmlPage({
  ...storm,
  sections: [...storm.sections, ...talkParts(talk).sections],
});

const kernelsPage = (told: KernelAbReport) => htmlPage(kernelAbReport(told, maker));

const pages = [
  ...hosts.map(([name, result]) => [name, pageOf(result)] as const),
  ["designs × policies", explorePage],
  ["a simulated storm, and the talk's story", stormPage],
  ...[fivePatches, neverBooted, hostileKernels, tooFew].map(
    (told, i) => [`kernels against each other, ${i + 1}`, kernelsPage(told)] as const,
  ),
] as const;

describe.each(pages)("the report of %s", (_, content) => {
  test.each(views)(
    "asks nothing, complains of nothing, fits, and is accessible: %o",
    async (view) => {
      const { requests, complaints } = await opened(content, view, async (page) => {
        expect(await overflowOf(page)).toBeLessThanOrEqual(0);
        await page.evaluate("document.querySelector('details')?.setAttribute('open', '')");
        expect(await overflowOf(page)).toBeLessThanOrEqual(0);
        expect(await violationsOf(page)).toEqual([]);
      });
      expect(requests).toEqual([]);
      expect(complaints).toEqual([]);
    },
  );
});

test("hostile names make no element", async () => {
  await opened(pageOf(hostileHost), { scheme: "light", width: 1200 }, async (page) => {
    expect(await page.locator("script, img, iframe, [onerror]").count()).toBe(0);
  });
});

test("one of the two drawings of a chart is shown, the one that fits", async () => {
  for (const { width, shown } of [
    { width: 360, shown: "curve-narrow-title" },
    { width: 1200, shown: "curve-wide-title" },
  ]) {
    await opened(pageOf(smallHost), { scheme: "light", width }, async (page) => {
      const visible = page.locator("#scaling svg:visible");
      expect(await visible.count()).toBe(1);
      expect(await visible.getAttribute("aria-labelledby")).toBe(shown);
    });
  }
});

test.each(widths)(
  "no text of a chart leaves the picture, and no two touch, %i wide",
  async (width) => {
    for (const [, content] of pages) {
      await opened(content, { scheme: "light", width }, async (page) => {
        expect(await page.evaluate(CHART_TEXT_FAULTS)).toEqual([]);
      });
    }
  },
);

test.each(schemes)(
  "a curve on its own is valid XML, follows the theme and asks nothing: %s",
  async (scheme) => {
    const drawing = curveChart(pressureCurve(smallHost.pressure!), { width: 860, height: 440 });
    const svg = markupText(standaloneSvg(drawing, "curve"));
    const { requests, complaints } = await opened(
      svg,
      { scheme, width: 1200, ending: "svg" },
      async (page) => {
        const paper = await page.evaluate("getComputedStyle(document.querySelector('rect')).fill");
        expect(paper).toBe(scheme === "light" ? "rgb(255, 255, 255)" : "rgb(20, 23, 26)");
        expect(await page.evaluate("document.querySelectorAll('parsererror').length")).toBe(0);
      },
    );
    expect(requests).toEqual([]);
    expect(complaints).toEqual([]);
  },
);

/** Pixels by which the page is wider than the window. */
async function overflowOf(page: Page): Promise<number> {
  return page.evaluate<number>("document.documentElement.scrollWidth - innerWidth");
}

async function violationsOf(page: Page): Promise<string[]> {
  // Evaluated by the debugger: the page's own policy lets no script run.
  await page.evaluate(axe.source);
  const { violations } = await page.evaluate<axe.AxeResults>("axe.run(document)");
  return violations.flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.html}`));
}

/** Runs in the page: labels that lie outside their picture or over each other. */
const CHART_TEXT_FAULTS = `
[...document.querySelectorAll("figure svg")].flatMap((svg) => {
  const frame = svg.getBoundingClientRect();
  if (frame.width === 0) return [];
  const texts = [...svg.querySelectorAll("text")].map((text) => [text.textContent, text.getBoundingClientRect()]);
  const outside = texts
    .filter(([, r]) => r.left < frame.left - 1 || r.right > frame.right + 1 || r.top < frame.top - 1 || r.bottom > frame.bottom + 1)
    .map(([label]) => "outside: " + label);
  const touching = texts.flatMap(([a, r], index) =>
    texts.slice(index + 1)
      .filter(([, q]) => r.left < q.right && q.left < r.right && r.top < q.bottom - 4 && q.top < r.bottom - 4)
      .map(([b]) => a + " over " + b));
  return [...outside, ...touching];
})`;
