// What docs/kernel-ab.md and the texts of the patches say was measured is what the recorded run says: it
// is read again here and compared. UPDATE_GOLDEN=1 rewrites them. Where the runs of test/fixtures come from
// stands in their README.md.
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "vitest";
import { threeDigits } from "../../src/core/units.ts";
import { bootstorm, checkout, schemaErrors } from "./bootstorm.ts";

const PAGE = join(checkout, "docs/kernel-ab.md");
const PATCHES = ["no-cpa-lock", "skip-for-present", "per-pmd-lock", "split-mark"];

let out: string;
beforeAll(() => {
  out = mkdtempSync(join(tmpdir(), "bootstorm-kernel-ab-docs-"));
  for (const run of ["kernel-ab-run", "kernel-same-run"]) {
    const recorded = join(checkout, "test/fixtures", run);
    mkdirSync(join(out, run));
    copyFileSync(join(recorded, "kernel-ab.json"), join(out, run, "kernel-ab.json"));
    const boots = gunzipSync(readFileSync(join(recorded, "boots.jsonl.gz")));
    writeFileSync(join(out, run, "boots.jsonl"), boots);
  }
});
afterAll(() => rmSync(out, { recursive: true }));

function told(run: string, ...flags: string[]): string {
  const asked = ["kernel-ab", "--from", run, "--quiet", ...flags];
  const { status, stdout, stderr } = bootstorm(asked, { cwd: out });
  expect(status, stderr).toBe(0);
  return stdout;
}

/** Compares the second group of what matches with what it should be. */
function requireInStep(file: string, place: RegExp, wanted: string): void {
  const text = readFileSync(file, "utf8");
  const [, , found] = place.exec(text) ?? [];
  expect(found, `${file} has its place for it`).toBeDefined();
  if (process.env.UPDATE_GOLDEN === "1") {
    const rewrite = (_: string, before: string, __: string, after: string) =>
      before + wanted + after;
    writeFileSync(file, text.replace(place, rewrite));
  } else {
    expect(found, "if rightly so, UPDATE_GOLDEN=1 rewrites it").toBe(wanted);
  }
}

test("the page shows the report of the recorded run, up to the race", () => {
  const [upToRace] = told("kernel-ab-run").split(/\nThe race in |\nEvery point\n/);
  const block = `\n\`\`\`text\n${upToRace!.trimEnd()}\n…\n\`\`\`\n\n`;
  const place = /(<!-- report: [^\n]*-->\n)([\s\S]*?)(<!-- end of report -->)/;
  requireInStep(PAGE, place, block);
});

test("the page shows the picture of the recorded run", () => {
  told("kernel-ab-run");
  const drawn = readFileSync(join(out, "kernel-ab-run/gains.svg"), "utf8");
  const file = join(checkout, "docs/kernel-ab.svg");
  if (process.env.UPDATE_GOLDEN === "1") writeFileSync(file, drawn);
  expect(readFileSync(file, "utf8"), "if rightly so, UPDATE_GOLDEN=1 rewrites it").toBe(drawn);
});

test("a recorded run of one kernel against itself: no difference anywhere", () => {
  const { result } = JSON.parse(told("kernel-same-run", "--json"));
  expect(result.arms[1]).toMatchObject({ sameAs: 0, boots: 66, bootsDone: 66 });
  expect(result.comparisons).toHaveLength(12);
  for (const { verdict } of result.comparisons) expect(verdict).toBe("no-difference");
});

test("every patch says what was measured of it; and the run's JSON keeps the schema", () => {
  const document = JSON.parse(told("kernel-ab-run", "--json"));
  expect(schemaErrors("kernel-ab", document)).toEqual([]);
  const { arms, comparisons } = document.result;
  for (const patch of PATCHES) {
    const arm = arms.findIndex(({ name }: { name: string }) => name === patch);
    const lines = ["toggle", "split"].map((load) => {
      const { speedUp, verdict } = comparisons.find(
        (each: { arm: number; load: string; vcpus: number; threads: number }) =>
          each.arm === arm && each.load === load && each.vcpus === 4 && each.threads === 4,
      );
      const [value, low, high] = [speedUp.value, speedUp.low, speedUp.high].map(threeDigits);
      const found = verdict === "no-difference" ? ", no difference found" : "";
      return `  ${load.padEnd(7)} ${value} (${low} to ${high})${found}\n`;
    });
    const place = /(\nThroughput over that of .*:\n\n)((?: {2}.*\n)+)(\n--- a\/)/;
    requireInStep(join(checkout, `kernel/patches/${patch}.patch`), place, lines.join(""));
  }
});
