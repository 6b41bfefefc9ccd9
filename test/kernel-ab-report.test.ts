// Whole reports of kernels that were measured against each other, as their readers get them.
import { describe, expect, test } from "vitest";
import { verdictJson } from "../src/app/cli/check/json.ts";
import { htmlPage } from "../src/core/report/html-page.ts";
import { gainChart } from "../src/core/report/kernel-ab/gain-chart/gain-chart.ts";
import type { KernelAbReport } from "../src/core/report/kernel-ab/input.ts";
import { kernelAbReport } from "../src/core/report/kernel-ab/kernel-ab-report.ts";
import { escapeMarkup, markupText } from "../src/core/report/markup.ts";
import { displayWidth, visible } from "../src/core/report/plain-text.ts";
import { proseText } from "../src/core/report/prose.ts";
import { standaloneSvg } from "../src/core/report/svg.ts";
import { terminalReport } from "../src/core/report/terminal-report.ts";
import { schemaErrors } from "./cli/bootstorm.ts";
import {
  allReports,
  bare,
  fivePatches,
  gainsElsewhere,
  gainsNowhereElse,
  hostileNames,
  neverBooted,
  onlySafe,
  sameImage,
  slower,
  tooFew,
  twoKernels,
} from "./fixtures/kernel-ab.ts";
import { expectGolden } from "./golden.ts";

const maker = { version: "0.1.0", at: "2025-11-22 11:20 UTC" };
const pageOf = (told: KernelAbReport) => htmlPage(kernelAbReport(told, maker));
const textOf = (told: KernelAbReport, width = 79) =>
  terminalReport(kernelAbReport(told, maker), { width, ascii: false });
const findingsOf = (told: KernelAbReport) => kernelAbReport(told, maker).findings.map(proseText);
const answerOf = (told: KernelAbReport) => proseText(kernelAbReport(told, maker).answer);

describe("in a terminal of 79 columns", () => {
  test.each(allReports)("%s", (name, told) => expectGolden(`kernel-ab/${name}.txt`, textOf(told)));

  test("without Unicode", () => {
    const text = terminalReport(kernelAbReport(fivePatches, maker), { width: 79, ascii: true });
    expect(text).toMatch(/^[\n -~]*$/);
  });

  test.each(allReports)("no line of %s is wider, whatever kernels are called", (_, told) => {
    for (const width of [60, 79, 120]) {
      for (const line of textOf(told, width).split("\n")) {
        // Console lines and commands are kept as they are, and schedules are for mails.
        const isWhole = line.startsWith("  ") || /^ *\d/.test(line) || !line.trim().includes(" ");
        if (!isWhole) expect(displayWidth(line)).toBeLessThanOrEqual(width);
      }
    }
  });
});

describe("as a page", () => {
  test("of five patches", () => expectGolden("kernel-ab/five-patches.html", pageOf(fivePatches)));

  test.each([860, 340])("the picture, %i wide", (width) => {
    const drawing = gainChart(fivePatches, { width });
    expectGolden(`kernel-ab/gains-${width}.svg`, markupText(standaloneSvg(drawing, "gains")));
  });

  test.each(allReports)("%s: no element or control character from outside", (_, told) => {
    const page = pageOf(told);
    expect(page).not.toMatch(/<(script|img)/i);
    for (const text of [page, textOf(told)]) {
      expect(text.replaceAll("\n", "")).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}]/u);
      expect(text).not.toMatch(/NaN|Infinity|undefined(?!\))/);
    }
  });
});

describe("nothing is left out", () => {
  test.each(allReports)("%s: every kernel and every failure is told", (_, told) => {
    const page = pageOf(told);
    const drawn = markupText(standaloneSvg(gainChart(told, { width: 860 }), "gains"));
    told.result.arms.forEach(({ name }, arm) => {
      expect(page).toContain(escapeMarkup(name));
      if (arm > 0) expect(drawn).toContain(escapeMarkup(`${visible(name)}: `));
    });
    for (const { why, repetition } of told.result.failures) {
      expect(page).toContain(escapeMarkup(why));
      expect(page).toMatch(new RegExp(`<td>[^<]*\\brepetition ${repetition + 1}\\b`));
    }
  });

  test("a kernel that never booted stands in the picture, the findings and the doubts", () => {
    const { findings, sections } = kernelAbReport(neverBooted, maker);
    expect(findings.map(proseText)).toContain(
      "split-mark was not measured: of 12 boots none was done.",
    );
    expect(sections.map(({ id }) => id)).toContain("failures");
    expect(gainChart(neverBooted, { width: 860 }).description).toContain(
      "split-mark: not measured, safe if each page has one owner.",
    );
  });

  test("what was not counted, tried or predicted is no section, and is said", () => {
    const report = kernelAbReport(bare, maker);
    const ids = report.sections.map(({ id }) => id);
    for (const id of ["locks", "mixed", "failures"]) expect(ids).not.toContain(id);
    expect(report.findings.map(proseText)).toContain(
      "Nothing was predicted: the lock design of ./a is not known.",
    );
    expect(textOf(bare)).toContain("Lock waits were not counted");
  });
});

test("a kernel that counted its locks while it was timed is named among the doubts", () => {
  const says = "./slow counted its lock waits while it was timed";
  const [base, ...others] = bare.result.arms;
  const counting = { ...base!, name: "./slow", timesCountLocks: true } as const;
  const told = { ...bare, result: { ...bare.result, arms: [counting, ...others] } };
  expect(textOf(told).replaceAll(/\s+/g, " ")).toContain(says);
  expect(textOf(bare)).not.toContain("while it was timed");
});

describe("unsafe is never told as safe", () => {
  const unsafe = (told: KernelAbReport) =>
    told.verdicts.flatMap((own, arm) =>
      own.some(({ verdict }) => verdict.verdict === "unsafe" && verdict.operations !== "same-page")
        ? [arm]
        : [],
    );

  test.each(allReports)("%s: in the picture, wide and narrow", (_, told) => {
    for (const width of [860, 340]) {
      const { description } = gainChart(told, { width });
      for (const arm of unsafe(told)) {
        const name = `${visible(told.result.arms[arm]!.name)}: `;
        const own = description.slice(description.indexOf(name) + name.length);
        expect(own).toMatch(/^[a-z ]+, UNSAFE\./);
        expect(own).toContain("ro ✗ C1 10");
      }
    }
  });

  test("its race is drawn, once", () => {
    const ids = (told: KernelAbReport) => kernelAbReport(told, maker).sections.map(({ id }) => id);
    expect(ids(fivePatches).filter((id) => id.startsWith("race-"))).toEqual(["race-1"]);
    expect(ids(slower).filter((id) => id.startsWith("race-"))).toEqual([]);
  });

  test("the fastest is named with what breaks it, however little was measured", () => {
    expect(answerOf(fivePatches)).toMatch(
      /^Fast and safe: with per-pmd-lock .* no-cpa-lock gets 3\.62 .* a schedule of 10 steps that breaks it\.$/,
    );
    expect(answerOf(twoKernels)).toMatch(/^No kernel here is both faster and safe; no-cpa-lock /);
    expect(answerOf(tooFew)).toBe(
      "3 pairs of boots are too few to tell no-cpa-lock from stock: with 6 comparisons it takes 8; however fast it is, the checker finds no-cpa-lock unsafe.",
    );
  });

  test("where the fastest is no gain, another safe one is named, or that there is none", () => {
    expect(answerOf(gainsElsewhere)).toMatch(/^Fast and safe: with skip-for-present 4 threads /);
    expect(findingsOf(gainsElsewhere)[0]).toBe(
      "4 threads that split 2 MiB entries are not shown to gain anything with skip-for-present; with per-pmd-lock, which is safe, they get 4.33 (3.77 to 4.98) times as much done.",
    );
    expect(findingsOf(gainsNowhereElse)[0]).toBe(
      "4 threads that split 2 MiB entries are not shown to gain anything with skip-for-present, nor with any other kernel here that is safe.",
    );
    expect(findingsOf(onlySafe)[0]).toBe(
      "4 threads that split 2 MiB entries are not shown to gain anything with skip-for-present.",
    );
    expect(findingsOf(fivePatches).join()).not.toContain("not shown to gain");
  });

  test("what was not checked is not called safe", () => {
    expect(answerOf(bare)).toBe("Faster than ./a, and not known to be safe: ./b.");
  });

  test("a verdict that is not known is neither", () => {
    const verdicts = twoKernels.verdicts.map((own) =>
      own.map(({ verdict: { counterexample: _, ...verdict }, ...rest }) => ({
        ...rest,
        verdict: { ...verdict, verdict: "unknown" as const },
      })),
    );
    const text = textOf({ ...twoKernels, verdicts });
    expect(text).toMatch(/^Faster than stock, and not known to be safe: no-cpa-lock\./);
    expect(text).not.toContain("✓");
  });
});

test("the same image twice: no difference, as it must; and if there is one, nothing is believed", () => {
  expect(answerOf(sameImage)).toBe(
    "stock and stock-again are one and the same kernel, and the measurement finds no difference, as it must.",
  );
  const comparisons = sameImage.result.comparisons.map((each) => ({
    ...each,
    verdict: "faster" as const,
  }));
  const result = { ...sameImage.result, comparisons };
  expect(answerOf({ ...sameImage, result })).toContain("nothing that this host measured now");
});

test("only doubts that apply are told", () => {
  const run = { ...twoKernels.run, accelerator: "kvm" as const, hostCpus: 64 };
  const kvm = textOf({ ...twoKernels, run });
  expect(textOf(twoKernels)).toMatch(/emulated TLB[\s\S]*vCPUs shared 2 CPUs/);
  expect(kvm).not.toMatch(/emulated TLB|vCPUs shared/);
});

test("no number is told that is not in the result", () => {
  // Every gain in the tables, to three digits, is one of the comparisons or predictions.
  const told = fivePatches;
  const known = new Set(
    told.gains.rows.flatMap(({ measured, predicted }) =>
      [measured?.value, predicted?.value].flatMap((value) =>
        value === undefined ? [] : [`${value.toFixed(2)}×`],
      ),
    ),
  );
  const said = textOf(told).match(/\d+\.\d\d×/g) ?? [];
  expect(said.length).toBeGreaterThanOrEqual(20);
  for (const each of said) expect(known).toContain(each);
});

test("names reach the page as text only", () => {
  expect(pageOf(hostileNames)).toContain("&lt;script&gt;alert(1)&lt;/script&gt;");
});

test.each(allReports)("%s: its JSON keeps the schema", (_, told) => {
  const { result, gains, moves, prediction, verdicts } = told;
  const document = JSON.parse(
    JSON.stringify({
      command: "kernel-ab",
      result: {
        ...result,
        gains,
        lockMoves: moves,
        prediction,
        verdicts: verdicts.map((own) => own.map(verdictJson)),
      },
    }),
  );
  const errors = schemaErrors("kernel-ab", document) as { instancePath: string }[];
  // What all commands have beside the result is not made here.
  expect(errors.filter(({ instancePath }) => instancePath.startsWith("/result"))).toEqual([]);
});
